//
// StandardAPIServer.swift: the standard API on a socket.
//

import AllocatorRuntime
import HummingbirdCore
import Logging
import NIOHTTPTypes
import ServiceLifecycle
import Telemetry

/// What all listeners of the process share.
package struct StandardAPIContext: Sendable {
    package let publisher: SnapshotPublisher
    package let metrics: MetricsRegistry
    let cache: AnswerCache
    let http: HTTPMetrics
    let deliveries: DeliveryLog?

    /// - Parameters:
    ///   - metrics: What `/metrics` shows. The durations of requests are added to it.
    ///   - cacheBytesMax: Bound on the answers kept in memory.
    ///   - deliveries: Takes first fetches of changed answers; nil: they are not recorded.
    package init(
        publisher: SnapshotPublisher, metrics: MetricsRegistry, cacheBytesMax: Int = 256 << 20,
        deliveries: DeliveryLog? = nil
    ) {
        self.publisher = publisher
        self.deliveries = deliveries
        self.metrics = metrics
        cache = AnswerCache(bytesMax: cacheBytesMax)
        http = HTTPMetrics()
        metrics.add(http)
    }
}

/// One listener. Runs until it is asked to shut down; answers that are on their way are finished first.
package struct StandardAPIServer: Service {
    package struct Configuration: Sendable {
        package var address: ListenAddress
        /// Whether `/scrape_configs` shows secrets.
        package var showsSecrets: Bool
        /// Served beside the standard API; nil: not on this listener.
        package var history: HistoryGateway?
        /// The listener that has the history when this one has it not; nil: nobody has.
        package var historyElsewhere: ListenAddress?

        package init(
            address: ListenAddress, showsSecrets: Bool = false, history: HistoryGateway? = nil,
            historyElsewhere: ListenAddress? = nil
        ) {
            self.address = address
            self.showsSecrets = showsSecrets
            self.history = history
            self.historyElsewhere = historyElsewhere
        }
    }

    private let configuration: Configuration
    private let context: StandardAPIContext
    private let listener: HTTPListener

    /// - Parameter onBound: Called once requests are accepted, with the port that the system chose if none was named.
    package init(
        configuration: Configuration, context: StandardAPIContext, logger: Logger,
        onBound: @escaping @Sendable (_ port: Int) -> Void = { _ in }
    ) {
        self.configuration = configuration
        self.context = context
        listener = HTTPListener(address: configuration.address, logger: logger, onBound: onBound)
    }

    /// - Throws: ``ListenError`` when the address cannot be listened on.
    package func run() async throws {
        let responder = StandardResponder(
            publisher: context.publisher, metrics: context.metrics, cache: context.cache,
            showsSecrets: configuration.showsSecrets, deliveries: context.deliveries,
            hasHistory: configuration.history != nil || configuration.historyElsewhere != nil)
        let http = context.http
        try await listener.run(
            RoutedResponder(
                standard: responder, metrics: http.routed,
                history: configuration.history.map { HistoryResponder(gateway: $0) },
                elsewhere: HistoryElsewhere(address: configuration.historyElsewhere)),
            server: HTTPServerBuilder { routed in
                FastPathChannel(
                    base: HTTP1Channel(
                        responder: routed, configuration: .init(additionalChannelHandlers: [RoutedAnswerObserver()])),
                    responder: responder, metrics: http, limits: FastPathHandler.Limits())
            })
    }
}
