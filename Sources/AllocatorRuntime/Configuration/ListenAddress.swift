//
// ListenAddress.swift: where a listener listens, read from text as Go's listeners read it.
//

/// Host and port of a listener.
package struct ListenAddress: Sendable, Hashable, CustomStringConvertible {
    /// A name or an address; nil for every interface.
    package var host: String?
    /// 0 lets the system choose.
    package var port: Int

    package init(host: String?, port: Int) {
        self.host = host
        self.port = port
    }

    /// Reads `:8080`, `localhost:8080`, `10.0.0.1:8080` or `[::1]:8080`; nil for anything else.
    package init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            return nil
        }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]"), host.contains(":") {
            host = host.dropFirst().dropLast()
        } else if host.contains(where: { ":[]/ ".contains($0) }) {
            return nil
        }
        self.init(host: host.isEmpty ? nil : String(host), port: Int(port))
    }

    /// Whether nobody beyond this machine can reach it.
    package var isLoopback: Bool {
        guard let host else { return false }
        return host == "localhost" || host == "::1" || host.hasPrefix("127.")
    }

    package var description: String {
        guard let host else { return ":\(port)" }
        return host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}
