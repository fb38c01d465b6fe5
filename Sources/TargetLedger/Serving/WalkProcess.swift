//
// WalkProcess.swift: the database and the walk that writes into it, started and stopped in this order.
//

import AllocationCore
import AllocationLedger
import AllocatorAPI
import AllocatorRuntime
import EmbeddedPostgres
import Glibc
import Logging
import PrometheusConfig
import PostgresDriver
import ServiceLifecycle

/// The private PostgreSQL if there is to be one, and the walk upon the database.
struct WalkProcess: Service {
    private let configuration: AllocatorConfiguration
    private let reload: @Sendable () throws -> AllocatorConfiguration
    private let publisher: SnapshotPublisher
    private let history: HistoryGateway
    private let deliveries: DeliveryLog
    private let signer: NoteSigner?
    private let logger: Logger

    /// - Parameters:
    ///   - reload: Reads the configuration again, from the same sources.
    ///   - signer: The key that signs checkpoints.
    init(
        _ configuration: AllocatorConfiguration, reload: @escaping @Sendable () throws -> AllocatorConfiguration,
        publisher: SnapshotPublisher, history: HistoryGateway, deliveries: DeliveryLog, signer: NoteSigner?,
        logger: Logger
    ) {
        self.configuration = configuration
        self.reload = reload
        self.publisher = publisher
        self.history = history
        self.deliveries = deliveries
        self.signer = signer
        self.logger = logger
    }

    func run() async throws {
        let intake = DiscoveryIntake(logger: logger)
        switch configuration.database {
        case .url(let url): try await walk(on: LedgerDatabase.configuration(url), intake)
        case .environment: try await walk(on: LedgerDatabase.configuration(""), intake)
        case .embedded(let folder, let binaries):
            let settings = EmbeddedPostgresConfiguration(dataDirectory: folder, binariesDirectory: binaries)
            // Making a cluster takes about as long as reading a hundred thousand targets. A cluster that is there holds
            // what is to be served first, so nothing else is done before.
            guard settings.isToBeMade else { return try await embedded(settings, intake, isDiscovering: false) }
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { [logger] in
                    do {
                        try await intake.run(AllocatorService.Settings(configuration, address: "", ownsDatabase: true))
                    } catch is CancellationError {
                        logger.debug("discovery ends")
                    }
                }
                group.addTask { try await embedded(settings, intake, isDiscovering: true) }
                try await group.next()
                group.cancelAll()
                try await group.waitForAll()
            }
        }
    }

    private func embedded(
        _ settings: EmbeddedPostgresConfiguration, _ intake: DiscoveryIntake, isDiscovering: Bool
    ) async throws {
        publisher.update {
            $0.reasonsNotReady = ["the private PostgreSQL in \(settings.dataDirectory) is starting"]
        }
        let folder = outageFolder
        guard let server = try await start(settings, folder, intake) else { return }
        let outcome: Result<Void, any Error>
        do {
            outcome = .success(
                try await walk(
                    on: LedgerDatabase.configuration(server.connectionString), intake, isDiscovering: isDiscovering,
                    ownsDatabase: true, folder: folder))
        } catch { outcome = .failure(error) }
        await server.stop()
        try outcome.get()
    }

    /// Starts the private server. One that does not start is tried again and again, as long as there is something to serve
    /// meanwhile.
    ///
    /// - Returns: Nil: asked to stop.
    private func start(
        _ settings: EmbeddedPostgresConfiguration, _ folder: OutageFolder?, _ intake: DiscoveryIntake
    ) async throws -> EmbeddedPostgres? {
        var pause = Duration.seconds(1)
        while true {
            do {
                return try await cancelWhenGracefulShutdown { [logger] in
                    try await EmbeddedPostgres.start(settings, logger: logger)
                }
            } catch EmbeddedPostgresError.stopped {
                return nil
            } catch is CancellationError {
                return nil
            } catch {
                let isServed = await DiskStart(
                    folder: folder, publisher: publisher, table: intake.table, logger: logger
                ).serve(AllocatorService.Settings(configuration, address: "", ownsDatabase: true), because: "\(error)")
                guard isServed else { throw error }
                logger.error(
                    "the private PostgreSQL does not start; trying again", metadata: ["error": "\(error)"])
            }
            let isStopped = await cancelWhenGracefulShutdown { [pause] in
                (try? await Task.sleep(for: pause)) == nil
            }
            if isStopped { return nil }
            pause = min(pause * 2, .seconds(30))
        }
    }

    private func walk(
        on postgres: PostgresConfiguration, _ intake: DiscoveryIntake, isDiscovering: Bool = false,
        ownsDatabase: Bool = false, folder: OutageFolder? = nil
    ) async throws {
        logger.info("ledger", metadata: ["database": "\(postgres.redactedDescription)"])
        let (first, reload, address, logger) = (configuration, reload, address, logger)
        let replica = UUID128.random()
        let folder = folder ?? outageFolder
        let service = AllocatorService(
            settings: AllocatorService.Settings(first, address: address, ownsDatabase: ownsDatabase),
            reload: ConfigurationReload(file: first.file) {
                let next = try reload()
                for setting in first.settingsThatNeedRestart(comparedWith: next) {
                    logger.warning(
                        "a changed setting counts from the next start on", metadata: ["setting": "\(setting)"])
                }
                return AllocatorService.Settings(next, address: address, ownsDatabase: ownsDatabase)
            },
            postgres: postgres, publisher: publisher, intake: intake, isDiscovering: isDiscovering, folder: folder,
            replica: replica, logger: logger)
        // Small and apart, so that questions about the past take nothing from the walk.
        let pool = PostgresPool(postgres, size: 4, logger: logger)
        let (reader, access) = (HistoryReader(pool), AccessLog(pool, logger: logger))
        let proofs = LogProofs(signer: signer)
        history.open(
            HistoryContext(
                reader: reader, access: access, events: RevisionFeed(publisher: publisher, reader: reader),
                proofs: proofs))
        let deliveryPool = PostgresPool(postgres, size: 1, logger: logger)
        let writer = DeliveryWriter(deliveries, replica: replica, pool: deliveryPool, logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await CommandFailure.naming(postgres) { _ in try await service.run() } }
            group.addTask { try await access.run() }
            group.addTask { try await writer.run() }
            // The log's tree grows with the log, so that a checkpoint has little to read when it is asked for.
            if signer != nil {
                group.addTask { [publisher] in
                    for await _ in publisher.publications() { try? await proofs.prepare(reader) }
                }
            }
            try await group.next()
            group.cancelAll()
            try await group.waitForAll()
        }
        await pool.close()
        await deliveryPool.close()
    }

    /// Where the last state and the journal are kept. Without one the process serves as well, as long as it lives.
    private var outageFolder: OutageFolder? {
        guard let path = configuration.outage.stateDirectory else { return nil }
        // The private PostgreSQL makes its folder itself.
        if case .embedded(let data, _) = configuration.database, access(data, F_OK) != 0 { return nil }
        do {
            return try OutageFolder(path: path)
        } catch {
            logger.error(
                "no state is kept for a start without the database, and no journal",
                metadata: ["error": "\(error)"])
            return nil
        }
    }

    /// How others find this process: the machine's name where it listens on every address.
    private var address: String {
        let listen = configuration.listenAddress
        return "\(ListenAddress(host: listen.host ?? hostName(), port: listen.port))"
    }
}

extension AllocatorService.Settings {
    init(_ configuration: AllocatorConfiguration, address: String, ownsDatabase: Bool) {
        self.init(
            strategy: configuration.strategy, scrapeConfigs: configuration.prometheus.scrapeConfigs,
            filterTargets: configuration.filterTargets, collectors: configuration.collectors,
            leaseTimeToLive: configuration.lease.timeToLive, leaseRenewInterval: configuration.lease.renewInterval,
            address: address, ownsDatabase: ownsDatabase, retention: configuration.retention.duration,
            dayFiles: configuration.retentionExportDirectory.map { DayFiles(folder: $0) },
            standbyDiscovery: configuration.standbyDiscovery, onDatabaseOutage: configuration.outage.mode)
    }
}
