//
// Replica+Append.swift: what LedgerWriter does around AppendProtocol, and AllocationWalk.commit around AppendRetry.
//

import AllocationCore
import PostgresDriver

@testable import AllocationLedger
@testable import AllocatorRuntime

/// As RevisionDraft.
struct SimulatedDraft {
    var changeID: UUID128
    var change: AllocationChange
    var cause: Cause
    var detail: String
    var gaps: [Gap]
    var occurredAt: Timestamp?
    /// Nil: the next one.
    var number: Int64?
    /// Rows that no change of the walk made; nil: those of `change`.
    var rows: (targets: [TargetEventRow], collectors: [CollectorEventRow])?

    /// The row of the revision that this becomes on that head.
    func row(on head: LedgerHead?, at: Timestamp, by token: FencingToken) -> RevisionRow {
        RevisionRow(
            number: number ?? (head?.revision.number ?? 0) + 1, epoch: token.epoch, holder: token.holder, at: at,
            changeID: changeID, cause: cause, detail: detail, occurredAt: occurredAt,
            targets: rows?.targets
                ?? change.targets.map { target in
                    TargetEventRow(
                        place: TargetPlace(job: change.jobs[Int(target.job.rawValue)], identity: target.identity),
                        before: row(target.before), after: row(target.after), reason: target.reason)
                },
            collectors: rows?.collectors
                ?? change.collectors.map {
                    CollectorEventRow(kind: $0.kind, name: change.collectorTable[Int($0.collector.rawValue)].name)
                },
            gaps: gaps, previous: head?.digest ?? .zero
        ).sealed()
    }

    private func row(_ state: TargetState?) -> TargetRow? {
        state.map { state in
            TargetRow(
                labels: state.labels, address: state.address,
                collector: state.collector.map { change.collectorTable[Int($0.rawValue)].name })
        }
    }
}

/// As LedgerError, and what a step of the walk fails by.
struct AppendFailure: Error, CustomStringConvertible {
    var kind: AppendRetry.Failure
    var fault: Fault?
    var description: String

    init(_ kind: AppendRetry.Failure, _ description: String) {
        self.kind = kind
        self.description = description
    }

    init(_ fault: Fault) {
        kind = .passing
        self.fault = fault
        description = "\(fault)"
    }
}

extension Replica {
    /// As AllocationWalk.commit.
    func commit(_ draft: SimulatedDraft, _ token: FencingToken) async throws -> LedgerHead {
        var retry = AppendRetry()
        // What states something about the ledger waits until it is there, and until what is served is in it.
        let isChange = draft.gaps.isEmpty && draft.cause != .termStart
        guard isChange || publishedJournal == nil || mutations.contains(.statesWhileJournalling) else {
            throw AppendFailure(.lasting, "what the journal holds is recorded first")
        }
        needsLoad = true
        certainty.begins(now: process.now)
        if isChange { outage.pending = draft }
        while true {
            if isChange, journalsNow() {
                do { return try await journal(draft) } catch is DiskFull { hold() }
            }
            guard publishedJournal == nil || mutations.contains(.leavesJournalOut) else {
                throw AppendFailure(.lasting, "what the journal holds is recorded first")
            }
            do {
                let head = try await attempt(draft, token)
                needsLoad = false
                outage.pending = nil
                outage.policy.recorded()
                return head
            } catch let failure as AppendFailure {
                if failure.fault == .died { throw Fault.died }
                guard case .again(let pause) = retry.next(after: failure.kind, isTrusted: isTrusted(token)) else {
                    throw failure
                }
                noteFailure(failure)
                if isChange, outage.policy.mayJournal(now: process.now), journalsNow() { continue }
                try await process.sleep(pause)
            }
        }
    }

    /// As LedgerWriter.attempt.
    func attempt(_ draft: SimulatedDraft, _ token: FencingToken) async throws -> LedgerHead {
        do throws(Fault) { _ = try await writerConnected() } catch { throw AppendFailure(error) }
        var append = pending.flatMap { $0.changeID == draft.changeID ? $0.append : nil } ?? AppendProtocol()
        var failure = AppendFailure(.passing, "nothing")
        var action = append.begin()
        while true {
            pending = (draft.changeID, append)
            switch action {
            case .conclude(let head):
                writerHead = head
                pending = nil
                return head
            case .endAttempt: throw failure
            case .lookUp, .write:
                let reply: AppendProtocol.Reply
                do {
                    reply = try await perform(action, draft, token)
                } catch let error as AppendFailure {
                    if error.fault == .died { throw Fault.died }
                    failure = error
                    reply = .failed
                } catch let ending as Ending {
                    failure = ending.failure
                    reply = ending.reply
                    note("append of \(draft.cause.rawValue): \(failure)")
                }
                action = append.take(reply)
            }
        }
    }

    /// What says more than that it failed.
    private struct Ending: Error {
        var reply: AppendProtocol.Reply
        var failure: AppendFailure
    }

    private func perform(
        _ action: AppendProtocol.Action, _ draft: SimulatedDraft, _ token: FencingToken
    ) async throws -> AppendProtocol.Reply {
        if case .lookUp = action {
            let takingHead = !mutations.contains(.looksUpAtOnce)
            guard case .revision(let row) = try await ask(.lookUp(draft.changeID, takingHead: takingHead)) else {
                return .failed
            }
            note("looks change up: \(row.map { "revision \($0.number)" } ?? "not there")")
            return .found(row?.head)
        }
        if simulation.chance(0.05) { try await pauseBriefly() }
        let session = try await connectedWriter()
        guard
            case .head(let passes, let found, let at) = try await ask(
                .fenceAndHead(
                    token, checkingFence: !mutations.contains(.skipsFence),
                    anywhere: mutations.contains(.crossesServers)), on: session)
        else { return .failed }
        guard passes else {
            _ = try await ask(.rollBack, on: session)
            throw Ending(reply: .fenced, failure: AppendFailure(.fenced, "fenced"))
        }
        let expected = mutations.contains(.adoptsHead) ? found : writerHead
        guard found?.digest == expected?.digest || mutations.contains(.ignoresHead) else {
            _ = try await ask(.rollBack, on: session)
            throw Ending(reply: .headMoved, failure: AppendFailure(.lasting, "head moved"))
        }
        let row = draft.row(on: expected, at: at, by: token)
        _ = try await ask(.write(row), on: session)
        do {
            _ = try await ask(.commit, on: session)
        } catch let error as AppendFailure {
            guard let fault = error.fault, fault == .lost || fault == .deadline else { throw error }
            if mutations.contains(.repeatsUnknownCommit) { throw error }
            throw Ending(reply: .outcomeUnknown, failure: AppendFailure(fault))
        }
        return .committed(row.head)
    }

    private func pauseBriefly() async throws {
        do throws(Fault) { try await process.pause(simulation.seconds(0...0.2)) } catch { throw AppendFailure(error) }
    }

    // MARK: Session

    /// Asks the writer's session.
    func ask(_ request: Request) async throws -> Reply { try await ask(request, on: connectedWriter()) }

    private func ask(_ request: Request, on session: ClientSession) async throws -> Reply {
        do throws(Fault) {
            return try await session.ask(request, timeout: .seconds(10))
        } catch {
            throw AppendFailure(error)
        }
    }

    private func connectedWriter() async throws -> ClientSession {
        do throws(Fault) { return try await writerConnected() } catch { throw AppendFailure(error) }
    }

    private func writerConnected() async throws(Fault) -> ClientSession {
        if let writerSession, writerSession.isUsable { return writerSession }
        let fresh = try await ClientSession.open(process, link, cluster.database, timeout: .seconds(5))
        writerSession = fresh
        return fresh
    }
}
