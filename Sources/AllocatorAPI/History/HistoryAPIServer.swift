//
// HistoryAPIServer.swift: the history API on a listener of its own.
//

import AllocatorRuntime
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import ServiceLifecycle

/// One listener for those who read the history.
package struct HistoryAPIServer: Service {
    private let address: ListenAddress
    private let gateway: HistoryGateway
    private let logger: Logger
    private let onBound: @Sendable (_ port: Int) -> Void

    /// - Parameter onBound: Called once requests are accepted, with the port that the system chose if none was named.
    package init(
        address: ListenAddress, gateway: HistoryGateway, logger: Logger,
        onBound: @escaping @Sendable (_ port: Int) -> Void = { _ in }
    ) {
        self.address = address
        self.gateway = gateway
        self.logger = logger
        self.onBound = onBound
    }

    /// - Throws: ``ListenError`` when the address cannot be listened on.
    package func run() async throws {
        let application = Application(
            responder: HistoryResponder(gateway: gateway, isAlone: true),
            configuration: ApplicationConfiguration(
                address: .hostname(address.bindHost, port: address.port)),
            onServerRunning: { [onBound] channel in
                if let port = channel.localAddress?.port { onBound(port) }
            },
            logger: logger)
        do {
            try await application.run()
        } catch let error as IOError {
            throw ListenError(error, address)
        } catch let error as SocketAddressError {
            throw ListenError.failed(address, "\(error)")
        }
    }
}
