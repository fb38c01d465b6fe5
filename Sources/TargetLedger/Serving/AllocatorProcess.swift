//
// AllocatorProcess.swift: puts a serving process together, in the order in which its parts depend on each other.
//
// The API listens from the start, so that whoever asks reads why there is no answer yet. It is also the first to stop:
// requests on their way are answered while everything they need is still there.
//

import AllocationCore
import AllocationLedger
import AllocatorAPI
import AllocatorRuntime
import Logging
import Metrics
import PrometheusConfig
import ServiceLifecycle
import Telemetry
import UnixSignals

/// Everything that serves, for the life of the process.
struct AllocatorProcess {
    private let configuration: AllocatorConfiguration
    private let reload: @Sendable () throws -> AllocatorConfiguration
    private let logger: Logger

    /// - Parameter reload: Reads the configuration again, from the same sources.
    init(
        _ configuration: AllocatorConfiguration, reload: @escaping @Sendable () throws -> AllocatorConfiguration,
        logger: Logger
    ) {
        self.configuration = configuration
        self.reload = reload
        self.logger = logger
    }

    /// Runs until SIGTERM or SIGINT.
    ///
    /// - Throws: What ended it otherwise.
    func run() async throws {
        let publisher = SnapshotPublisher()
        let registry = MetricsRegistry()
        MetricsSystem.bootstrap(registry)
        registry.add(ProcessMetrics())
        registry.add(AllocatorMetrics(publisher: publisher))
        registry.add(ReplicaMetrics(publisher: publisher))

        let tokenFiles = configuration.history.tokenFiles
        let history = HistoryGateway(tokens: tokenFiles.isEmpty ? nil : try BearerTokens(files: tokenFiles))
        let signer = try configuration.checkpointKeyFile.map { path in
            try CheckpointFailure.naming { try CheckpointKeyFile.read(path) }
        }
        let deliveries = DeliveryLog()
        let walk = WalkProcess(
            configuration, reload: reload, publisher: publisher, history: history, deliveries: deliveries,
            signer: signer, logger: logger)
        let api = StandardAPIServer(
            configuration: .init(
                address: configuration.listenAddress, showsSecrets: configuration.allowInsecureAuthSecrets,
                history: isHistoryBesideStandard ? history : nil, historyElsewhere: historyElsewhere),
            context: StandardAPIContext(publisher: publisher, metrics: registry, deliveries: deliveries),
            logger: logger,
            onBound: { [logger] port in logger.info("listening", metadata: ["port": "\(port)"]) })
        var services: [ServiceGroupConfiguration.ServiceConfiguration] = [
            .init(service: walk), .init(service: api),
        ]
        if case .own(let address, _) = configuration.history {
            services.append(
                .init(
                    service: HistoryAPIServer(
                        address: address, gateway: history, logger: logger,
                        onBound: { [logger] port in
                            logger.info("listening for the history API", metadata: ["port": "\(port)"])
                        })))
        }
        if configuration.history == .none {
            logger.notice(
                "the history API is off: others can reach the listener, and ledger.history_api names no token")
        }
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: services,
                gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
        logger.info(
            "starting",
            metadata: [
                "config": "\(configuration.file)", "listen_addr": "\(configuration.listenAddress)",
                "strategy": "\(configuration.strategy.name)", "jobs": "\(configuration.prometheus.scrapeConfigs.count)",
            ])
        try await group.run()
        logger.info("stopped")
    }

    private var historyElsewhere: ListenAddress? {
        if case .own(let address, _) = configuration.history { address } else { nil }
    }

    private var isHistoryBesideStandard: Bool {
        if case .standard = configuration.history { true } else { false }
    }
}
