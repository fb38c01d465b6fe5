//
// LedgerWriterTests.swift: what is appended is what is loaded, and nobody without the lease appends.
//

import AllocationCore
import PostgresDriver
import TestSupport
import Testing

@testable import AllocationLedger

/// Goal: an append is one atomic, fenced, gapless step, and loading gives the state back.
///
/// Method: real PostgreSQL, a database for each test.
@Suite struct LedgerWriterTests {
    @Test("A restart finds the state that was recorded", arguments: [0, 3, 60, 700])
    func roundTrip(count: Int) async throws {
        try await LedgerFixture.with { ledger in
            try await ledger.fill(count)
            let committed = try await ledger.append(ledger.collectors(["b", "c", "d"]), cause: .membership)
            let other = try await LedgerFixture(ledger.configuration)
            #expect(other.state.contents == ledger.state.contents)
            #expect(other.state.targetCount == count)
            #expect(other.state.collectorNames == ["b", "c", "d"])
            #expect(try await other.writer.currentHead() == committed.head)
            await other.writer.close()
        }
    }

    @Test("Any history of changes is loaded as it ended, and is intact", arguments: [1, 2, 3] as [UInt64])
    func churn(seed: UInt64) async throws {
        try await LedgerFixture.with { ledger in
            var random = SplitMix64(state: seed)
            for step in 0..<12 {
                if step % 4 == 0 {
                    let names = ["a", "b", "c", "d", "e"].filter { _ in Bool.random(using: &random) }
                    try await ledger.append(ledger.collectors(names), cause: .membership)
                }
                let found = (0..<120).filter { _ in Int.random(in: 0..<3, using: &random) > 0 }
                let targets = found.map { ledger.target($0, generation: Int.random(in: 0..<2, using: &random)) }
                // Two jobs find the same targets: label sets are shared, targets are not.
                let job = Bool.random(using: &random) ? "shop" : "bank"
                try await ledger.append(ledger.discover(targets, job: job))
                if step == 6 {
                    // A restart in the middle: what only history knows is found there again.
                    let state = ledger.state
                    ledger.token = try await LedgerFixture.takeLease(ledger.configuration)
                    let loaded = try await ledger.writer.load(
                        into: AllocationLoader(table: ledger.table, strategy: LedgerFixture.strategy))
                    #expect(loaded.state.contents == state.contents)
                }
            }
            let other = try await LedgerFixture(ledger.configuration)
            #expect(other.state.contents == ledger.state.contents, "seed \(seed)")
            await other.writer.close()
            let report = try await ChainVerifier.verify(ledger.configuration, logger: TestPostgres.logger)
            #expect(report.isIntact, "seed \(seed): \(report.findings)")
            #expect(
                try await ledger.number("SELECT count(*) FROM ledger.target GROUP BY job, identity HAVING count(*) > 1")
                    == -1)
            #expect(
                try await ledger.number("SELECT count(*) FROM ledger.label_set GROUP BY digest HAVING count(*) > 1")
                    == -1)
        }
    }

    @Test("A target that comes back after a restart keeps its row and its label set")
    func comesBack() async throws {
        try await LedgerFixture.with { ledger in
            try await ledger.fill(3)
            try await ledger.append(ledger.discover([ledger.target(0)]))
            var other = try await LedgerFixture(ledger.configuration)
            try await other.append(other.discover([other.target(0), other.target(1), other.target(2)]))
            #expect(try await other.number("SELECT count(*) FROM ledger.target") == 3)
            #expect(try await other.number("SELECT count(*) FROM ledger.label_set") == 3)
            await other.writer.close()
            let report = try await ChainVerifier.verify(ledger.configuration, logger: TestPostgres.logger)
            #expect(report.isIntact, "\(report.findings)")
        }
    }

    @Test("A target whose address changes under its identity stays one target, and verifies after a restart too")
    func addressChanges() async throws {
        try await LedgerFixture.with { ledger in
            try await ledger.fill(2)
            for (step, port) in [9091, 9092].enumerated() {
                let labels = LabelSet(["__address__": "10.0.0.0:\(port)"], in: ledger.table)
                let target = IdentifiedTarget(
                    identity: ledger.target(0).identity, labels: labels, address: labels.ids.first)
                try await ledger.append(ledger.discover([target, ledger.target(1)]))
                if step == 0 {
                    ledger.token = try await LedgerFixture.takeLease(ledger.configuration)
                    _ = try await ledger.writer.load(
                        into: AllocationLoader(table: ledger.table, strategy: LedgerFixture.strategy))
                }
            }
            #expect(try await ledger.number("SELECT count(*) FROM ledger.target") == 2)
            let report = try await ChainVerifier.verify(ledger.configuration, logger: TestPostgres.logger)
            #expect(report.isIntact, "\(report.findings)")
        }
    }

    @Test("A label that text cannot hold is kept exactly")
    func rawLabels() async throws {
        try await LedgerFixture.with { ledger in
            try await ledger.append(ledger.collectors(["a"]), cause: .membership)
            let labels = LabelSet(
                [
                    "__address__": "10.0.0.1:\0", "zero": "a\0b", "quote": "\"<\u{2028}é",
                    "long": String(repeating: "x", count: 70_000),
                ],
                in: ledger.table)
            let target = IdentifiedTarget(
                identity: TargetIdentity(rawValue: 5), labels: labels,
                address: labels.value(of: ledger.table.nameID(for: "__address__"), in: ledger.table))
            try await ledger.append(ledger.discover([target]))
            let other = try await LedgerFixture(ledger.configuration)
            #expect(other.state.contents == ledger.state.contents)
            await other.writer.close()
            let report = try await ChainVerifier.verify(ledger.configuration, logger: TestPostgres.logger)
            #expect(report.isIntact, "\(report.findings)")
        }
    }

    @Test("A job's name that cannot be stored is refused and names itself")
    func unstorableName() async throws {
        try await LedgerFixture.with { ledger in
            let change = ledger.discover([ledger.target(0)], job: "a\0b")
            do {
                try await ledger.append(change)
                Issue.record("appended")
            } catch LedgerError.unstorable(let what) {
                #expect(what.contains("a\u{FFFD}b"))
            }
            let head = try await ledger.writer.currentHead()
            #expect(head == nil)
        }
    }

    @Test("Times only grow, numbers have no gap, each revision names the digest of the one before it")
    func order() async throws {
        try await LedgerFixture.with { ledger in
            try await ledger.fill(10)
            // A clock that was ahead: the next revision still comes after.
            try await ledger.script(
                "UPDATE ledger.head SET at = date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' + interval '47 hours'"
            )
            for generation in 1...3 {
                try await ledger.append(ledger.discover([ledger.target(0, generation: generation)]))
            }
            let broken = try await ledger.number(
                """
                SELECT count(*) FROM (
                    SELECT at, revision, previous_digest, lag(at) OVER w AS at_before, lag(revision) OVER w AS before,
                        lag(digest) OVER w AS digest_before
                    FROM ledger.revision WINDOW w AS (ORDER BY revision)) v
                WHERE at <= at_before OR revision <> coalesce(before, 0) + 1 OR previous_digest <> digest_before
                """)
            #expect(broken == 0)
            #expect(try await ledger.number("SELECT count(*) FROM ledger.revision") == 5)
        }
    }

    @Test("Two processes that both believe in the lease make one gapless log")
    func concurrentWriters() async throws {
        try await LedgerFixture.with { ledger in
            try await ledger.append(ledger.collectors(["a", "b"]), cause: .membership)
            let (configuration, token) = (ledger.configuration, ledger.token)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for writer in 0..<3 {
                    group.addTask {
                        var process = try await LedgerFixture(sharing: configuration, token: token)
                        for step in 0..<8 {
                            while true {
                                let change = process.discover(
                                    [process.target(step)], job: "job-\(writer)")
                                do {
                                    try await process.append(change)
                                    break
                                } catch LedgerError.headMoved {
                                    try await process.reload()
                                } catch let error as LedgerError where error.isUniqueViolation {
                                    // Both gave the same id to something new; the database takes one.
                                    try await process.reload()
                                }
                            }
                        }
                        await process.writer.close()
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await ledger.number("SELECT count(*) FROM ledger.revision") == 25)
            #expect(try await ledger.number("SELECT max(revision) FROM ledger.revision") == 25)
            let report = try await ChainVerifier.verify(configuration, logger: TestPostgres.logger)
            #expect(report.isIntact, "\(report.findings)")
        }
    }
}
