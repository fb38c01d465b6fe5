//
// StandardRequest.swift: what of a request decides its answer.
//

/// A request of the standard API, however it was read from the wire.
package struct StandardRequest: Sendable, Hashable {
    package enum Method: Sendable, Hashable {
        case get, head, other
    }

    package var method: Method
    /// The request target as it was sent: still encoded, query included.
    package var target: String
    /// `Accept` contains `text/html`.
    package var acceptsHTML = false
    package var acceptsGzip = false
    package var ifNoneMatch: String?

    /// A GET.
    package init(_ target: String) { self.init(.get, target) }

    package init(_ method: Method, _ target: String) {
        self.method = method
        self.target = target
    }

    package mutating func add(accept value: some StringProtocol) {
        if value.lowercased().contains("text/html") { acceptsHTML = true }
    }

    /// Takes one `Accept-Encoding` field. An encoding of quality 0 is refused, `*` stands for those not named.
    package mutating func add(acceptEncoding value: some StringProtocol) {
        var any: Bool?
        for element in value.split(separator: ",") {
            let parts = element.split(separator: ";").map { $0.trimmingBlanks().lowercased() }
            guard let name = parts.first else { continue }
            let isAccepted = !parts.dropFirst().contains { $0.hasPrefix("q=") && Double($0.dropFirst(2)) == 0 }
            if name == "gzip" || name == "x-gzip" {
                acceptsGzip = isAccepted
                return
            }
            if name == "*" { any = isAccepted }
        }
        if let any { acceptsGzip = any }
    }
}

extension StringProtocol {
    /// Without the blanks and tabs around it.
    fileprivate func trimmingBlanks() -> SubSequence {
        var text = self[...]
        while text.first == " " || text.first == "\t" { text.removeFirst() }
        while text.last == " " || text.last == "\t" { text.removeLast() }
        return text
    }
}
