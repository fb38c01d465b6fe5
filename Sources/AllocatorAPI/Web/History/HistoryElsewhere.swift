//
// HistoryElsewhere.swift: what the standard listener answers to `/history…` when it does not have the history.
//

import AllocatorRuntime
import HTTPTypes
import Hummingbird
import NIOCore

/// Leads to the listener that has the history, under the name by which this one was reached.
struct HistoryElsewhere: Sendable {
    /// Nil: the history is off.
    let address: ListenAddress?

    func response(to request: Request) -> Response {
        guard let address else {
            return HistoryPages.response(
                PageError(
                    404, "The history is off: others can reach this listener, and ledger.history_api names no token."
                ).page(), PageSite(hasHistory: false), request)
        }
        guard let host = Self.host(request.head.authority) else {
            return HistoryPages.response(
                PageError(404, "The history is on port \(address.port).").page(), PageSite(), request)
        }
        return Self.redirect(to: "http://\(host):\(address.port)\(request.head.path ?? "/history")")
    }

    static func redirect(to location: String) -> Response {
        Response(
            status: .temporaryRedirect,
            headers: [.location: location, .cacheControl: "no-store", .contentLength: "0"], body: ResponseBody())
    }

    /// The host's name without a port; nil when it is none.
    static func host(_ authority: String?) -> String? {
        guard let authority, !authority.isEmpty else { return nil }
        if authority.hasPrefix("[") {
            guard let end = authority.firstIndex(of: "]") else { return nil }
            let host = authority[...end]
            return host.dropFirst().dropLast().allSatisfy { $0.isHexDigit || $0 == ":" } ? String(host) : nil
        }
        let host = authority.prefix { $0 != ":" }
        let isName = host.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
                true
            default: false
            }
        }
        return isName && !host.isEmpty ? String(host) : nil
    }
}
