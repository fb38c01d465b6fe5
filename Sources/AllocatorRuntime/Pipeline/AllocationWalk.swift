//
// AllocationWalk.swift: the one-way walk of a change: relabel → allocate → record → publish.
//
// One event at a time. While this process leads, an input becomes a change, the change a revision, the revision the
// next snapshot, in this order; nothing is published that is not committed. While it does not lead, inputs are let go
// and asked for again later, and the same state is advanced by what the leader records (AllocationWalk+Following.swift).
//

import AllocationCore
import AllocationLedger
import CoreMetrics
import Discovery
import Logging
import PostgresDriver
import PrometheusConfig

/// What the walk needs to know of its process.
struct WalkSettings: Sendable {
    var strategy: StrategyConfiguration
    var scrapeConfigs: [ScrapeConfig]
    var filterTargets: Bool
    /// Reports of unchanged rounds are written together, at most this often.
    var reportInterval: Duration = .seconds(5)
}

/// The leader's work, and a follower's.
///
/// Invariant: `state` equals the ledger at `head`, except between a change and the end of its append; an append that
/// ends without a known outcome leaves `needsLoad` set, and nothing happens before the state is loaded again.
actor AllocationWalk {
    var settings: WalkSettings
    let table: LabelTable
    let publisher: SnapshotPublisher
    let writer: LedgerWriter
    let tail: LedgerTail
    let discovery: DiscoveryManager
    private let inForce: ConfigurationInForce
    let certainty: RecordingCertainty
    let isTrusted: @Sendable (FencingToken) -> Bool
    private let lastRenewal: @Sendable () -> Timestamp?
    private let endTerm: @Sendable (FencingToken) -> Void
    var configuration: ConfigurationDocument
    private var pipeline: JobPipeline
    private let metrics = WalkMetrics()
    let logger: Logger

    var state: AllocationState
    var head: LedgerHead?
    var recordedConfiguration: ConfigurationRecord?
    var recordedPlacement: Placement?
    var needsLoad = true
    var token: FencingToken?
    private var collectors: CollectorSet?
    var reports: [DiscoveryReportDraft] = []
    var reportsSentAt = ContinuousClock.now
    /// The last result of each provider, of those that came while nothing could be recorded. Groups are handed over
    /// again; results are not.
    var keptReports: [ProviderID: DiscoveryReport] = [:]
    /// A time of this term in which nothing could be recorded.
    var gap = RecordingGap()
    /// Since when discovery hands over what this state is made of. A batch from before it lacks what did not change then.
    var handOver = 0
    /// What the last step failed by; nil after one that went well.
    private var fault: String?
    var following = Following()
    /// For times without the database.
    var outage: WalkOutage

    init(
        settings: WalkSettings, table: LabelTable, publisher: SnapshotPublisher, writer: LedgerWriter, tail: LedgerTail,
        outage: WalkOutage, discovery: DiscoveryManager, inForce: ConfigurationInForce,
        certainty: RecordingCertainty, isTrusted: @escaping @Sendable (FencingToken) -> Bool,
        lastRenewal: @escaping @Sendable () -> Timestamp?, endTerm: @escaping @Sendable (FencingToken) -> Void,
        logger: Logger
    ) throws {
        self.settings = settings
        self.table = table
        self.publisher = publisher
        self.writer = writer
        self.tail = tail
        self.outage = outage
        self.discovery = discovery
        self.inForce = inForce
        self.certainty = certainty
        self.isTrusted = isTrusted
        self.lastRenewal = lastRenewal
        self.endTerm = endTerm
        self.logger = logger
        configuration = ConfigurationDocument(settings)
        pipeline = try JobPipeline(
            scrapeConfigs: settings.scrapeConfigs, filterTargets: settings.filterTargets, table: table)
        state = AllocationState(table: table, strategy: settings.strategy)
    }

    // MARK: Events

    /// Loads and serves what the ledger holds. Called once before any event, so that a restart answers at once.
    ///
    /// - Throws: ``LedgerError``; the caller decides whether to try again.
    func start() async throws {
        // What a journal holds beyond the ledger was served: it stays so until it is recorded.
        guard publisher.current?.journal == nil else { return }
        if try await isJournalUntouched(), await startFromDisk() { return }
        do {
            try await load(mayBeReadOnly: true)
        } catch LedgerError.forked(let reason) {
            // The next term repairs it.
            logger.error("serving what is kept on the disk", metadata: ["reason": "\(reason)"])
            _ = await startFromDisk()
            publisher.update { $0.becomeStale(because: reason) }
        }
    }

    /// Takes one event. Faults of the database are held against it until they pass; others end the walk.
    func take(_ event: WalkEvent) async throws {
        switch event {
        case .lease(let transition): try await take(transition)
        case .collectors(let set):
            collectors = set
            try await step { try await self.takeCollectors($0) }
        case .configuration(let reloaded): try await take(reloaded)
        case .operation(let operation): try await take(operation)
        case .discovery(let batch):
            // Without the lease nothing can be recorded; all of it is asked for again when this process leads.
            guard token != nil || outage.isAlone else { return letGo(batch) }
            try await step { try await self.take(batch, $0) }
        case .tick:
            try await step {
                if self.head != nil { self.addKept() }
                try await self.sendReports($0)
                try await self.rebalance($0)
                try await self.settleOwnRequest()
            }
            if token == nil {
                try await goOnAlone()
                await askToState()
            }
        case .look:
            if token == nil { await follow() }
        }
    }

    private func take(_ transition: LeaseTransition) async throws {
        if case .unavailable = transition {
            following.isLeaseUnavailable = true
        } else {
            following.isLeaseUnavailable = false
        }
        switch transition {
        case .waiting(let holder):
            outage.policy.otherLeads(epoch: nil)
            outage.isAlone = false
            publisher.update { $0.role = .following(leader: holder) }
            logger.notice("following; another process leads", metadata: ["leader": "\(holder)"])
        case .lost(let reason):
            token = nil
            outage.policy.failed(now: .now)
            publisher.update {
                $0.role = .following(leader: nil)
                $0.becomeStale(because: reason)
            }
            logger.warning(
                "the lease is lost; nothing is recorded until it is held again", metadata: ["reason": "\(reason)"])
        case .unavailable(let reason):
            publisher.update {
                $0.becomeStale(because: reason)
                if $0.role == .starting { $0.role = .following(leader: nil) }
            }
        case .recovered(let outage):
            try await step { token in
                // A fault of the walk's own says the same. Until the last revision recording was certain.
                guard !self.gap.isOpen, let head = self.head else { return }
                guard self.publisher.current?.journal == nil else {
                    return self.gap.failed(certainUntil: outage.from, because: outage.reason)
                }
                try await self.recordGap(
                    self.gap.gap(from: max(outage.from, head.at), to: outage.to, because: outage.reason), token)
                self.outage.policy.recorded()
            }
        case .leading(let granted):
            token = granted
            gap.leads()
            outage.lastToken = granted
            outage.policy.leads(epoch: granted.epoch)
            publisher.update { $0.role = .leading(epoch: granted.epoch) }
            logger.notice("holding the lease", metadata: ["epoch": "\(granted.epoch)"])
            try await step { try await self.beginTerm($0) }
        }
    }

    /// A valid file is in force from here on, and recorded as soon as something can be; an invalid one is recorded as
    /// such.
    private func take(_ reloaded: ReloadedConfiguration) async throws {
        reports.append(reloaded.report)
        metrics.lastReloadSuccessful.record(reloaded.settings == nil ? 0 : 1)
        guard let next = reloaded.settings else {
            metrics.reloadFailures.increment()
            return
        }
        pipeline = try JobPipeline(
            scrapeConfigs: next.scrapeConfigs, filterTargets: next.filterTargets, table: table)
        let before = settings
        settings = next
        configuration = ConfigurationDocument(next)
        inForce.replace(configuration.record.digest)
        following.synchronisedJobs.formIntersection(next.scrapeConfigs.map(\.jobName))
        await discovery.apply(next.scrapeConfigs.map { JobDiscovery($0) })
        try await step { try await self.recordConfiguration($0) }
        // What was relabelled by other rules is looked at again; a job's own discovery went on.
        let known = Dictionary(before.scrapeConfigs.map { ($0.jobName, $0) }, uniquingKeysWith: { first, _ in first })
        for job in next.scrapeConfigs where known[job.jobName] != job || before.filterTargets != next.filterTargets {
            await discovery.requestHandOver(of: job.jobName)
        }
    }

    // MARK: Steps

    /// Runs one step as the leader. Errors that time can mend are logged, and the state is loaded again before the
    /// next step; the last good snapshot stays.
    func step(_ body: (FencingToken) async throws -> Void) async throws {
        guard let token, !journalsNow() || .now >= outage.probesAt else {
            return journalsNow() ? try await journalStep(body) : ()
        }
        do {
            if journalsNow(), try await !isRecordable(token) {
                // Once another state has been loaded the journal does not continue it; what came is asked for again.
                return journalsNow() ? try await journalStep(body) : ()
            }
            if needsLoad { try await beginTerm(token) }
            try await body(token)
            try await closeGap(token)
            certainty.ended()
            let hasState = head != nil
            publisher.update {
                $0.staleness = nil
                if hasState { $0.reasonsNotReady = [] }
            }
            if fault != nil { logger.notice("changes can be recorded again") }
            fault = nil
        } catch let error as LedgerError {
            needsLoad = true
            note(error, "nothing can be recorded; the last revision stays served")
            if case .fenced(let token) = error {
                self.token = nil
                endTerm(token)
            }
        }
    }

    /// Tells of a fault, once for as long as it stays the same.
    func note(_ error: LedgerError, _ message: Logger.Message) {
        let text = "\(error)"
        if error.isRetryable {
            outage.policy.failed(now: .now)
            certainty.failed()
            let certain = [head?.at, lastRenewal()].compactMap(\.self).max()
            gap.failed(certainUntil: certain, because: text)
        }
        publisher.update { $0.becomeStale(because: text) }
        guard fault != text else { return }
        fault = text
        logger.error(message, metadata: ["error": "\(text)"])
    }

    /// What a new term starts with: the ledger as it is now, this configuration, the collectors, and all discovery has.
    private func beginTerm(_ token: FencingToken) async throws {
        try await recover(token)
        try await reachHead()
        try await recordTermStart(token)
        try await recordConfiguration(token)
        try await takeCollectors(token)
        handOver = await discovery.requestFullHandOver()
    }

    func recordConfiguration(_ token: FencingToken) async throws {
        let isNew = recordedConfiguration?.digest != configuration.record.digest
        // A first revision claims what there is; it waits for the collectors, so that it does not claim there are none.
        guard head != nil || collectors?.isSynchronised == true else { return }
        var change = state.apply(configuredJobs: Set(settings.scrapeConfigs.map(\.jobName)))
        let isRecorded = head == nil ? try await leaveNumbersOut(with: change, token) : false
        if !isRecorded, !change.isEmpty || isNew || head == nil {
            try await append(
                change, head == nil ? .bootstrap : .configuration,
                detail: head == nil ? "first revision" : "configuration \(configuration.record.digest.shortText)",
                configuration: isNew ? configuration.record : nil, token)
        }
        if let recorded = recordedPlacement, !recorded.isMade(by: settings.strategy) {
            change = state.apply(strategy: settings.strategy, replacing: recorded)
            try await append(
                change, .strategy,
                detail: "\(recorded.name) → \(settings.strategy.description)", token)
        }
        publishIfSame()
    }

    func takeCollectors(_ token: FencingToken) async throws {
        guard let collectors else { return }
        if head == nil { try await recordConfiguration(token) }
        guard head != nil else { return }
        let change = metrics.timeToAllocate(method: "SetCollectors", strategy: state.strategy.name) {
            state.apply(
                collectors: collectors.collectors, isSynchronised: collectors.isSynchronised,
                evidence: collectors.evidence)
        }
        guard !change.isEmpty else { return }
        try await append(change, .membership, detail: collectors.evidence, token)
    }

    /// A strategy whose settings bound what one revision may move goes on where it stopped.
    private func rebalance(_ token: FencingToken) async throws {
        guard head != nil, collectors?.isSynchronised == true, state.isUneven else { return }
        let change = state.rebalance()
        guard !change.isEmpty else { return }
        try await append(change, .strategy, detail: "\(state.strategy.description) evens out the load", token)
    }

    private func take(_ batch: DiscoveryBatch, _ token: FencingToken) async throws {
        guard head != nil else {
            // The first revision waits for the collectors; discovery hands everything over again after it.
            keep(batch.reports)
            try await recordConfiguration(token)
            handOver = await discovery.requestFullHandOver()
            return
        }
        // All of it comes again, with the rest.
        guard batch.handOver >= handOver else { return keep(batch.reports) }
        let started = ContinuousClock.now
        let (change, dropped) = await allocate(batch)
        metrics.processTargets.record(started.duration(to: .now))
        if outage.policy.isJournalling {
            keep(batch.reports)
        } else {
            for report in batch.reports { keptReports[report.provider] = nil }
            addKept(change, dropped)
            add(batch.reports, change, dropped)
        }
        if change.isEmpty {
            publishIfSame()
            try await sendReports(token)
        } else {
            try await append(change, .discovery, detail: detail(of: batch), token)
        }
    }

    /// Relabels, identifies and allocates a batch; the first two on all cores, while what is ready is allocated here.
    private func allocate(_ batch: DiscoveryBatch) async -> (AllocationChange, dropped: [String: Int]) {
        let jobs = batch.jobs.filter { pipeline.has(job: $0.key) }
            .sorted { ByteOrder.precedes($0.key, $1.key) }
        var pieces: [JobPipeline.Piece] = []
        pieces.reserveCapacity(jobs.reduce(0) { $0 + $1.value.changed.count })
        for (job, delta) in jobs {
            for (key, group) in delta.changed { pieces.append(JobPipeline.Piece(job: job, key: key, group: group)) }
        }
        state.beginDiscovery()
        let dropped = await pipeline.run(pieces) { state.add($0) }
        for (job, delta) in jobs where delta.isSynchronised {
            state.add(JobUpdate(job: job, sources: [], isSynchronised: true))
        }
        let change = metrics.timeToAllocate(method: "SetTargets", strategy: state.strategy.name) {
            state.finishDiscovery()
        }
        return (change, dropped)
    }

    private func detail(of batch: DiscoveryBatch) -> String {
        let names = batch.jobs.filter { !$0.value.changed.isEmpty }.keys.sorted(by: ByteOrder.precedes)
        let shown = names.prefix(5).joined(separator: ", ")
        return names.count > 5 ? "\(shown) and \(names.count - 5) more jobs" : shown
    }
}
