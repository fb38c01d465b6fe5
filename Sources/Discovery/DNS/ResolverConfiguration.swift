//
// ResolverConfiguration.swift: whom to ask, and for which names (resolv.conf(5)).
//

/// Servers, search domains and the rule for which name comes first.
struct ResolverConfiguration: Sendable, Equatable {
    /// Numeric addresses.
    var servers: [String] = []
    var port: UInt16 = 53
    var search: [String] = []
    var dotsMin = 1

    /// What `/etc/resolv.conf` says now. Blocks.
    @Sendable static func system() throws(DNSError) -> ResolverConfiguration {
        let text: String?
        do throws(FileDiscoveryError) {
            text = try FileStatus.withBytes(of: "/etc/resolv.conf", bytesMax: 1 << 20) {
                (bytes) throws(FileDiscoveryError) in String(decoding: bytes, as: UTF8.self)
            }.0
        } catch {
            throw .noConfiguration("\(error)")
        }
        let configuration = ResolverConfiguration(parsing: text ?? "")
        guard !configuration.servers.isEmpty else { throw .noConfiguration("/etc/resolv.conf names none") }
        return configuration
    }

    init(servers: [String] = [], port: UInt16 = 53, search: [String] = [], dotsMin: Int = 1) {
        self.servers = servers
        self.port = port
        self.search = search
        self.dotsMin = dotsMin
    }

    init(parsing text: String) {
        for line in text.split(whereSeparator: \.isNewline) {
            let words = line.prefix { $0 != "#" && $0 != ";" }.split(whereSeparator: \.isWhitespace).map(String.init)
            switch words.first {
            case "nameserver": servers += words.dropFirst().prefix(1)
            case "domain", "search": search = Array(words.dropFirst())
            case "options":
                for option in words.dropFirst() where option.hasPrefix("ndots:") {
                    dotsMin = Int(option.dropFirst("ndots:".count)).map { min(max($0, 0), 15) } ?? dotsMin
                }
            default: break
            }
        }
    }

    /// The names to ask for, in order, each with its dot at the end (spec/prometheus-sd.md 8).
    func candidates(_ name: String) -> [String] {
        guard !name.hasSuffix(".") else { return [name] }
        let whole = name + "."
        let searched = search.map { $0 == "." ? whole : "\(name).\($0.hasSuffix(".") ? $0 : $0 + ".")" }
        let dots = name.count { $0 == "." }
        return dots >= dotsMin ? [whole] + searched : searched + [whole]
    }
}
