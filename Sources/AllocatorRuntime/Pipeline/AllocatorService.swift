//
// AllocatorService.swift: runs the walk and all that feeds it, for the life of the process.
//

import AllocationCore
import AllocationLedger
import AsyncAlgorithms
import Discovery
import Logging
import PostgresDriver
import PrometheusConfig
import ServiceLifecycle

/// Everything between the world and the published snapshot: discovery, collector watch, lease and walk.
package struct AllocatorService: Service {
    /// What the service is built from.
    package struct Settings: Sendable {
        package var strategy: StrategyConfiguration
        package var scrapeConfigs: [ScrapeConfig]
        package var filterTargets: Bool
        package var collectors: CollectorSource
        package var leaseTimeToLive: Duration
        package var leaseRenewInterval: Duration
        /// How others find this process; shown to whoever waits for the lease.
        package var address: String
        /// This process alone has the database: a lease left by a predecessor that died needs no waiting for.
        package var ownsDatabase: Bool
        /// How long history is kept; nil: for ever.
        package var retention: Duration?
        package var standbyDiscovery: StandbyDiscovery
        /// Where days are exported to before they are dropped; nil: nowhere.
        package var dayFiles: DayFiles?
        /// What happens while the database is away.
        package var onDatabaseOutage: OutagePolicy.Mode

        package init(
            strategy: StrategyConfiguration, scrapeConfigs: [ScrapeConfig], filterTargets: Bool,
            collectors: CollectorSource, leaseTimeToLive: Duration, leaseRenewInterval: Duration, address: String,
            ownsDatabase: Bool, retention: Duration? = nil, dayFiles: DayFiles? = nil,
            standbyDiscovery: StandbyDiscovery = .warm, onDatabaseOutage: OutagePolicy.Mode = .hold
        ) {
            self.strategy = strategy
            self.scrapeConfigs = scrapeConfigs
            self.filterTargets = filterTargets
            self.collectors = collectors
            self.leaseTimeToLive = leaseTimeToLive
            self.leaseRenewInterval = leaseRenewInterval
            self.address = address
            self.ownsDatabase = ownsDatabase
            self.retention = retention
            self.standbyDiscovery = standbyDiscovery
            self.dayFiles = dayFiles
            self.onDatabaseOutage = onDatabaseOutage
        }
    }

    private let settings: Settings
    private let reload: ConfigurationReload?
    private let postgres: PostgresConfiguration
    private let publisher: SnapshotPublisher
    private let intake: DiscoveryIntake
    private let isDiscovering: Bool
    private let folder: OutageFolder?
    private let replica: UUID128
    private let logger: Logger

    /// - Parameters:
    ///   - reload: Nil: the configuration stays as it is.
    ///   - isDiscovering: Whether `intake` runs already, with these settings. Else it is run once the ledger is loaded:
    ///     what is recorded is served first.
    ///   - folder: Where the last state and the journal of an outage are kept; nil: neither is.
    ///   - replica: Names this process in the ledger.
    package init(
        settings: Settings, reload: ConfigurationReload? = nil, postgres: PostgresConfiguration,
        publisher: SnapshotPublisher, intake: DiscoveryIntake, isDiscovering: Bool, folder: OutageFolder? = nil,
        replica: UUID128 = .random(), logger: Logger
    ) {
        self.settings = settings
        self.reload = reload
        self.postgres = postgres
        self.publisher = publisher
        self.intake = intake
        self.isDiscovering = isDiscovering
        self.folder = folder
        self.replica = replica
        self.logger = logger
    }

    /// Runs until graceful shutdown, then gives the lease up at once.
    ///
    /// - Throws: What no waiting can mend: a configuration that does not compile, a ledger of a newer version.
    package func run() async throws {
        let configuration = ConfigurationInForce(WalkSettings(settings))
        let tail = LedgerTail(configuration: postgres, replica: replica, logger: logger)
        let view = ReplicaView(
            id: replica, address: settings.address, publisher: publisher, tail: tail, configuration: configuration)
        publisher.show(view)
        let certainty = RecordingCertainty()
        let lease = LeaseKeeper(
            configuration: postgres, timeToLive: settings.leaseTimeToLive, renewInterval: settings.leaseRenewInterval,
            holder: replica, address: settings.address, status: { view.report },
            isRecording: { certainty.holds(now: .now) }, logger: logger)
        let collectors = CollectorFeed(settings.collectors, watcher: intake.watcher, logger: logger)
        let walk = try AllocationWalk(
            settings: WalkSettings(settings), table: intake.table, publisher: publisher,
            writer: LedgerWriter(configuration: postgres, table: intake.table, logger: logger), tail: tail,
            outage: WalkOutage(
                policy: OutagePolicy(
                    mode: folder == nil ? .hold : settings.onDatabaseOutage, leaseTimeToLive: settings.leaseTimeToLive),
                folder: folder, holder: replica, beginTerm: { await lease.beginTerm(above: $0) }),
            discovery: intake.manager, inForce: configuration, certainty: certainty,
            isTrusted: { lease.isTrusted($0) }, lastRenewal: { lease.lastRenewal }, endTerm: { lease.fenced($0) },
            logger: logger)

        try await keepingState {
            do {
                try await cancelWhenGracefulShutdown {
                    await walk.openOutageFiles()
                    let isOpen = try await open(walk, unlessServing: true)
                    try await feed(walk, lease: lease, tail: tail, collectors: collectors, isOpen: isOpen)
                }
            } catch is CancellationError {
                // Asked to stop.
            }
            // Unstructured: this task is cancelled by now, and giving up the lease must still reach the database.
            await Task { await lease.release() }.value
            publisher.update { if case .leading = $0.role { $0.role = .following(leader: nil) } }
        }
    }

    /// Does it while the state is kept on the disk, if that is wanted.
    private func keepingState(_ body: @Sendable @escaping () async throws -> Void) async throws {
        guard let folder else { return try await body() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            let keepsTerm = settings.onDatabaseOutage == .proceed
            group.addTask { [publisher, logger] in
                await StateKeeper(folder: folder, publisher: publisher, keepsTerm: keepsTerm, logger: logger).run()
            }
            group.addTask { try await body() }
            try await group.next()
            group.cancelAll()
            try await group.waitForAll()
        }
    }

    /// Migrates and loads; waits for a database that cannot be reached.
    ///
    /// - Parameter unlessServing: Whether to leave the rest for later once there is something to serve from the disk.
    /// - Returns: Whether all of it is done.
    private func open(_ walk: AllocationWalk, unlessServing: Bool = false) async throws -> Bool {
        let fromDisk = { unlessServing ? await walk.startFromDisk() : false }
        guard
            try await untilPossible(or: fromDisk, { _ = try await Migrator.migrate(postgres, logger: logger) }),
            try await untilPossible(or: fromDisk, { try await walk.start() })
        else { return false }
        if settings.ownsDatabase {
            _ = try await untilPossible { try await LeaseKeeper.expireAbandoned(postgres, logger: logger) }
        }
        return true
    }

    /// Does it again and again while it fails by something that time can mend. A reason is logged once.
    ///
    /// - Parameter instead: Asked after a failure; true: there is something else to go on with.
    /// - Returns: Whether it was done.
    private func untilPossible(
        or instead: () async -> Bool = { false }, _ body: () async throws -> Void
    ) async throws -> Bool {
        var pause = Duration.milliseconds(100)
        var told = ""
        while true {
            do {
                try await body()
                return true
            } catch let error as LedgerError where error.isRetryable {
                let reason = "\(postgres.redactedDescription): \(error)"
                let hasState = publisher.current != nil
                publisher.update {
                    if !hasState { $0.reasonsNotReady = ["the ledger cannot be opened: \(reason)"] }
                    $0.becomeStale(because: reason)
                }
                if reason != told {
                    logger.error("the ledger cannot be opened; trying again", metadata: ["error": "\(reason)"])
                }
                told = reason
                if await instead() { return false }
            }
            try await Task.sleep(for: pause)
            pause = min(pause * 2, .seconds(5))
        }
    }

    /// Hands every event to the walk, one at a time.
    ///
    /// - Parameter isOpen: Whether the database has been opened. Else that goes on beside.
    private func feed(
        _ walk: AllocationWalk, lease: LeaseKeeper, tail: LedgerTail, collectors: CollectorFeed, isOpen: Bool
    ) async throws {
        let events = AsyncChannel<WalkEvent>()
        let gate = DiscoveryGate(settings.standbyDiscovery)
        try await withThrowingTaskGroup(of: Void.self) { group in
            if !isDiscovering {
                await intake.apply(settings)
                group.addTask {
                    try await gate.wait()
                    try await intake.manager.run()
                }
            }
            group.addTask { try await collectors.run { await events.send(.collectors($0)) } }
            if let reload {
                group.addTask { [logger] in
                    await reload.watch(intake.watcher, logger: logger) { loaded, report in
                        let settings = try? loaded.get()
                        await events.send(
                            .configuration(.init(settings: settings.map { WalkSettings($0) }, report: report)))
                        if let settings { await collectors.use(settings.collectors) }
                    }
                    try Task.checkCancellation()
                }
            }
            let keeper = RetentionKeeper(
                configuration: postgres, retention: settings.retention, files: settings.dayFiles,
                recorder: WalkRecorder { await events.send($0) },
                token: { lease.trustedToken }, logger: logger)
            group.addTask { try await keeper.run() }
            group.addTask {
                if !isOpen { _ = try await open(walk) }
                try await lease.run()
            }
            group.addTask {
                for await transition in lease.transitions {
                    switch transition {
                    case .leading: gate.open()
                    // What is still under way in that term, perhaps on a session that is dead and does not say so, would
                    // only keep this process from following the next one.
                    case .lost: await walk.writer.close()
                    case .waiting, .unavailable, .recovered: break
                    }
                    await events.send(.lease(transition))
                }
            }
            group.addTask { try await tail.run() }
            group.addTask { for await _ in tail.leaseReleases { await lease.askNow() } }
            group.addTask { for await _ in tail.looks { await events.send(.look) } }
            group.addTask { while true { await events.send(.discovery(try await intake.manager.nextBatch())) } }
            group.addTask {
                for await _ in AsyncTimerSequence.repeating(every: .seconds(1)) { await events.send(.tick) }
            }
            group.addTask { await takeSnapshots(lease) }
            group.addTask { for await event in events { try await walk.take(event) } }
            // None of these ends by itself; the first that fails ends all.
            try await group.next()
            group.cancelAll()
        }
    }

    /// Beside the walk, while this process leads; until cancelled.
    private func takeSnapshots(_ lease: LeaseKeeper) async {
        let keeper = SnapshotKeeper(configuration: postgres, logger: logger)
        for await _ in AsyncTimerSequence.repeating(every: .seconds(60)) {
            if let token = lease.trustedToken { await keeper.takeIfDue(fencedBy: token) }
        }
        await keeper.close()
    }
}

extension WalkSettings {
    init(_ settings: AllocatorService.Settings) {
        self.init(
            strategy: settings.strategy, scrapeConfigs: settings.scrapeConfigs, filterTargets: settings.filterTargets)
    }
}
