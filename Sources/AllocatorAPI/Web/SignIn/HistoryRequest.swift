//
// HistoryRequest.swift: who a request is from: a bearer token, as programs send it, or a browser's session.
//

import HTTPTypes
import Hummingbird
import PostgresDriver

enum HistoryRequest {
    enum Reader: Sendable, Hashable {
        /// Whoever reaches the listener may read.
        case anybody
        case token(file: String)
        case session(file: String)
        /// Has shown nothing that opens the history.
        case stranger

        /// For the record of reads; nil: may not read.
        var name: String? {
            switch self {
            case .anybody: "anonymous"
            case .token(let file): "token \(file)"
            case .session(let file): "session of token \(file)"
            case .stranger: nil
            }
        }
    }

    static func reader(_ request: Request, _ gateway: HistoryGateway) -> Reader {
        guard let tokens = gateway.tokens else { return .anybody }
        if let file = tokens.file(opening: request.headers[.authorization]) { return .token(file: file) }
        for field in request.headers[values: .cookie] {
            for pair in field.split(separator: ";") {
                let sides = pair.drop { $0 == " " }.split(separator: "=", maxSplits: 1)
                guard sides.count == 2, sides[0] == SignIn.cookie else { continue }
                if let file = tokens.file(ofSession: String(sides[1]), now: .now()) { return .session(file: file) }
            }
        }
        return .stranger
    }

    /// Over TLS, here or at the proxy in front.
    static func isSecure(_ request: Request) -> Bool {
        request.head.scheme == "https" || request.headers[.forwardedProtocol] == "https"
    }
}

extension HTTPField.Name {
    // A constant token.
    fileprivate static let forwardedProtocol = HTTPField.Name("X-Forwarded-Proto")!
}
