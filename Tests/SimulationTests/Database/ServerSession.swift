//
// ServerSession.swift: one backend of the simulated server: its statements one after the other, its transaction.
//

import AllocationCore
import PostgresDriver

@testable import AllocationLedger

/// What a session can be asked. Each is one message, and one statement or one pipeline of them.
enum Request: Sendable {
    case acquire(
        holder: UUID128, address: String, timeToLive: Duration, sawOutage: Bool, above: Int64)
    case renew(FencingToken, timeToLive: Duration, isRecording: Bool)
    case release(FencingToken, isRecording: Bool)
    case leaseHolder
    /// Begins a transaction: fence, then the head's row.
    case fenceAndHead(FencingToken, checkingFence: Bool, anywhere: Bool)
    case write(RevisionRow)
    case commit
    case rollBack
    /// In a transaction of its own: the head's row, then the revision of that change.
    case lookUp(UUID128, takingHead: Bool)
    case head
    case load
    case termStart(Int64)
    /// As LedgerWriter.found.
    case found(Set<Int64>)
    /// As LedgerWriter.since.
    case since(LedgerHead, Int)
    /// As LedgerWriter.unstated.
    case unstated([String])
    /// Asks whoever leads to state a gap.
    case request(UUID128, Gap)
    case nextRequest
    case finish(UUID128)
    case fate(UUID128)
    case clock
    /// The head and the first revisions behind a number, in one snapshot.
    case tail(behind: Int64)
    case listen
    case notifyOneself
}

/// What a listening session hears.
enum Notification: Sendable {
    case revision(Int64)
    case leaseIsFree
    case heartbeat
}

enum Reply: Sendable {
    case done
    case epoch(Int64?)
    case renewed(Timestamp?)
    case holder(String?)
    /// Whether the fence let it pass; the head and the time that a revision gets.
    case head(isFenced: Bool, LedgerHead?, at: Timestamp)
    case revision(RevisionRow?)
    case tables(LedgerTables)
    /// The term, and the one in which the tip was written.
    case term(TermRow?, writer: TermRow?)
    case found(ForkRepair.Found)
    case since(OutageJournal.Since)
    case texts(Set<String>)
    case fate(LedgerWriter.RequestFate)
    case request(UUID128, Gap)
    case clock(Timestamp)
    case tail(LedgerHead?, [RevisionRow])
    case refused(Fault.Refusal)
}

/// A backend.
final class ServerSession {
    private let database: SimulatedDatabase
    private(set) var isAlive = true
    /// Tells the client that the session is gone; nil once nobody can be told.
    var onEnd: (() -> Void)?
    var onNotification: ((Notification) -> Void)?
    private(set) var isListening = false
    /// It runs and answers, and nothing that it is notified of goes out.
    var isDeaf = false
    private var queue: [(Request, (Reply) -> Void)] = []
    private var isBusy = false
    private var isInTransaction = false
    private var written: RevisionRow?
    /// Counts what the session did, so that an idle transaction can be told from one that went on.
    private var activity = 0

    init(_ database: SimulatedDatabase) { self.database = database }

    func take(_ request: Request, _ reply: @escaping (Reply) -> Void) {
        guard isAlive else { return }
        queue.append((request, reply))
        runNext()
    }

    /// Rolls back and ends.
    func end() {
        guard isAlive else { return }
        isAlive = false
        queue = []
        written = nil
        database.unlockAll(of: self)
        onEnd?()
        onEnd = nil
    }

    func notify(_ notification: Notification) {
        guard isAlive, isListening, !isDeaf else { return }
        onNotification?(notification)
    }

    private func runNext() {
        guard isAlive, !isBusy, !queue.isEmpty else { return }
        isBusy = true
        let (request, reply) = queue.removeFirst()
        let simulation = database.simulation
        // A commit waits for the disk.
        let isCommit = if case .commit = request { true } else { false }
        let work = simulation.seconds(isCommit ? 0.0005...0.004 : 0.0001...0.001) + database.slowness
        simulation.after(work) { [self] in
            guard isAlive else { return }
            run(request) { [self] answer in
                guard isAlive else { return }
                isBusy = false
                activity += 1
                reply(answer)
                if isInTransaction { watchIdleTransaction() }
                runNext()
            }
        }
    }

    private func watchIdleTransaction() {
        let seen = activity
        database.simulation.after(SimulatedDatabase.idleInTransactionTimeout) { [self] in
            guard isAlive, isInTransaction, !isBusy, activity == seen else { return }
            database.simulation.note("db", "ends a session that was idle in its transaction")
            end()
        }
    }

    private func run(_ request: Request, _ answer: @escaping (Reply) -> Void) {
        if let refusal = refusal(of: request) {
            if refusal == .diskFull { database.refuseForWantOfRoom() }
            endTransaction()
            return answer(.refused(refusal))
        }
        switch request {
        case .acquire(let holder, let address, let timeToLive, let sawOutage, let lost):
            alone(.lease, .update, answer) {
                .epoch($0.acquire(holder, address, timeToLive, sawOutage: sawOutage, above: lost))
            }
        case .renew(let token, let timeToLive, let isRecording):
            alone(.lease, .noKeyUpdate, answer) { .renewed($0.renew(token, timeToLive, isRecording)) }
        case .release(let token, let isRecording):
            alone(.lease, .noKeyUpdate, answer) {
                $0.release(token, isRecording)
                return .done
            }
        case .leaseHolder:
            let lease = database.tables.lease
            answer(.holder(lease.expiresAt > database.clock ? lease.address : nil))
        case .fenceAndHead(let token, let checkingFence, let anywhere):
            fenceAndHead(token, checkingFence, anywhere, answer)
        case .write(let row):
            written = row
            answer(.done)
        case .commit:
            if let written { database.commit(written) }
            endTransaction()
            guard !database.simulation.chance(database.unheardCommits) else { return end() }
            answer(.done)
        case .rollBack:
            endTransaction()
            answer(.done)
        case .lookUp(let changeID, let takingHead):
            if takingHead {
                alone(.head, .update, answer) { .revision($0.tables.revision(of: changeID)) }
            } else {
                answer(.revision(database.tables.revision(of: changeID)))
            }
        case .head: answer(.head(isFenced: true, database.tables.head, at: database.clock))
        case .load: answer(.tables(database.tables))
        case .termStart(let epoch):
            answer(
                .term(database.tables.terms.last { $0.epoch == epoch }, writer: database.tables.writer(before: epoch)))
        case .found(let numbers):
            var digests: [Int64: Digest32] = [:]
            for row in database.tables.revisions where numbers.contains(row.number) { digests[row.number] = row.digest }
            answer(
                .found(
                    ForkRepair.Found(
                        head: database.tables.head, oldest: database.tables.head.map { _ in Revision(1) },
                        digests: digests)))
        case .since(let base, let count): answer(.since(since(base, count)))
        case .unstated(let texts):
            let details = database.tables.revisions.lazy.filter { !$0.gaps.isEmpty }.map(\.detail)
            answer(.texts(Set(texts.filter { text in !details.contains { $0.contains(text) } })))
        case .request(let id, let gap):
            database.ask(id, gap)
            answer(.done)
        case .nextRequest:
            answer(database.tables.requests.first { !$0.isDone }.map { .request($0.id, $0.gap) } ?? .done)
        case .finish(let id):
            database.finish(id)
            answer(.done)
        case .fate(let id):
            answer(.fate(database.tables.requests.first { $0.id == id }.map { $0.isDone ? .done : .open } ?? .gone))
        case .clock: answer(.clock(database.clock))
        case .tail(let applied):
            let behind = database.tables.revisions.drop { $0.number <= applied }
            answer(.tail(database.tables.head, Array(behind.prefix(Self.revisionsAtOnce))))
        case .listen:
            isListening = true
            answer(.done)
        case .notifyOneself:
            answer(.done)
            notify(.heartbeat)
        }
    }

    private func since(_ base: LedgerHead, _ count: Int) -> OutageJournal.Since {
        var since = OutageJournal.Since(digestAtBase: nil, revisions: [])
        for row in database.tables.revisions.drop(while: { $0.number < base.revision.number }).prefix(count + 2) {
            if row.number == base.revision.number {
                since.digestAtBase = row.digest
            } else {
                since.revisions.append(
                    OutageJournal.RecordedRevision(
                        changeID: row.changeID, replica: row.holder,
                        changesState: !row.targets.isEmpty || !row.collectors.isEmpty))
            }
        }
        return since
    }

    /// Few, so that reading on is part of every run.
    private static let revisionsAtOnce = 3

    /// What a server that takes no writes, or has no room, says.
    private func refusal(of request: Request) -> Fault.Refusal? {
        switch request {
        case .acquire, .renew, .release, .fenceAndHead, .lookUp, .request, .finish:
            database.isReadOnly ? .readOnly : nil
        case .write: database.isReadOnly ? .readOnly : database.isFull ? .diskFull : nil
        case .leaseHolder, .commit, .rollBack, .head, .load, .termStart, .found, .since, .unstated, .nextRequest,
            .fate, .clock, .tail, .listen, .notifyOneself:
            nil
        }
    }

    /// One statement that is a transaction of its own and needs a row.
    private func alone(
        _ row: SimulatedDatabase.Row, _ mode: SimulatedDatabase.Mode, _ answer: @escaping (Reply) -> Void,
        _ body: @escaping (SimulatedDatabase) -> Reply
    ) {
        database.lock(row, mode, self) { [self] hasIt in
            let reply = hasIt ? body(database) : .refused(.lockNotAvailable)
            database.unlockAll(of: self)
            answer(reply)
        }
    }

    private func fenceAndHead(
        _ token: FencingToken, _ checkingFence: Bool, _ anywhere: Bool, _ answer: @escaping (Reply) -> Void
    ) {
        isInTransaction = true
        let fail = { [self] in
            endTransaction()
            answer(.refused(.lockNotAvailable))
        }
        database.lock(.lease, .keyShare, self) { [self] hasLease in
            guard hasLease else { return fail() }
            let passes = database.passesFence(token, anywhere: anywhere) || !checkingFence
            database.lock(.head, .update, self) { [self] hasHead in
                guard hasHead else { return fail() }
                let head = database.tables.head
                let after = head.map { $0.at.advanced(by: .microseconds(1)) } ?? database.clock
                answer(.head(isFenced: passes, head, at: max(database.clock, after)))
            }
        }
    }

    private func endTransaction() {
        isInTransaction = false
        written = nil
        database.unlockAll(of: self)
    }
}
