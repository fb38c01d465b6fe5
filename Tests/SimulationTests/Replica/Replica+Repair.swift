//
// Replica+Repair.swift: what the walk does around ForkRepair when it begins to lead.
//

import AllocationCore
import PostgresDriver

@testable import AllocationLedger

extension Replica {
    /// As AllocationWalk.recover.
    func recover(_ token: FencingToken) async throws {
        if case .lost(let lost) = try await lostRevisions() {
            let head = try await currentHead()
            if let head, head.revision > lost.last {
                outage.losses.lose(lost.items)
                try await stateLosses(token)
            } else {
                try await repair(lost, token)
            }
        }
        try await recordJournals(token)
        outage.policy.recorded()
        outage.isAlone = false
    }

    /// Before a state is loaded: what was served has to be in the database, or the database has to be beyond it.
    func requireNothingLost() async throws {
        guard served.last != nil, case .lost(let lost) = try await lostRevisions() else { return }
        guard let head = try await currentHead(), head.revision > lost.last else {
            throw AppendFailure(.lasting, "the database lost revision \(lost.last)")
        }
        if token == nil { outage.losses.lose(lost.items) }
    }

    private func lostRevisions() async throws -> ForkRepair.Verdict {
        let numbers = Set(served.items.map(\.revision.number))
        guard case .found(let found) = try await ask(.found(numbers)) else { return .whole }
        return ForkRepair.compare(served, with: found)
    }

    /// As AllocationWalk.repair.
    func repair(_ lost: LostRevisions?, _ token: FencingToken) async throws {
        if let lost {
            note("finds that revisions \(lost.items[0].revision)…\(lost.last) are lost")
            if token.epoch <= lost.epoch {
                await beginTerm(above: lost.epoch)
                throw AppendFailure(.fenced, "a new term begins")
            }
            if published == nil { _ = startFromDisk() }
        }
        let (row, _) = try await termStart(token)
        guard case .tables(let tables) = try await ask(.load) else { return }
        writerHead = tables.head
        pending = nil
        let rows = lost != nil && published != nil ? difference(from: tables) : nil
        try await recordFork(rows, lost, after: tables.head, row, token)
        try await load()
        try await recordStart(row, token)
    }

    /// As AllocationState.change(from:): what leads from what the database holds to what is served here.
    private func difference(from tables: LedgerTables) -> ([TargetEventRow], [CollectorEventRow]) {
        let (mine, present) = LedgerOracle.content(state)
        var targets: [TargetEventRow] = []
        for place in Set(mine.keys).union(tables.targets.keys).sorted() {
            let (before, after) = (tables.targets[place], mine[place])
            guard before != after else { continue }
            let reason: Reason = before == nil ? .discovered : after == nil ? .vanished : .collectorJoined
            targets.append(TargetEventRow(place: place, before: before, after: after, reason: reason))
        }
        let joined = present.subtracting(tables.collectors).sorted().map { CollectorEventRow(kind: .joined, name: $0) }
        let left = tables.collectors.subtracting(present).sorted().map { CollectorEventRow(kind: .left, name: $0) }
        return (targets, joined + left)
    }

    /// As AllocationWalk.leaveNumbersOut(with:).
    func leaveNumbersOut(_ token: FencingToken) async throws -> Bool {
        let (row, mayHaveLost) = try await termStart(token)
        guard mayHaveLost else { return false }
        try await recordFork(nil, nil, after: nil, row, token)
        try await load()
        try await recordStart(row, token)
        return true
    }

    /// - Parameter rows: Nil: it changes nothing.
    func recordFork(
        _ rows: ([TargetEventRow], [CollectorEventRow])?, _ lost: LostRevisions?, after tip: LedgerHead?,
        _ term: TermRow, _ token: FencingToken
    ) async throws {
        let number = ForkRepair.next(
            after: tip?.revision.number ?? 0, served: (lost?.last.number ?? 0) + (outage.pending == nil ? 0 : 1),
            elapsed: mutations.contains(.countsNoTime) ? .zero : term.acquiredAt.since(term.certainUntil))
        let first = (writerHead?.revision.number ?? 0) + 1
        let statement = ForkRepair.statement(skipping: first...(number - 1), lost: lost)
        guard case .clock(let now) = try await ask(.clock) else { return }
        let gap = Gap(from: head?.at ?? now, to: now, cause: "fork", detail: statement)
        var draft = draft(AllocationChange(placement: state.placement), .forkRepaired, gap.statement, [gap])
        draft.number = number
        draft.rows = rows ?? ([], [])
        _ = try await attempt(draft, token)
    }
}
