//
// HTTPTransportError.swift: why there is no answer. An answer with an error status is an answer.
//

/// A request that got no whole answer. Its text is fit to be shown: passwords in URLs are left out.
package struct HTTPTransportError: Error, Sendable, Equatable, CustomStringConvertible {
    package enum Cause: Error, Sendable, Equatable {
        /// Not a URL, or a field that would break the request.
        case invalidRequest(String)
        case hostNotFound(String)
        case notConnected(String)
        /// TLS failed, or a certificate is not trusted, or a certificate file of ours cannot be used.
        case insecure(String)
        case deadlineExceeded(Duration)
        /// A stream brought nothing for this long.
        case stalled(Duration)
        case bodyTooLarge(bytesMax: Int)
        case headTooLarge(bytesMax: Int)
        case tooManyRedirects(max: Int)
        case connectionLost(String)
        case cancelled
        /// The client was shut down.
        case closed
        /// Whatever else libcurl says.
        case failed(code: Int, String)
    }

    package var method: String
    /// Without user and password.
    package var url: String
    package var cause: Cause

    package init(method: String, url: String, cause: Cause) {
        self.method = method
        self.url = url
        self.cause = cause
    }

    package var description: String { "\(method) \(url): \(cause)" }
}

extension HTTPTransportError.Cause: CustomStringConvertible {
    package var description: String {
        switch self {
        case .invalidRequest(let text): "invalid request: \(text)"
        case .hostNotFound(let text): "host not found: \(text)"
        case .notConnected(let text): "cannot connect: \(text)"
        case .insecure(let text): "TLS: \(text)"
        case .deadlineExceeded(let deadline): "no whole answer within \(deadline)"
        case .stalled(let duration): "the stream brought nothing for \(duration)"
        case .bodyTooLarge(let bytesMax): "the answer is larger than the limit of \(bytesMax) bytes"
        case .headTooLarge(let bytesMax): "the answer's header is larger than the limit of \(bytesMax) bytes"
        case .tooManyRedirects(let max): "more than \(max) redirects"
        case .connectionLost(let text): "connection lost: \(text)"
        case .cancelled: "cancelled"
        case .closed: "the client was shut down"
        case .failed(let code, let text): "\(text) (libcurl \(code))"
        }
    }
}
