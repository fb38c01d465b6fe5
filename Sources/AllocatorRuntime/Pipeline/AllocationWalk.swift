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
    private let isTrusted: @Sendable (FencingToken) -> Bool
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
    private var reports: [DiscoveryReportDraft] = []
    private var reportsSentAt = ContinuousClock.now
    /// The last result of each provider, of those that came while nothing could be recorded. Groups are handed over
    /// again; results are not.
    private var keptReports: [ProviderID: DiscoveryReport] = [:]
    /// A time of this term in which nothing could be recorded.
    var gap = RecordingGap()
    /// What the last step failed by; nil after one that went well.
    private var fault: String?
    var following = Following()
    /// For times without the database.
    var outage: WalkOutage

    init(
        settings: WalkSettings, table: LabelTable, publisher: SnapshotPublisher, writer: LedgerWriter, tail: LedgerTail,
        outage: WalkOutage, discovery: DiscoveryManager, inForce: ConfigurationInForce,
        isTrusted: @escaping @Sendable (FencingToken) -> Bool,
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
    private func note(_ error: LedgerError, _ message: Logger.Message) {
        let text = "\(error)"
        if error.isRetryable {
            outage.policy.failed(now: .now)
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
        await discovery.requestFullHandOver()
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
            await discovery.requestFullHandOver()
            return
        }
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

    private func append(
        _ change: AllocationChange, _ cause: Cause, detail: String, configuration: ConfigurationRecord? = nil,
        _ token: FencingToken
    ) async throws {
        let draft = RevisionDraft(
            changeID: .random(), change: change, cause: cause, causeDetail: detail, configuration: configuration,
            reports: reports)
        let committed = try await commit(draft, token)
        reports = []
        reportsSentAt = .now
        if let configuration { recordedConfiguration = configuration }
        recordedPlacement = change.placement
        guard committed.head != head else { return publishJournalled(change) }
        head = committed.head
        publish(change)
        logger.info(
            "revision recorded",
            metadata: [
                "revision": "\(committed.head.revision.number)", "cause": "\(cause.rawValue)", "detail": "\(detail)",
                "targets": "\(change.targets.count)", "collectors": "\(change.collectors.count)",
            ])
    }

    /// Appends, again and again while the fault is one that passes and the lease can still be trusted. The change id
    /// stays the same, so a commit whose outcome was unknown is found instead of repeated.
    func commit(_ draft: RevisionDraft, _ token: FencingToken) async throws -> CommittedRevision {
        var retry = AppendRetry()
        // What states something about the ledger waits until it is there, and until what is served is in it.
        let isChange = draft.attachments.isEmpty && draft.cause != .termStart
        guard isChange || publisher.current?.journal == nil else {
            throw LedgerError.refused("what the journal holds is recorded first")
        }
        // Set before the attempt: whatever ends it early leaves the state ahead of the ledger.
        needsLoad = true
        if isChange { outage.pending = draft }
        while true {
            if isChange, journalsNow() {
                do { return try await journal(draft) } catch let error as OutageFolderError { hold(because: error) }
            }
            do {
                let committed = try await appendWhole(draft, token)
                needsLoad = false
                outage.pending = nil
                outage.policy.recorded()
                return committed
            } catch let error as LedgerError {
                let failure = AppendRetry.Failure(error)
                guard case .again(let pause) = retry.next(after: failure, isTrusted: isTrusted(token)) else {
                    throw error
                }
                note(error, "a change cannot be recorded and is tried again; the last revision stays served")
                // The grace period may be over.
                if isChange, outage.policy.mayJournal(now: .now), journalsNow() { continue }
                try await Task.sleep(for: pause)
            }
        }
    }

    /// How long a process that is asked to stop goes on with an append that has begun.
    private static let appendPatience = Duration.seconds(5)

    /// A process that is asked to stop finishes the append that it is at: what it has decided is recorded, and whoever
    /// leads next does not find it out again.
    private func appendWhole(_ draft: RevisionDraft, _ token: FencingToken) async throws -> CommittedRevision {
        // Unstructured: cancelling the walk must not cancel the append.
        let append = Task { [writer] in try await writer.append(draft, fencedBy: token) }
        return try await withTaskCancellationHandler {
            try await append.value
        } onCancel: {
            // Unstructured: a handler cannot wait.
            Task {
                try? await Task.sleep(for: Self.appendPatience)
                append.cancel()
            }
        }
    }

    // MARK: Loading and publishing

    func load(mayBeReadOnly: Bool = false) async throws {
        try await requireNothingLost(mayBeReadOnly: mayBeReadOnly)
        let started = ContinuousClock.now
        let loaded = try await writer.load(
            into: AllocationLoader(table: table, strategy: settings.strategy), mayBeReadOnly: mayBeReadOnly)
        if let current = publisher.current?.head, FollowerLog.Tip(current) != FollowerLog.Tip(loaded.head),
            current.revision.number >= loaded.head?.revision.number ?? 0
        {
            // Nothing that was served is taken back: whoever leads has to repair this.
            let fork = FollowerLog.Fork(applied: FollowerLog.Tip(current), head: FollowerLog.Tip(loaded.head))
            throw LedgerError.forked("\(fork)")
        }
        state = loaded.state
        head = loaded.head
        outage.pending = nil
        recordedConfiguration = loaded.configuration
        recordedPlacement = loaded.placement
        needsLoad = false
        tail.withLog { [head] in $0.loaded(FollowerLog.Tip(head), now: .now) }
        guard let head else {
            publisher.update {
                $0.reasonsNotReady = ["no state: the ledger is empty, and waits for collectors and the lease"]
            }
            return
        }
        publisher.publish(
            AllocationSnapshot(
                state: state, head: head, scrapeConfigs: servedConfiguration, pendingJobs: pendingJobs(),
                after: publisher.current))
        publisher.update { $0.reasonsNotReady = [] }
        logger.notice(
            "state loaded from the ledger",
            metadata: [
                "revision": "\(head.revision.number)", "targets": "\(state.targetCount)",
                "collectors": "\(state.collectorNames.count)", "seconds": "\(started.duration(to: .now).inSeconds)",
            ])
    }

    private func publish(_ change: AllocationChange) {
        guard let head else { return }
        let snapshot: AllocationSnapshot
        if let current = publisher.current, current.head.revision.number + 1 == head.revision.number {
            snapshot = current.advanced(
                by: change, state: state, head: head, scrapeConfigs: configuration.served, pendingJobs: pendingJobs())
        } else {
            snapshot = AllocationSnapshot(
                state: state, head: head, scrapeConfigs: configuration.served, pendingJobs: pendingJobs(),
                after: publisher.current)
        }
        publisher.publish(snapshot)
        publisher.update {
            $0.reasonsNotReady = []
            $0.staleness = nil
        }
    }

    /// A job that turned out to be empty, or a configuration whose secrets changed, makes no revision but another answer.
    func publishIfSame() {
        guard let current = publisher.current, current.head.digest == head?.digest,
            recordedConfiguration?.digest == configuration.record.digest
        else { return }
        let pending = pendingJobs()
        guard current.pendingJobs != pending || current.scrapeConfigs != configuration.served else { return }
        publisher.publish(current.with(scrapeConfigs: configuration.served, pendingJobs: pending))
    }

    /// The configuration as it is in force: this process's own where that is the one recorded.
    var servedConfiguration: ScrapeConfigDocument {
        recordedConfiguration?.digest == configuration.record.digest
            ? configuration.served
            : recordedConfiguration.flatMap(ConfigurationDocument.served) ?? configuration.served
    }

    /// Jobs whose discovery has not shown yet whether they have targets.
    func pendingJobs() -> Set<String> {
        let known = state.jobsKnownToBeComplete.union(following.synchronisedJobs)
        return Set(settings.scrapeConfigs.lazy.map(\.jobName).filter { !known.contains($0) })
    }

    // MARK: Reports

    func keep(_ found: [DiscoveryReport]) {
        for report in found { keptReports[report.provider] = report }
    }

    private func addKept(_ change: AllocationChange? = nil, _ dropped: [String: Int] = [:]) {
        guard !keptReports.isEmpty else { return }
        add(keptReports.values.sorted { $0.at < $1.at }, change, dropped)
        keptReports = [:]
    }

    private func add(_ found: [DiscoveryReport], _ change: AllocationChange?, _ dropped: [String: Int]) {
        var added: [JobNumber: Int] = [:]
        var removed: [JobNumber: Int] = [:]
        for target in change?.targets ?? [] {
            if target.before == nil { added[target.job, default: 0] += 1 }
            if target.after == nil { removed[target.job, default: 0] += 1 }
        }
        let numbers = Dictionary(
            (change?.jobs ?? []).enumerated().map { ($1, JobNumber(rawValue: Int32($0))) },
            uniquingKeysWith: { first, _ in first })
        for report in found {
            for job in report.jobs {
                let number = numbers[job]
                reports.append(
                    DiscoveryReportDraft(
                        job: job, report, added: number.flatMap { added[$0] } ?? 0,
                        removed: number.flatMap { removed[$0] } ?? 0, dropped: dropped[job] ?? 0))
            }
        }
    }

    private func sendReports(_ token: FencingToken) async throws {
        guard !reports.isEmpty, !outage.policy.isJournalling,
            reportsSentAt.duration(to: .now) >= settings.reportInterval
        else { return }
        try await writer.record(reports: reports, fencedBy: token)
        reports = []
        reportsSentAt = .now
    }

    private func detail(of batch: DiscoveryBatch) -> String {
        let names = batch.jobs.filter { !$0.value.changed.isEmpty }.keys.sorted(by: ByteOrder.precedes)
        let shown = names.prefix(5).joined(separator: ", ")
        return names.count > 5 ? "\(shown) and \(names.count - 5) more jobs" : shown
    }
}
