//
// StateSnapshotTests.swift: snapshots of the state save reading events, and say nothing else than those.
//
// That every answer is right whether or not there are snapshots is shown by HistoryPropertyTests.
//

import AllocationCore
import PostgresDriver
import TestSupport
import Testing

@testable import AllocationLedger

/// Goal: a snapshot is of one revision, is used where it is the nearest, and is checked against the events.
///
/// Method: real PostgreSQL; a state of more targets than a block holds; rows altered behind the ledger's back.
@Suite struct StateSnapshotTests {
    private func point(_ head: LedgerHead) -> RevisionPoint { RevisionPoint(revision: head.revision, at: head.at) }

    @Test("A past state over several blocks is made from the snapshot between, forwards and backwards")
    func blocks() async throws {
        try await LedgerFixture.with { ledger in
            let count = 9000
            try await ledger.fill(count)
            let full = point(
                try await ledger.append(ledger.discover((0..<count).map { ledger.target($0) }, job: "bank")).head)
            let before = ledger.state.contents
            let connection = try await PostgresConnection.connect(ledger.configuration, logger: TestPostgres.logger)
            try await ledger.append(ledger.discover((0..<count / 2).map { ledger.target($0) }, job: "bank"))
            try await StateSnapshot.take(fencedBy: ledger.token, connection)
            let moved = point(try await ledger.append(ledger.collectors(["a", "b"]), cause: .membership).head)
            for _ in 0..<3 {
                try await ledger.append(ledger.collectors(["a"]), cause: .membership)
                try await ledger.append(ledger.collectors(["a", "b"]), cause: .membership)
            }
            for (wanted, isForwards) in [(full, false), (moved, true)] {
                let (origin, all, paged) = try await connection.transaction(isolation: .repeatableRead, readOnly: true)
                {
                    @Sendable connection in
                    let walk = try await StateWalk(at: wanted, connection)
                    let all = try await walk.all(connection)
                    var paged: [StateWalk.Row] = []
                    for start in stride(from: 0, to: 2 * count, by: 1777) {
                        let range = StateWalk.Range.span(
                            lower: Int32(start), upper: Int32(min(start + 1777, 2 * count)))
                        paged += try await walk.rows(range, connection)
                    }
                    return (walk.base, all, paged)
                }
                guard case .snapshot = origin.origin else {
                    Issue.record("made from \(origin)")
                    continue
                }
                #expect(origin.isForwards == isForwards)
                #expect(Array(all) == paged)
                #expect(all.count == (isForwards ? count + count / 2 : 2 * count))
                let sample: [Int32] = [1, 4095, 4096, 4097, 8191, 8192, 17_000]
                let found = try await connection.transaction { @Sendable connection in
                    try await StateWalk(at: wanted, connection).rows(.numbers(sample), connection)
                }
                #expect(found == all.filter { sample.contains($0.target) })
            }
            #expect(before.count == 2 * count)
            await connection.close()
        }
    }

    @Test(
        "An altered snapshot is found",
        arguments: [
            "UPDATE ledger.state_snapshot SET collectors[1] = collectors[1] + 1",
            "UPDATE ledger.state_snapshot SET label_sets[2] = 1", "UPDATE ledger.state_snapshot SET block = block + 10",
            "UPDATE ledger.state_snapshot SET targets[1] = targets[2]",
            "UPDATE ledger.state_snapshot SET collectors = collectors[2:]",
            "UPDATE ledger.state_snapshot SET revision = revision - 1",
            "DELETE FROM ledger.state_snapshot WHERE block = 1",
        ])
    func altered(statement: String) async throws {
        try await LedgerFixture.with { ledger in
            try await ledger.fill(5000)
            let connection = try await PostgresConnection.connect(ledger.configuration, logger: TestPostgres.logger)
            try await StateSnapshot.take(fencedBy: ledger.token, connection)
            try await ledger.append(ledger.collectors(["a"]), cause: .membership)
            #expect(try await connection.transaction { try await SnapshotCheck.run($0) } == [])
            try await ledger.script("SET session_replication_role = replica; \(statement)")
            let findings = try await connection.transaction { try await SnapshotCheck.run($0) }
            #expect(findings.count == 1, "\(findings)")
            await connection.close()
        }
    }

    @Test("Only the leader takes snapshots, and one of a revision is enough")
    func fenced() async throws {
        try await LedgerFixture.with { ledger in
            try await ledger.fill(10)
            let connection = try await PostgresConnection.connect(ledger.configuration, logger: TestPostgres.logger)
            for _ in 0..<2 { try await StateSnapshot.take(fencedBy: ledger.token, connection) }
            #expect(try await ledger.number("SELECT count(*) FROM ledger.state_snapshot") == 1)
            let old = ledger.token
            ledger.token = try await LedgerFixture.takeLease(ledger.configuration)
            try await ledger.append(ledger.collectors(["a"]), cause: .membership)
            await #expect(throws: LedgerError.self) { try await StateSnapshot.take(fencedBy: old, connection) }
            #expect(try await ledger.number("SELECT count(DISTINCT revision) FROM ledger.state_snapshot") == 1)
            await connection.close()
        }
    }

    @Test(
        "One is due when enough has happened, or on another day when anything has",
        arguments: [
            (49_999, 10, false, false), (50_000, 10, false, true), (50_000, 200_000, false, false),
            (100_000, 200_000, false, true), (0, 10, true, false), (1, 10, true, true),
        ] as [(Int64, Int64, Bool, Bool)])
    func policy(events: Int64, targets: Int64, isNewDay: Bool, isDue: Bool) {
        #expect(SnapshotPolicy().isDue(events: events, targets: targets, isNewDay: isNewDay) == isDue)
    }

    @Test("The keeper takes the first one of a ledger, and none while nothing has happened since")
    func keeper() async throws {
        try await LedgerFixture.with { ledger in
            let keeper = SnapshotKeeper(configuration: ledger.configuration, logger: TestPostgres.logger)
            await keeper.takeIfDue(fencedBy: ledger.token)
            #expect(try await ledger.number("SELECT count(*) FROM ledger.state_snapshot") == 0)
            try await ledger.fill(10)
            for _ in 0..<2 {
                await keeper.takeIfDue(fencedBy: ledger.token)
                #expect(try await ledger.number("SELECT count(*) FROM ledger.state_snapshot") == 1)
            }
            await keeper.close()
        }
    }
}
