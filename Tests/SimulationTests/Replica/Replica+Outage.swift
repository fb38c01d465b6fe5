//
// Replica+Outage.swift: what the walk does around OutagePolicy and OutageJournal: on by itself while nothing can be
// recorded, and what becomes of it when something can be.
//

import AllocationCore
import PostgresDriver

@testable import AllocationLedger
@testable import AllocatorRuntime

/// What outlives the processes of one place.
final class SimulatedDisk {
    /// What is on the disk for certain; nil: no journal.
    var journal: [UInt8]?
    /// What was written behind it and may be lost by a crash.
    var unsynchronised: [UInt8] = []
    var kept: (head: LedgerHead, state: AllocationState, ledTerm: Int64?)?
    /// Journals that were put aside, by their tips.
    var archive: [(tip: String, journal: [UInt8])] = []
    var isFull = false

    /// The machine is gone: of what was not synchronised a beginning may be there.
    func crash(_ simulation: Simulation) {
        if !unsynchronised.isEmpty {
            journal? += unsynchronised.prefix(simulation.number(below: unsynchronised.count + 1))
        }
        unsynchronised = []
    }
}

/// As WalkOutage.
struct Outage {
    var policy: OutagePolicy
    var journal: OutageJournal?
    var contents: [Range<Int64>] = []
    /// A change that the state has, and that nothing has recorded.
    var pending: SimulatedDraft?
    var lastToken: FencingToken?
    var isAlone = false
    var losses = LostStatements()
    /// A statement that another process was asked to record.
    var asked: (id: UUID128, about: Digest32)?
    var mayLackStatements = true
    var probesAt: ContinuousClock.Instant
}

extension Replica {
    // MARK: On by itself

    var proceeds: Bool { cluster.plan.proceeds }

    /// As AllocationWalk.journalsNow.
    func journalsNow() -> Bool {
        guard proceeds, let head, outage.lastToken != nil,
            outage.journal.map({ $0.base.head.digest == head.digest }) ?? true
        else { return false }
        return token == nil ? outage.policy.mayJournal(now: process.now) : outage.policy.isJournalling
    }

    func journalStep(_ body: (FencingToken) async throws -> Void) async throws {
        guard let token = outage.lastToken else { return }
        do {
            try await beginJournal()
            try await body(token)
        } catch let failure as AppendFailure {
            if failure.fault == .died { throw Fault.died }
        } catch is DiskFull {
            hold()
        }
    }

    func hold() {
        note("cannot write its journal")
        outage.policy.journalFailed(because: "full")
        outage.isAlone = false
    }

    /// As AllocationWalk.isRecordable.
    func isRecordable(_ token: FencingToken) async throws -> Bool {
        if !mutations.contains(.trustsHalfRecovered) { needsLoad = true }
        let started = process.now
        do {
            try await recover(token)
            needsLoad = true
            return true
        } catch let failure as AppendFailure where failure.kind == .passing && failure.fault != .died {
            if !mutations.contains(.trustsHalfRecovered) { needsLoad = true }
            outage.probesAt = process.now + WalkOutage.pause(after: started.duration(to: process.now))
            certainty.failed()
            journalled(because: "\(failure)")
            return false
        }
    }

    /// As AllocationWalk.mayFollow.
    func mayFollow() async throws -> Bool {
        if outage.policy.isJournalling { return false }
        guard publishedJournal != nil else { return true }
        if try await isJournalUntouched() { return false }
        needsLoad = true
        return true
    }

    /// As AllocationWalk.isJournalUntouched.
    func isJournalUntouched() async throws -> Bool {
        guard let journal = outage.journal, !journal.entries.isEmpty,
            case .since(let since) = try await ask(.since(journal.base.head, journal.revisionsToRead)),
            case .append(let place) = journal.recovery(since, by: holder)
        else { return false }
        return place < journal.entries.count
    }

    func goOnAlone() async throws {
        guard token == nil, !outage.isAlone, journalsNow() else { return }
        outage.isAlone = true
        note("goes on without the database")
        try await journalStep { token in
            try await self.recordConfiguration(token)
            try await self.takeCollectors(token)
        }
        requestFullHandOver()
    }

    private func beginJournal(before draft: SimulatedDraft? = nil) async throws {
        guard outage.journal == nil, let head, let token = outage.lastToken, let published else { return }
        cluster.keep(published, publishedState, ledTerm: token.epoch, by: self)
        let base = OutageJournal.Base(
            head: head, holder: holder, beganAt: process.wallTime, reason: "the database cannot be reached")
        disk.journal = []
        try await write(JournalRecord.base(base).piece(after: .zero))
        outage.journal = OutageJournal(base: base)
        outage.contents = []
        guard let pending = outage.pending, pending.changeID != draft?.changeID else { return }
        _ = try await journal(pending)
        publishJournalled(pending.change)
    }

    /// It is on the disk when this returns.
    func journal(_ draft: SimulatedDraft) async throws -> LedgerHead {
        try await beginJournal(before: draft)
        guard var journal = outage.journal, let head, let token = outage.lastToken else {
            throw AppendFailure(.lasting, "there is no journal")
        }
        let content = RecordedContent(change: draft.change, configuration: nil).encoded(in: cluster.truth.table)
        let entry = journal.entry(
            changeID: draft.changeID, occurredAt: process.wallTime, cause: draft.cause.rawValue,
            causeDetail: draft.detail, counts: [0, 0, 0, 0], contentDigest: .hash(content))
        cluster.oracle.journalling(entry, draft.row(on: head, at: head.at, by: token), state, by: self)
        let piece = JournalRecord.entry(entry).piece(after: journal.tip, content: content)
        let end: Int64
        if mutations.contains(.servesBeforeSynchronised) {
            disk.unsynchronised += piece
            end = Int64((disk.journal?.count ?? 0) + disk.unsynchronised.count)
        } else {
            end = try await write(piece)
        }
        do { try journal.take(.entry(entry)) } catch { simulation.violate(.chain, "the journal refuses its own entry") }
        outage.journal = journal
        cluster.oracle.journalled(journal)
        outage.contents.append(end - Int64(content.count)..<end)
        outage.pending = nil
        journalled(because: journal.base.reason)
        note("journals entry \(entry.ordinal): \(draft.cause.rawValue), \(draft.change.targets.count) targets")
        return head
    }

    private func journalled(because reason: String) {
        if !mutations.contains(.countsJournalled) { gap.failed(certainUntil: head?.at, because: reason) }
    }

    struct DiskFull: Error {}

    @discardableResult
    private func write(_ piece: [UInt8]) async throws -> Int64 {
        guard !disk.isFull else { throw DiskFull() }
        disk.unsynchronised += piece
        do throws(Fault) {
            try await process.pause(simulation.seconds(0.0005...0.02))
        } catch { throw AppendFailure(error) }
        disk.journal? += disk.unsynchronised
        disk.unsynchronised = []
        return Int64(disk.journal?.count ?? 0)
    }

    // MARK: Starting

    /// As AllocationWalk.openOutageFiles.
    func openDisk() {
        guard proceeds, let bytes = disk.journal else { return }
        do {
            let scanner = try JournalScanner.scan(bytes)
            guard let journal = scanner.journal else { return disk.journal = nil }
            disk.journal = Array(bytes.prefix(Int(scanner.byteCount)))
            outage.journal = journal
            outage.contents = scanner.contents
            note("finds a journal with \(journal.entries.count) entries")
        } catch {
            simulation.violate(.chain, "a journal that nobody altered is refused: \(error)")
        }
    }

    /// As AllocationWalk.startFromDisk.
    func startFromDisk() -> Bool {
        guard proceeds, published == nil, let kept = disk.kept else { return false }
        head = kept.head
        state = kept.state
        state.forgetDiscovery()
        var position: JournalPosition?
        if let journal = outage.journal, journal.base.head.digest == kept.head.digest, let last = journal.position {
            guard let after = cluster.oracle.state(after: last) else { return false }
            state = after
            state.forgetDiscovery()
            position = last
        }
        note("serves what was kept, revision \(kept.head.revision)")
        publishWhole(journal: position)
        if let ledTerm = kept.ledTerm ?? (position == nil ? nil : kept.head.epoch) {
            outage.lastToken = FencingToken(holder: holder, epoch: ledTerm)
            outage.policy.resumed(epoch: ledTerm, now: process.now)
        }
        return true
    }

    // MARK: The database is back

    /// As AllocationWalk.recordJournal.
    private func recordJournal(_ token: FencingToken) async throws {
        guard var journal = outage.journal else { return }
        if !journal.holders.contains(token.holder) {
            let record = JournalRecord.holder(token.holder)
            do {
                try await write(record.piece(after: journal.tip))
                try journal.take(record)
                outage.journal = journal
                cluster.oracle.journalled(journal)
            } catch let failure as AppendFailure { throw failure } catch {}
        }
        guard case .since(let since) = try await ask(.since(journal.base.head, journal.revisionsToRead)) else { return }
        switch journal.recovery(since, by: token.holder) {
        case .append(let place):
            try await append(journal, from: place, token)
            removeJournal()
            try await load()
        case .stateServed(let place): try await stateServed(journal, from: place, token)
        case .repairFork: try await stateServed(journal, from: 0, token)
        }
        outage.contents = []
    }

    private func append(_ journal: OutageJournal, from place: Int, _ token: FencingToken) async throws {
        guard place < journal.entries.count else { return }
        guard case .tables(let tables) = try await ask(.load) else { return }
        writerHead = tables.head
        pending = nil
        if let head = tables.head, head.epoch != token.epoch {
            let (row, mayHaveLost) = try await termStart(token)
            if mayHaveLost { try await recordFork(nil, nil, after: head, row, token) }
            let start = start(of: row)
            gap.beganTerm(at: start.acquiredAt)
            _ = try await attempt(
                draft(
                    AllocationChange(placement: state.placement), .termStart, start.detail,
                    [start.gap].compactMap(\.self)), token)
        }
        for (index, entry) in journal.entries.enumerated().dropFirst(place) {
            let range = outage.contents[index]
            let onDisk = disk.journal ?? []
            let bytes = onDisk.dropFirst(Int(range.lowerBound)).prefix(range.count)
            guard let content = RecordedContent(Array(bytes), into: cluster.truth.table) else {
                return simulation.violate(.lost, "entry \(entry.ordinal) of a journal cannot be read")
            }
            let draft = SimulatedDraft(
                changeID: entry.changeID, change: content.change, cause: .outageRecovered,
                detail: "journal entry \(entry.ordinal) of \(entry.cause): \(entry.causeDetail)", gaps: [],
                occurredAt: entry.occurredAt)
            _ = try await attempt(draft, token)
        }
    }

    private func stateServed(_ journal: OutageJournal, from place: Int, _ token: FencingToken) async throws {
        try await load()
        try await recordTermStart(token)
        try await recordGap(try await statement(of: journal, from: place), token)
        letGo(of: journal, statedFrom: place)
    }

    /// As AllocationWalk.letGo(of:statedFrom:).
    private func letGo(of journal: OutageJournal, statedFrom place: Int) {
        if place < journal.entries.count { disk.archive.append((journal.tip.description, disk.journal ?? [])) }
        removeJournal()
    }

    /// As AllocationWalk.takeBackStatements.
    func takeBackStatements() async throws {
        if mutations.contains(.trustsStatements) { outage.mayLackStatements = false }
        guard outage.mayLackStatements, outage.asked == nil else { return }
        outage.losses.lose(try await unstated(outage.losses.stated))
        guard outage.journal == nil else { return }
        let unstated = try await unstated(disk.archive.map(\.tip))
        for (tip, bytes) in disk.archive where unstated.contains(tip) {
            note("takes a journal back, of which nothing is stated any more")
            disk.archive.removeAll { $0.tip == tip }
            disk.journal = bytes
            return openDisk()
        }
        outage.mayLackStatements = false
    }

    /// As the end of AllocationWalk.recover.
    func recordJournals(_ token: FencingToken) async throws {
        outage.mayLackStatements = true
        try await settleRequest()
        repeat {
            try await takeBackStatements()
            try await recordJournal(token)
        } while outage.mayLackStatements && outage.asked == nil
        if outage.asked == nil, !outage.losses.open.isEmpty { try await stateLosses(token) }
    }

    func stateLosses(_ token: FencingToken) async throws {
        try await load()
        try await recordTermStart(token)
        try await recordGap(try await statement(of: outage.losses.open), token)
        outage.losses.state()
    }

    private func statement(of journal: OutageJournal, from place: Int) async throws -> Gap? {
        guard place < journal.entries.count, let times = journal.times,
            try await !unstated([journal.tip.description]).isEmpty
        else { return nil }
        return Gap(
            from: times.from, to: max(times.to, times.from.advanced(by: .microseconds(1))), cause: "journal",
            detail: journal.statement(from: place))
    }

    private func statement(of lost: [ServedRevisions.Item]) async throws -> Gap? {
        let unstated = try await unstated(mutations.contains(.countsTheLastOnly) ? lost.suffix(1) : lost)
        guard !unstated.isEmpty, case .clock(let now) = try await ask(.clock) else { return nil }
        return Gap(
            from: now.advanced(by: .microseconds(-1)), to: now, cause: "fork",
            detail: ForkRepair.statement(of: unstated, servedBy: holder))
    }

    private func unstated(_ lost: [ServedRevisions.Item]) async throws -> [ServedRevisions.Item] {
        let digests = try await unstated(lost.map(\.digest.description))
        return lost.filter { digests.contains($0.digest.description) }
    }

    private func unstated(_ texts: [String]) async throws -> Set<String> {
        guard !texts.isEmpty, case .texts(let unstated) = try await ask(.unstated(texts)) else { return [] }
        return unstated
    }

    private func removeJournal() {
        disk.journal = nil
        disk.unsynchronised = []
        outage.journal = nil
        outage.contents = []
    }

    /// As AllocationWalk.settleOwnRequest.
    func settleOwnRequest() async throws {
        guard outage.asked != nil, !outage.policy.isJournalling else { return }
        try await settleRequest()
        if outage.asked == nil, outage.journal != nil || !outage.losses.open.isEmpty { needsLoad = true }
    }

    // MARK: Not leading

    /// As AllocationWalk.askToState.
    func askToState() async throws {
        guard token == nil, !outage.policy.isJournalling, isWaiting else { return }
        guard outage.journal != nil || !outage.losses.open.isEmpty || outage.mayLackStatements else { return }
        try await takeBackStatements()
        try await settleRequest()
        guard outage.asked == nil else { return }
        if let journal = outage.journal {
            guard case .since(let since) = try await ask(.since(journal.base.head, journal.revisionsToRead)) else {
                return
            }
            let place: Int
            switch journal.recovery(since, by: holder) {
            case .append(let next) where next == journal.entries.count:
                return letGo(of: journal, statedFrom: next)
            case .append: return
            case .stateServed(let next): place = next
            case .repairFork: place = 0
            }
            guard let gap = try await statement(of: journal, from: place) else {
                return letGo(of: journal, statedFrom: place)
            }
            try await request(gap, about: journal.tip)
        } else if let name = outage.losses.name {
            guard let gap = try await statement(of: outage.losses.open) else { return outage.losses.state() }
            try await request(gap, about: name)
        }
    }

    /// As AllocationWalk.settleRequest.
    private func settleRequest() async throws {
        guard let asked = outage.asked, case .fate(let fate) = try await ask(.fate(asked.id)), fate != .open,
            fate != .gone || !mutations.contains(.asksOnce)
        else { return }
        outage.asked = nil
        guard fate == .done else { return }
        if outage.losses.name == asked.about { outage.losses.state() }
        if let journal = outage.journal, journal.tip == asked.about { letGo(of: journal, statedFrom: 0) }
    }

    private func request(_ gap: Gap, about digest: Digest32) async throws {
        let id = UUID128(high: simulation.bits(), low: simulation.bits())
        _ = try await ask(.request(id, gap))
        outage.asked = (id, digest)
    }

    /// As OperatorExecutor, in the leader: does what was asked for.
    func takeRequests(_ token: FencingToken) async throws {
        guard head != nil, case .request(let id, let gap) = try await ask(.nextRequest) else { return }
        try await recordGap(gap, token)
        _ = try await ask(.finish(id))
    }
}
