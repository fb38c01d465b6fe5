//
// Replica+Walk.swift: what AllocationWalk does: an input becomes a change, the change a revision, the revision what is
// served.
//

import AllocationCore
import PostgresDriver

@testable import AllocationLedger
@testable import AllocatorRuntime

extension Replica {
    func walk() async throws {
        openDisk()
        if let kept = disk.kept, proceeds { served.take(kept.head) }
        var pause = Duration.milliseconds(100)
        while true {
            do {
                try await open()
                break
            } catch let failure as AppendFailure {
                if failure.fault == .died { throw Fault.died }
                if startFromDisk() { break }
            }
            try await process.sleep(pause)
            pause = min(pause * 2, .seconds(5))
        }
        while true { try await take(next()) }
    }

    /// As AllocationWalk.start.
    private func open() async throws {
        if try await isJournalUntouched(), startFromDisk() { return }
        do { try await load() } catch let failure as AppendFailure where failure.kind == .lasting {
            // The database has lost what was served: the next term repairs it.
            _ = startFromDisk()
        }
    }

    // MARK: Inputs

    private func take(_ input: WalkInput) async throws {
        switch input {
        case .waiting:
            isWaiting = true
            outage.policy.otherLeads(epoch: nil)
            outage.isAlone = false
        case .lost:
            note("loses the lease")
            token = nil
            isWaiting = true
            outage.policy.failed(now: process.now)
        case .leaseRecovered(let outage):
            try await step { token in
                guard !self.gap.isOpen, let head = self.head else { return }
                guard self.publishedJournal == nil else {
                    return self.gap.failed(certainUntil: outage.from, because: outage.reason)
                }
                try await self.recordGap(
                    self.gap.gap(from: max(outage.from, head.at), to: outage.to, because: outage.reason), token)
                self.outage.policy.recorded()
            }
        case .leading(let granted):
            note("leads in epoch \(granted.epoch)")
            token = granted
            gap.leads()
            isWaiting = false
            outage.lastToken = granted
            outage.policy.leads(epoch: granted.epoch)
            try await step { try await self.beginTerm($0) }
        case .discovery(let batch):
            batchIsTaken()
            guard token != nil || outage.isAlone else { return }
            try await step { try await self.take(batch, $0) }
        case .collectors: try await step { try await self.takeCollectors($0) }
        case .tick:
            if !outage.policy.isJournalling {
                try await step {
                    try await self.takeRequests($0)
                    try await self.settleOwnRequest()
                }
            }
            if token == nil {
                try await goOnAlone()
                do { try await askToState() } catch let failure as AppendFailure {
                    if failure.fault == .died { throw Fault.died }
                }
            }
        case .look:
            if token == nil { try await follow() }
        }
    }

    /// As AllocationWalk.step.
    private func step(_ body: (FencingToken) async throws -> Void) async throws {
        guard let token, !journalsNow() || process.now >= outage.probesAt else {
            return journalsNow() ? try await journalStep(body) : ()
        }
        do {
            if journalsNow(), try await !isRecordable(token) {
                return journalsNow() ? try await journalStep(body) : ()
            }
            if needsLoad { try await beginTerm(token) }
            try await body(token)
            try await closeGap(token)
            certainty.ended()
        } catch let failure as AppendFailure {
            if failure.fault == .died { throw Fault.died }
            needsLoad = true
            note("a step fails: \(failure)")
            noteFailure(failure)
            if case .fenced = failure.kind {
                self.token = nil
                endTerm(token)
            }
        }
    }

    func noteFailure(_ failure: AppendFailure) {
        guard failure.kind == .passing else { return }
        outage.policy.failed(now: process.now)
        certainty.failed()
        gap.failed(certainUntil: [head?.at, lastRenewal].compactMap(\.self).max(), because: "\(failure)")
    }

    private func beginTerm(_ token: FencingToken) async throws {
        try await recover(token)
        try await reachHead()
        try await recordTermStart(token)
        try await recordConfiguration(token)
        try await takeCollectors(token)
        requestFullHandOver()
    }

    func recordTermStart(_ token: FencingToken) async throws {
        guard let head, head.epoch != token.epoch else { return }
        let (row, mayHaveLost) = try await termStart(token)
        if mayHaveLost { return try await repair(nil, token) }
        try await recordStart(row, token)
    }

    func recordStart(_ row: TermRow, _ token: FencingToken) async throws {
        let start = start(of: row)
        gap.beganTerm(at: start.acquiredAt)
        try await appendUnchanged(.termStart, start.detail, gaps: [start.gap].compactMap(\.self), token)
    }

    func start(of row: TermRow) -> TermStart {
        var start = TermStart(
            epoch: row.epoch, address: row.address, acquiredAt: row.acquiredAt, gap: nil, certainUntil: row.certainUntil
        )
        if let until = row.recordedUntil, until < row.acquiredAt {
            start.gap = Gap(from: until, to: row.acquiredAt, cause: row.gapCause ?? .crashed, detail: "before")
        }
        return start
    }

    /// As LedgerWriter.termStart: the term, and whether the server may lack what that of the tip had.
    func termStart(_ token: FencingToken) async throws -> (TermRow, mayHaveLost: Bool) {
        guard case .term(let row?, let writer) = try await ask(.termStart(token.epoch)) else {
            throw AppendFailure(.lasting, "there is no row of term \(token.epoch)")
        }
        guard let writer, !mutations.contains(.reusesNumbers) else { return (row, false) }
        return (
            row,
            ForkRepair.mayHaveLost(
                before: .init(systemIdentifier: 1, timeline: Int32(writer.timeline)),
                now: .init(systemIdentifier: 1, timeline: Int32(row.timeline)))
        )
    }

    func recordGap(_ gap: Gap?, _ token: FencingToken) async throws {
        guard let gap else { return }
        try await appendUnchanged(.outageRecovered, gap.statement, gaps: [gap], token)
    }

    private func closeGap(_ token: FencingToken) async throws {
        guard gap.isOpen else { return }
        let open = gap
        do {
            guard case .clock(let now) = try await ask(.clock) else { return }
            try await recordGap(gap.ended(at: now), token)
        } catch {
            gap = open
            throw error
        }
    }

    func recordConfiguration(_ token: FencingToken) async throws {
        guard head != nil || sight.collectors != nil else { return }
        let change = state.apply(configuredJobs: Set(Truth.jobs))
        guard !change.isEmpty || head == nil else { return }
        if head == nil, try await leaveNumbersOut(token) { return }
        try await append(change, head == nil ? .bootstrap : .configuration, "configuration", token)
    }

    func takeCollectors(_ token: FencingToken) async throws {
        guard let present = sight.collectors else { return }
        if head == nil { try await recordConfiguration(token) }
        guard head != nil else { return }
        let change = state.apply(
            collectors: present.sorted().map { Collector(name: $0) }, isSynchronised: true, evidence: "the watch")
        guard !change.isEmpty else { return }
        try await append(change, .membership, "the watch", token)
    }

    private func take(_ batch: DiscoveredPlaces, _ token: FencingToken) async throws {
        guard head != nil else {
            try await recordConfiguration(token)
            return requestFullHandOver()
        }
        guard batch.handOver >= handOver || mutations.contains(.takesOldBatches) else { return }
        let places = batch.groups.keys.sorted()
        var updates: [JobUpdate] = []
        for job in Truth.jobs {
            let sources = places.filter { $0.job == job }.map { place in
                SourceUpdate(
                    key: SourceKey(provider: "p", source: place.source), targets: batch.groups[place] ?? [])
            }
            let isSynchronised = batch.synchronisedJobs.contains(job) || mutations.contains(.removesBeforeSynchronised)
            updates.append(JobUpdate(job: job, sources: sources, isSynchronised: isSynchronised))
        }
        let change = state.apply(discovery: updates)
        if !change.isEmpty { try await append(change, .discovery, "discovery", token) }
    }

    // MARK: Appending

    private func append(
        _ change: AllocationChange, _ cause: Cause, _ detail: String, _ token: FencingToken
    ) async throws {
        let committed = try await commit(draft(change, cause, detail, []), token)
        guard committed != head else { return publishJournalled(change) }
        head = committed
        publish(change)
    }

    private func appendUnchanged(_ cause: Cause, _ detail: String, gaps: [Gap], _ token: FencingToken) async throws {
        let change = AllocationChange(placement: state.placement)
        head = try await commit(draft(change, cause, detail, gaps), token)
        if let head, let published, published.revision.number + 1 == head.revision.number {
            publish(change)
        } else {
            needsLoad = true
        }
    }

    func draft(_ change: AllocationChange, _ cause: Cause, _ detail: String, _ gaps: [Gap]) -> SimulatedDraft {
        let changeID = UUID128(high: simulation.bits(), low: simulation.bits())
        return SimulatedDraft(changeID: changeID, change: change, cause: cause, detail: detail, gaps: gaps)
    }

    /// As AllocationWalk.publish: a revision that follows the one that is served changes what is served by its change.
    func publish(_ change: AllocationChange) {
        guard let head else { return }
        if let snapshot, snapshot.head.revision.number + 1 == head.revision.number {
            serve(snapshot.advanced(by: change, state: state, head: head))
        } else {
            publishWhole()
        }
    }

    func publishJournalled(_ change: AllocationChange) {
        guard let snapshot else { return }
        serve(snapshot.advanced(by: change, state: state, head: snapshot.head, journal: outage.journal?.position))
    }

    func publishWhole(journal: JournalPosition? = nil) {
        guard let head else { return }
        serve(
            AllocationSnapshot(
                state: state, head: head, journal: journal, scrapeConfigs: Self.scrapeConfigs, after: snapshot))
    }

    private static let scrapeConfigs = ScrapeConfigDocument(redacted: [], clear: nil)

    func serve(_ snapshot: AllocationSnapshot) {
        guard process.isAlive else { return }
        self.snapshot = snapshot
        publishedState = state
        let head = snapshot.head
        if snapshot.journal == nil {
            served.take(head)
            // As StateKeeper: now and then, and nobody waits for it.
            if proceeds, simulation.chance(0.3) {
                cluster.keep(head, state, ledTerm: outage.lastToken?.epoch == head.epoch ? head.epoch : nil, by: self)
            }
        }
        cluster.oracle.published(snapshot, by: self)
    }

    // MARK: Loading

    /// As LedgerWriter.load and AllocationWalk.load.
    func load() async throws {
        try await requireNothingLost()
        guard case .tables(let tables) = try await ask(.load) else { return }
        outage.pending = nil
        outage.mayLackStatements = true
        state = makeState(of: tables)
        head = tables.head
        writerHead = tables.head
        pending = nil
        needsLoad = false
        tail.loaded(FollowerLog.Tip(head), now: process.now)
        note("loads revision \(head?.revision.number ?? 0)")
        publishWhole()
    }

    func makeState(of tables: LedgerTables) -> AllocationState {
        var loader = AllocationLoader(table: cluster.truth.table, strategy: Self.strategy)
        var numbers: [String: CollectorNumber] = [:]
        for name in tables.collectors.sorted() {
            numbers[name] = loader.addCollector(Collector(name: name), isPresent: true)
        }
        var jobs: [String: JobNumber] = [:]
        for (place, row) in tables.targets.sorted(by: { $0.key < $1.key }) {
            let job = jobs[place.job] ?? loader.addJob(place.job)
            jobs[place.job] = job
            if let name = row.collector, numbers[name] == nil {
                numbers[name] = loader.addCollector(Collector(name: name), isPresent: false)
            }
            loader.addTarget(
                job: job, identity: place.identity, labels: row.labels, address: row.address,
                collector: row.collector.flatMap { numbers[$0] })
        }
        return loader.finish()
    }

    func currentHead() async throws -> LedgerHead? {
        guard case .head(_, let head, _) = try await ask(.head) else { return nil }
        return head
    }
}
