//
// SimulatedDatabase.swift: a PostgreSQL server as far as the protocol can tell: rows with locks, transactions, sessions,
// a clock of its own, and the ways in which it fails.
//
// Two rows are locked, as in the real ledger: the lease's and the head's. Who waits for a row waits until the
// transaction that has it ends, or for lock_timeout.
//

import AllocationCore
import PostgresDriver

@testable import AllocationLedger

/// The server.
final class SimulatedDatabase {
    enum Row: Int { case lease, head }

    /// As PostgreSQL's row locks of these names.
    enum Mode {
        case keyShare, noKeyUpdate, update

        func conflicts(with other: Mode) -> Bool {
            switch (self, other) {
            case (.update, _), (_, .update), (.noKeyUpdate, .noKeyUpdate): true
            case (.keyShare, _), (_, .keyShare): false
            }
        }
    }

    private struct Holder {
        let session: ServerSession
        let mode: Mode
    }

    private struct Waiter {
        let number: Int
        let session: ServerSession
        let mode: Mode
        let then: (Bool) -> Void
    }

    static let lockTimeout = SimulatedTime.seconds(10)
    static let idleInTransactionTimeout = SimulatedTime.seconds(15)

    let simulation: Simulation
    private(set) var tables = LedgerTables() {
        didSet {
            guard hasStandby else { return }
            if past.count >= 64 { past.removeFirst(32) }
            past.append((simulation.now, oldValue))
        }
    }
    private(set) var isUp = true { didSet { noteAvailability() } }
    var isReadOnly = false { didSet { noteAvailability() } }
    private var unavailableSince: Timestamp?
    var isFull = false { didSet { noteAvailability() } }
    /// When it refused a revision for want of room, since there is none.
    private var refusedAt: Timestamp?
    /// The chance that a session ends between a COMMIT and its answer.
    var unheardCommits = 0.0
    /// What each statement takes longer.
    var slowness: SimulatedTime = 0
    /// Of its clock, against the true time.
    var clockOffset: SimulatedTime = 0
    /// Counts promotions, as PostgreSQL does.
    private(set) var timeline = 1
    /// What a standby may have received, oldest first; empty unless there is one.
    private var past: [(at: SimulatedTime, tables: LedgerTables)] = []
    var hasStandby = false
    private var holders: [[Holder]] = [[], []]
    private var waiters: [[Waiter]] = [[], []]
    private var waiterCount = 0
    private var sessions: [ServerSession] = []
    /// Told of each commit of a revision, before anybody else is.
    var onCommit: (RevisionRow, _ before: LedgerTables, _ after: LedgerTables) -> Void = { _, _, _ in }

    var onLease: (Timestamp) -> Void = { _ in }
    var onTerm: (_ epoch: Int64, Timestamp) -> Void = { _, _ in }
    /// Told of each time of more than ``unavailableMin`` in which it took nothing, or had no room for a revision.
    var onUnavailable: (_ from: Timestamp, _ to: Timestamp) -> Void = { _, _ in }
    /// A lease does not last so long without being renewed.
    private static let unavailableMin: Int64 = 12_000_000
    /// A revision waits that long before its holder does not prove any more that it can record, and a renewal that was
    /// asked for before is at most half a lease on its way.
    private static let proofLag = Duration.seconds(1) + Replica.timeToLive / 2
    /// Until when a gap lasts is asked before it is written, and the server may be slow meanwhile.
    private static let statementLag = Duration.seconds(4)

    /// Guards taken out: see ``Mutations``.
    var countsSilentTerms = false
    var renewsWhatRanOut = false

    init(_ simulation: Simulation) { self.simulation = simulation }

    private func noteAvailability() {
        if isUp, !isReadOnly {
            if let from = end(&unavailableSince) { onUnavailable(from, clock) }
        } else {
            unavailableSince = unavailableSince ?? clock
        }
        if !isFull { endRefusal() }
    }

    private func endRefusal() {
        guard let from = end(&refusedAt) else { return }
        onUnavailable(from.advanced(by: Self.proofLag), clock.advanced(by: Self.statementLag * -1))
    }

    /// - Returns: When it began, if it was long.
    private func end(_ since: inout Timestamp?) -> Timestamp? {
        guard let from = since else { return nil }
        since = nil
        return clock.microsecondsSince1970 - from.microsecondsSince1970 >= Self.unavailableMin ? from : nil
    }

    /// A revision finds no room.
    func refuseForWantOfRoom() { refusedAt = refusedAt ?? clock }

    var clock: Timestamp {
        Timestamp(microsecondsSince1970: SimulatedProcess.wallOrigin + simulation.now + clockOffset)
    }

    // MARK: Sessions

    /// Nil: nobody listens there.
    func open() -> ServerSession? {
        guard isUp else { return nil }
        let session = ServerSession(self)
        sessions.removeAll { !$0.isAlive }
        sessions.append(session)
        return session
    }

    /// kill -9: sessions end, what is not committed is undone.
    func crash() {
        isUp = false
        endSessions()
        simulation.note("db", "crashes at revision \(tables.head?.revision.number ?? 0)")
    }

    /// A standby takes over that lacks what was committed of late.
    ///
    /// - Parameter lag: How far it was behind.
    /// - Returns: The revisions that are lost.
    func promote(lag: SimulatedTime) -> [RevisionRow] {
        crash()
        timeline += 1
        let before = tables
        // What was there at that instant is what the first change after it replaced.
        var kept = past.first { $0.at >= simulation.now - lag }?.tables ?? tables
        // Where nobody has led yet nothing can have been served: that is another ledger, and not this one's standby.
        if kept.terms.isEmpty { kept = tables }
        past = []
        hasStandby = false
        tables = kept
        hasStandby = true
        start()
        return Array(before.revisions.dropFirst(kept.revisions.count))
    }

    func start() {
        isUp = true
        simulation.note("db", "is up, timeline \(timeline)")
    }

    /// Sessions that listen hear nothing any more, and do not know.
    func deafen() { for session in sessions where session.isListening { session.isDeaf = true } }

    /// pg_terminate_backend for all.
    func endSessions() {
        for session in sessions { session.end() }
        sessions = []
    }

    // MARK: Locks

    /// Calls `then` with true once the session has the row, with false when it waited too long.
    func lock(_ row: Row, _ mode: Mode, _ session: ServerSession, _ then: @escaping (Bool) -> Void) {
        if isFree(row, for: mode, session) {
            holders[row.rawValue].append(Holder(session: session, mode: mode))
            return then(true)
        }
        waiterCount += 1
        let number = waiterCount
        waiters[row.rawValue].append(Waiter(number: number, session: session, mode: mode, then: then))
        simulation.after(Self.lockTimeout) { [self] in
            guard let place = waiters[row.rawValue].firstIndex(where: { $0.number == number }) else { return }
            waiters[row.rawValue].remove(at: place).then(false)
        }
    }

    private func isFree(_ row: Row, for mode: Mode, _ session: ServerSession) -> Bool {
        holders[row.rawValue].allSatisfy { $0.session === session || !$0.mode.conflicts(with: mode) }
    }

    /// Ends the transaction: its locks go, and those who waited get theirs.
    func unlockAll(of session: ServerSession) {
        for row in [Row.lease, .head] {
            holders[row.rawValue].removeAll { $0.session === session }
            waiters[row.rawValue].removeAll { $0.session === session }
        }
        for row in [Row.lease, .head] {
            while let place = waiters[row.rawValue].firstIndex(where: { isFree(row, for: $0.mode, $0.session) }) {
                let waiter = waiters[row.rawValue].remove(at: place)
                holders[row.rawValue].append(Holder(session: waiter.session, mode: waiter.mode))
                waiter.then(true)
            }
        }
    }

    // MARK: Statements

    func commit(_ row: RevisionRow) {
        let before = tables
        tables.append(row)
        onCommit(row, before, tables)
        notify(.revision(row.number))
    }

    /// Tells all who listen.
    func notify(_ notification: Notification) {
        for session in sessions where session.isListening {
            simulation.after(simulation.seconds(0.0001...0.001)) { session.notify(notification) }
        }
    }

    func ask(_ id: UUID128, _ gap: Gap) { tables.requests.append((id, gap, false)) }

    func finish(_ id: UUID128) {
        if let index = tables.requests.firstIndex(where: { $0.id == id }) { tables.requests[index].isDone = true }
    }

    /// As LeaseQueries.acquire.
    func acquire(
        _ holder: UUID128, _ address: String, _ timeToLive: Duration, sawOutage: Bool, above lost: Int64
    ) -> Int64? {
        let isFromFuture = tables.lease.renewedAt.map { $0 > clock.advanced(by: timeToLive) } ?? false
        guard tables.lease.expiresAt <= clock || isFromFuture else { return nil }
        // From here on it is the next one who finds no room, or does not.
        endRefusal()
        let old = tables.lease
        let isElsewhere = tables.head.map { head in
            tables.terms.contains { $0.epoch == head.epoch && $0.timeline != timeline }
        }
        let mayHaveLost = lost > old.epoch || isElsewhere ?? tables.terms.contains { $0.timeline != timeline }
        let elapsed = old.renewedAt.map { clock.since($0) / .seconds(1) } ?? 0
        let far = ForkRepair.epochDistance + Int64((max(0, elapsed) * Double(ForkRepair.epochsPerSecond)).rounded())
        let epoch = max(lost + 1, old.epoch + (mayHaveLost ? far : 1))
        tables.lease = LeaseRow(
            holder: holder, epoch: epoch, address: address, expiresAt: clock.advanced(by: timeToLive),
            renewedAt: clock)
        for index in tables.terms.indices where tables.terms[index].endReason == nil {
            tables.terms[index].endReason = "lease expired"
        }
        var term = TermRow(
            epoch: epoch, holder: holder, address: address, acquiredAt: clock,
            certainUntil: tables.terms.first?.acquiredAt ?? clock, timeline: timeline)
        if let head = tables.head {
            let wasStopped = tables.terms.last?.endReason == LeaseQueries.stopped
            let otherwise: Gap.Cause = sawOutage ? .databaseOutage : old.holder == holder ? .leaseLost : .crashed
            let previous = tables.terms.last
            if let previous, previous.epoch != head.epoch, !countsSilentTerms {
                term.recordedUntil = previous.recordedUntil ?? head.at
            } else if let renewedAt = old.renewedAt {
                let hasMissed = head.at > renewedAt.advanced(by: timeToLive / 2)
                term.recordedUntil = hasMissed ? renewedAt : max(head.at, renewedAt)
            } else {
                term.recordedUntil = head.at
            }
            term.certainUntil = term.recordedUntil ?? term.certainUntil
            term.gapCause = wasStopped ? .stopped : otherwise
        }
        tables.terms.append(term)
        onTerm(epoch, clock)
        simulation.note("db", "lease: epoch \(epoch) to \(address)")
        return epoch
    }

    /// As LeaseQueries.renew.
    func renew(_ token: FencingToken, _ timeToLive: Duration, _ isRecording: Bool) -> Timestamp? {
        guard tables.lease.holder == token.holder, tables.lease.epoch == token.epoch else { return nil }
        guard tables.lease.expiresAt > clock || renewsWhatRanOut else { return nil }
        prove(isRecording)
        tables.lease.expiresAt = clock.advanced(by: timeToLive)
        return tables.lease.renewedAt
    }

    private func prove(_ isRecording: Bool) {
        guard isRecording else { return }
        tables.lease.renewedAt = clock
        onLease(clock)
    }

    /// As LeaseQueries.release.
    func release(_ token: FencingToken, _ isRecording: Bool) {
        guard tables.lease.holder == token.holder, tables.lease.epoch == token.epoch else { return }
        prove(isRecording)
        tables.lease.expiresAt = clock
        if let index = tables.terms.lastIndex(where: { $0.epoch == token.epoch }) {
            tables.terms[index].endReason = LeaseQueries.stopped
        }
        notify(.leaseIsFree)
    }

    /// Whether the fence would let that term write now.
    ///
    /// - Parameter anywhere: Also on another server than the one that gave the lease.
    func passesFence(_ token: FencingToken, anywhere: Bool) -> Bool {
        let isHere = tables.terms.last { $0.epoch == token.epoch }?.timeline == timeline
        return (isHere || anywhere) && tables.lease.holder == token.holder && tables.lease.epoch == token.epoch
            && tables.lease.expiresAt > clock
    }
}
