//
// ListenAddress.swift: reads the address that a server listens on.
//

import AllocatorRuntime
import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

extension ListenAddress {
    /// - Throws: ``ListenError/malformed(_:)``.
    package init(parsing text: String) throws(ListenError) {
        guard let address = ListenAddress(text) else { throw .malformed(text) }
        self = address
    }

    /// What to bind to: without a host both IPv6 and IPv4, or IPv4 alone where the machine has no IPv6.
    var bindHost: String { host ?? (Self.hasIPv6 ? "::" : "0.0.0.0") }

    private static let hasIPv6: Bool = {
        let descriptor = socket(AF_INET6, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(AF_INET6)
        // Port 0 and the unspecified address: binds wherever IPv6 is switched on.
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in6>.size)) == 0
            }
        }
    }()
}

/// Why a server does not listen.
package enum ListenError: Error, Hashable, CustomStringConvertible {
    case malformed(String)
    case addressInUse(ListenAddress)
    case notPermitted(ListenAddress)
    case failed(ListenAddress, String)

    package var description: String {
        switch self {
        case .malformed(let text):
            "listen address \"\(text)\" is not host:port; write for instance \":8080\" or \"127.0.0.1:8080\""
        case .addressInUse(let address): "cannot listen on \(address): the port is in use by another process"
        case .notPermitted(let address): "cannot listen on \(address): this user may not use that port"
        case .failed(let address, let reason): "cannot listen on \(address): \(reason)"
        }
    }
}

extension ListenError {
    init(_ error: IOError, _ address: ListenAddress) {
        switch error.errnoCode {
        case EADDRINUSE: self = .addressInUse(address)
        case EACCES, EPERM: self = .notPermitted(address)
        default: self = .failed(address, String(cString: strerror(error.errnoCode)))
        }
    }
}
