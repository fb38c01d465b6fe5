//
// CollectorResolver.swift: turns a DNS name into collectors' names.
//

import AllocationCore
import Glibc

/// Asks the name service, on a thread of its own.
actor CollectorResolver {
    nonisolated let executor = BlockingExecutor(label: "collector-dns")
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private let configuration: (@Sendable () throws(DNSError) -> ResolverConfiguration)

    /// - Parameter configuration: Read for every question, as the file may change.
    init(configuration: @escaping @Sendable () throws(DNSError) -> ResolverConfiguration = ResolverConfiguration.system)
    {
        self.configuration = configuration
    }

    func collectors(_ name: String) -> Result<[Collector], CollectorSourceError> {
        Result { () throws(CollectorSourceError) in
            let names = try name.hasPrefix("_") ? serviceTargets(name) : Self.addresses(name)
            return names.map { Collector(name: $0) }
        }
    }

    // MARK: SRV

    private func serviceTargets(_ name: String) throws(CollectorSourceError) -> [String] {
        do throws(DNSError) {
            let records = try DNSClient(configuration()).lookUp(name, .srv)
            return Self.names(
                of: records.compactMap { if case .srv(let target, _) = $0.data { target } else { nil } })
        } catch {
            throw CollectorSourceError("\(error)")
        }
    }

    /// The first label of each target, which is the pod's name; where two would be the same, the whole targets.
    static func names(of targets: [String]) -> [String] {
        let whole = Set(targets.map { $0.hasSuffix(".") ? String($0.dropLast()) : $0 })
        let byLabel = Dictionary(grouping: whole) { $0.split(separator: ".").first.map(String.init) ?? $0 }
        return byLabel.flatMap { $1.count == 1 ? [$0] : $1 }.sorted(by: ByteOrder.precedes)
    }

    // MARK: Addresses

    /// IPv4 addresses, or IPv6 ones when there are no others: one collector behind both is one collector.
    private static func addresses(_ name: String) throws(CollectorSourceError) -> [String] {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(name, nil, &hints, &found)
        guard code == 0 else {
            let text = code == EAI_SYSTEM ? String(cString: strerror(errno)) : String(cString: gai_strerror(code))
            throw CollectorSourceError(text)
        }
        defer { freeaddrinfo(found) }
        var byFamily: [Int32: Set<String>] = [:]
        var next = found
        while let info = next?.pointee {
            var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            if getnameinfo(info.ai_addr, info.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0 {
                let address = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
                byFamily[info.ai_family, default: []].insert(address)
            }
            next = info.ai_next
        }
        return (byFamily[AF_INET] ?? byFamily[AF_INET6] ?? []).sorted(by: ByteOrder.precedes)
    }
}
