//
// HistoryAPIServer.swift: the history API on a listener of its own.
//

import AllocatorRuntime
import Logging
import ServiceLifecycle

/// One listener for those who read the history.
package struct HistoryAPIServer: Service {
    private let gateway: HistoryGateway
    private let listener: HTTPListener

    /// - Parameter onBound: Called once requests are accepted, with the port that the system chose if none was named.
    package init(
        address: ListenAddress, gateway: HistoryGateway, logger: Logger,
        onBound: @escaping @Sendable (_ port: Int) -> Void = { _ in }
    ) {
        self.gateway = gateway
        listener = HTTPListener(address: address, logger: logger, onBound: onBound)
    }

    /// - Throws: ``ListenError`` when the address cannot be listened on.
    package func run() async throws { try await listener.run(HistoryResponder(gateway: gateway, isAlone: true)) }
}
