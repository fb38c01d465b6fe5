//
// LeaseTests.swift
//

import AllocationCore
import Logging
import PostgresDriver
import TestSupport
import Testing

@testable import AllocationLedger

/// Goal: at most one process writes, and one whose term is over writes nothing, whatever it believes.
///
/// Method: two or more processes' sides of one real ledger. Time is the database's: a lease is ended by an update.
@Suite(.timeLimit(.minutes(10))) struct LeaseTests {
    private func connect(_ ledger: LedgerFixture) async throws -> PostgresConnection {
        try await PostgresConnection.connect(ledger.configuration, logger: TestPostgres.logger)
    }

    private func acquire(_ connection: PostgresConnection, _ holder: UUID128 = .random()) async throws -> Int64? {
        try await LeaseQueries.acquire(
            holder: holder, address: "other:8080", timeToLive: 600, connection, deadline: .now + .seconds(30))
    }

    @Test("While one holds the lease nobody else gets it; when it is given up the next does, with the next epoch")
    func oneHolder() async throws {
        try await LedgerFixture.with { ledger in
            let connection = try await connect(ledger)
            #expect(try await acquire(connection) == nil)
            let held = try #require(try await LeaseQueries.holder(connection, deadline: .now + .seconds(30)))
            #expect(held.address == "test:8080")
            #expect(held.secondsLeft > 500)
            try await LeaseQueries.release(
                ledger.token, reason: "stopped", connection, deadline: .now + .seconds(30))
            #expect(try await acquire(connection) == ledger.token.epoch + 1)
            let reasons = try await connection.query("SELECT end_reason FROM ledger.term ORDER BY epoch")
                .map { try $0.decode(0, as: String?.self) }
            #expect(reasons == ["stopped", nil])
            await connection.close()
        }
    }

    @Test("Of many that ask at once for a lease that has run out exactly one gets it")
    func race() async throws {
        try await LedgerFixture.with { ledger in
            try await ledger.script("UPDATE ledger.lease SET expires_at = clock_timestamp()")
            let configuration = ledger.configuration
            let epochs = try await withThrowingTaskGroup(of: Int64?.self) { group in
                for _ in 0..<6 {
                    group.addTask {
                        let connection = try await PostgresConnection.connect(
                            configuration, logger: TestPostgres.logger)
                        let epoch = try await LeaseQueries.acquire(
                            holder: .random(), address: "x", timeToLive: 600, connection,
                            deadline: .now + .seconds(60))
                        await connection.close()
                        return epoch
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(epochs.compactMap(\.self) == [ledger.token.epoch + 1])
        }
    }

    @Test("A paused leader that wakes up and writes is refused, and nothing of it stays")
    func pausedLeader() async throws {
        try await LedgerFixture.with { ledger in
            try await ledger.fill(10)
            let change = ledger.discover((0..<20).map { ledger.target($0) })
            // Meanwhile its term ends and another begins, and writes.
            var successor = try await LedgerFixture(ledger.configuration)
            let removed = successor.collectors(["a", "b"])
            try await successor.append(removed, cause: .membership)
            let stale = ledger.token
            let error = await #expect(throws: LedgerError.self) { try await ledger.append(change) }
            guard case .fenced(let token)? = error else {
                Issue.record("not fenced: \(String(describing: error))")
                return
            }
            #expect(token == stale)
            #expect(try await ledger.number("SELECT revision FROM ledger.head") == 3)
            #expect(try await ledger.number("SELECT count(*) FROM ledger.target") == 10)
            #expect(try await ledger.number("SELECT count(*) FROM ledger.revision WHERE epoch = \(stale.epoch)") == 2)
            await #expect(throws: LedgerError.self) {
                try await ledger.writer.record(
                    reports: [Self.report(targets: 1)], fencedBy: stale)
            }
            #expect(try await ledger.number("SELECT count(*) FROM ledger.discovery_run") == 0)
            let report = try await ChainVerifier.verify(ledger.configuration, logger: TestPostgres.logger)
            #expect(report.isIntact, "\(report.findings)")
            await successor.writer.close()
        }
    }

    @Test("A lease that ran out is no lease, even when nobody has taken it")
    func ranOut() async throws {
        try await LedgerFixture.with { ledger in
            let change = ledger.collectors(["a"])
            try await ledger.script("UPDATE ledger.lease SET expires_at = clock_timestamp()")
            let error = await #expect(throws: LedgerError.self) { try await ledger.append(change) }
            guard case .fenced? = error else {
                Issue.record("not fenced: \(String(describing: error))")
                return
            }
            #expect(try await ledger.number("SELECT count(*) FROM ledger.revision") == 0)
        }
    }

    @Test(
        "A lease from before the server's clock was set back does not hold everybody off until the clock gets there again"
    )
    func clockSetBack() async throws {
        try await LedgerFixture.with { ledger in
            let connection = try await connect(ledger)
            try await ledger.script(
                "UPDATE ledger.lease SET renewed_at = clock_timestamp() + interval '1 hour', "
                    + "expires_at = clock_timestamp() + interval '1 hour 10 s'")
            #expect(try await acquire(connection) == ledger.token.epoch + 1)
            // A little ahead is what it may be while a clock is corrected.
            try await ledger.script("UPDATE ledger.lease SET renewed_at = clock_timestamp() + interval '5 min'")
            #expect(try await acquire(connection) == nil)
            await connection.close()
        }
    }

    @Test("A term ends with its server: on one that took over it is refused, and the next one may write")
    func anotherServer() async throws {
        try await LedgerFixture.with { ledger in
            let change = ledger.collectors(["a"])
            // As if the term had begun before a standby was promoted.
            try await ledger.script("ALTER TABLE ledger.term DISABLE TRIGGER USER")
            try await ledger.script("UPDATE ledger.term SET timeline = timeline - 1")
            try await ledger.script("ALTER TABLE ledger.term ENABLE TRIGGER USER")
            let error = await #expect(throws: LedgerError.self) { try await ledger.append(change) }
            guard case .fenced? = error else {
                Issue.record("not fenced: \(String(describing: error))")
                return
            }
            var successor = try await LedgerFixture(ledger.configuration)
            let joined = successor.collectors(["a"])
            try await successor.append(joined, cause: .membership)
            #expect(try await ledger.number("SELECT revision FROM ledger.head") == 1)
            await successor.writer.close()
        }
    }

    @Test("A term in which nothing was recorded does not count as a time in which recording was certain")
    func silentTerm() async throws {
        try await LedgerFixture.with { ledger in
            try await ledger.fill(5)
            let silent = try await LedgerFixture.takeLease(ledger.configuration)
            let next = try await LedgerFixture.takeLease(ledger.configuration)
            let same = try await ledger.number(
                """
                SELECT count(*) FROM ledger.term a JOIN ledger.term b USING (recorded_until) \
                WHERE a.epoch = \(silent.epoch) AND b.epoch = \(next.epoch)
                """)
            #expect(same == 1)
        }
    }

    @Test("A renewal that comes when the lease has run out, perhaps of a process that is dead, changes nothing")
    func lateRenewal() async throws {
        try await LedgerFixture.with { ledger in
            let connection = try await connect(ledger)
            try await ledger.script(
                "UPDATE ledger.lease SET renewed_at = clock_timestamp() - interval '1 min', expires_at = clock_timestamp()"
            )
            #expect(
                try await LeaseQueries.renew(ledger.token, timeToLive: 600, connection, deadline: .now + .seconds(30))
                    == nil)
            let proofs = try await ledger.number(
                "SELECT count(*) FROM ledger.lease WHERE renewed_at > clock_timestamp() - interval '30 s'")
            #expect(proofs == 0)
            await connection.close()
        }
    }

    @Test("Recording is certain until the last renewal of a holder that could record, whatever was written after it")
    func holderThatCannotRecord() async throws {
        try await LedgerFixture.with { ledger in
            let connection = try await connect(ledger)
            try await ledger.fill(5)
            // Long enough ago that renewals must have been missed before the revisions.
            try await ledger.script(
                "UPDATE ledger.lease SET renewed_at = clock_timestamp() - interval '1 hour', "
                    + "expires_at = clock_timestamp() + interval '1 min'")
            let proof = try await LeaseQueries.renew(
                ledger.token, timeToLive: 600, isRecording: false, connection, deadline: .now + .seconds(30))
            let longer = try await ledger.number(
                """
                SELECT count(*) FROM ledger.lease WHERE renewed_at < clock_timestamp() - interval '59 min' \
                AND expires_at > clock_timestamp() + interval '5 min'
                """)
            #expect(longer == 1)
            try await LeaseQueries.release(
                ledger.token, reason: "stopped", isRecording: false, connection, deadline: .now + .seconds(30))
            let next = try #require(try await acquire(connection))
            let certain = try await connection.query("SELECT recorded_until FROM ledger.term WHERE epoch = \(next)")
                .first?.decode(0, as: Timestamp?.self)
            #expect(proof != nil && certain == proof)
            await connection.close()
        }
    }

    @Test("A client that vanishes in the middle of a write, and does not say so, holds others up for ten seconds")
    func vanishedWriter() async throws {
        try await LedgerFixture.with { ledger in
            // What holds within the transaction of a revision.
            try await ledger.script(
                """
                CREATE TABLE seen (value text);
                CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                INSERT INTO seen VALUES (current_setting('idle_in_transaction_session_timeout')); RETURN NULL; END $$;
                CREATE TRIGGER see AFTER INSERT ON ledger.revision FOR EACH ROW EXECUTE FUNCTION see();
                CREATE TRIGGER see AFTER INSERT ON ledger.term FOR EACH ROW EXECUTE FUNCTION see();
                """)
            try await ledger.fill(5)
            let seen = try await ledger.number("SELECT count(*) FROM seen WHERE value = '10s'")
            let others = try await ledger.number("SELECT count(*) FROM seen WHERE value <> '10s'")
            #expect(seen > 0 && others == 0)
            // Nor does one that vanishes while it takes the lease, for longer than the lease would have lasted.
            let keeper = LeaseKeeper(
                configuration: ledger.configuration, timeToLive: .seconds(7), renewInterval: .milliseconds(50),
                holder: .random(), address: "second:8080", logger: TestPostgres.logger)
            let running = Task { try await keeper.run() }
            try await ledger.script("UPDATE ledger.lease SET expires_at = clock_timestamp()")
            for await transition in keeper.transitions {
                if case .leading = transition { break }
            }
            #expect(try await ledger.number("SELECT count(*) FROM seen WHERE value = '7s'") == 1)
            running.cancel()
            _ = try? await running.value
            await keeper.release()
        }
    }

    @Test("A renewal passes a write that is under way; a takeover waits for it")
    func renewalPasses() async throws {
        try await LedgerFixture.with { ledger in
            let (writing, other) = (try await connect(ledger), try await connect(ledger))
            let token = ledger.token
            try await writing.transaction { @Sendable connection in
                try await LedgerQueries.fence(token, connection)
                let renewedAt = try await LeaseQueries.renew(
                    token, timeToLive: 600, other, deadline: .now + .seconds(30))
                #expect(renewedAt != nil)
                // Ended, but held by the write: whoever takes it over has to wait.
                try await other.execute("UPDATE ledger.lease SET expires_at = clock_timestamp()")
                let error = await #expect(throws: (any Error).self) {
                    try await other.transaction { @Sendable taker in
                        try await taker.execute("SET LOCAL lock_timeout = '200ms'")
                        try await taker.execute("UPDATE ledger.lease SET epoch = epoch + 1")
                    }
                }
                #expect((error as? PostgresError)?.sqlState == .lockNotAvailable)
            }
            #expect(try await acquire(other) == token.epoch + 1)
            await writing.close()
            await other.close()
        }
    }

    @Test("A renewal names its epoch: an old term cannot lengthen a new one")
    func oldTermRenews() async throws {
        try await LedgerFixture.with { ledger in
            let old = ledger.token
            let successor = try await LedgerFixture.takeLease(ledger.configuration)
            let connection = try await connect(ledger)
            #expect(
                try await LeaseQueries.renew(old, timeToLive: 600, connection, deadline: .now + .seconds(30)) == nil)
            #expect(
                try await LeaseQueries.renew(successor, timeToLive: 600, connection, deadline: .now + .seconds(30))
                    != nil)
            // Nor can its goodbye end it.
            try await LeaseQueries.release(old, reason: "stopped", connection, deadline: .now + .seconds(30))
            #expect(try await LeaseQueries.holder(connection, deadline: .now + .seconds(30)) != nil)
            await connection.close()
        }
    }

    @Test("A keeper tells who holds the lease, takes it when it is free and gives it up at the end")
    func keeper() async throws {
        try await LedgerFixture.with { ledger in
            let keeper = LeaseKeeper(
                configuration: ledger.configuration, timeToLive: .seconds(10), renewInterval: .milliseconds(50),
                holder: .random(), address: "second:8080", logger: TestPostgres.logger)
            let running = Task { try await keeper.run() }
            var transitions = keeper.transitions.makeAsyncIterator()
            #expect(await transitions.next() == .waiting(heldBy: "test:8080"))
            try await ledger.script("UPDATE ledger.lease SET expires_at = clock_timestamp()")
            guard case .leading(let token)? = await transitions.next() else {
                Issue.record("the keeper did not lead")
                return
            }
            #expect(token.epoch == ledger.token.epoch + 1)
            #expect(keeper.isTrusted(token))
            #expect(!keeper.isTrusted(ledger.token))
            // Somebody takes it by force.
            _ = try await LedgerFixture.takeLease(ledger.configuration)
            #expect(await transitions.next() == .lost(reason: "the lease ran out, or another process has taken it"))
            #expect(!keeper.isTrusted(token))
            #expect(await transitions.next() == .waiting(heldBy: "test:8080"))
            running.cancel()
            _ = try? await running.value
            await keeper.release()
        }
    }

    @Test("The row of a replica says that it leads as soon as it does")
    func leadingRow() async throws {
        try await LedgerFixture.with { ledger in
            let id = UUID128.random()
            // Once it leads it asks again, and reports when that is due, only minutes later.
            let keeper = LeaseKeeper(
                configuration: ledger.configuration, timeToLive: .seconds(600), renewInterval: .seconds(200),
                holder: id, address: "second:8080",
                status: {
                    ReplicaReport(
                        id: id, name: "second:8080", configuration: nil, applied: nil, state: .following, epoch: nil,
                        behindRevisions: 0, behindSeconds: 0, hearing: .listening)
                }, logger: TestPostgres.logger)
            let running = Task { try await keeper.run() }
            var transitions = keeper.transitions.makeAsyncIterator()
            #expect(await transitions.next() == .waiting(heldBy: "test:8080"))
            try await ledger.script("UPDATE ledger.lease SET expires_at = clock_timestamp()")
            await keeper.askNow()
            guard case .leading(let token)? = await transitions.next() else {
                Issue.record("the keeper did not lead")
                return
            }
            let connection = try await connect(ledger)
            let deadline = ContinuousClock.now + .seconds(30)
            var reports: [ReplicaReport] = []
            repeat {
                reports = try await ReplicaQuery().run(connection).map(\.report)
            } while reports.first?.epoch != token.epoch && .now < deadline
            #expect(reports.map(\.state) == [.leading])
            #expect(reports.map(\.epoch) == [token.epoch])
            #expect(try await ReplicaQuery().run(connection).map(\.isAlive) == [true])
            // Another has the lease now, and this one does not know yet, as one that was killed never will.
            _ = try await LedgerFixture.takeLease(ledger.configuration)
            #expect(try await ReplicaQuery().run(connection).map(\.isAlive) == [false])
            await connection.close()
            running.cancel()
            _ = try? await running.value
            await keeper.release()
        }
    }

    @Test("A term that ended because the database did not answer is followed by one that says so")
    func outage() async throws {
        try await LedgerFixture.with { ledger in
            try await ledger.fill(1)
            try await ledger.script("UPDATE ledger.lease SET expires_at = clock_timestamp()")
            let keeper = LeaseKeeper(
                configuration: ledger.configuration, timeToLive: .seconds(3), renewInterval: .milliseconds(50),
                holder: .random(), address: "first:8080", logger: TestPostgres.logger)
            let running = Task { try await keeper.run() }
            var transitions = keeper.transitions.makeAsyncIterator()
            guard case .leading(let token)? = await transitions.next() else {
                Issue.record("the keeper did not lead")
                return
            }
            // No renewal comes through. Then the server answers again, and the lease is still this process's own.
            let blocker = try await connect(ledger)
            try await blocker.execute("BEGIN")
            try await blocker.execute("SELECT FROM ledger.lease WHERE name = 'allocator' FOR UPDATE")
            guard case .lost? = await transitions.next() else {
                Issue.record("the term did not end")
                return
            }
            try await blocker.execute("UPDATE ledger.lease SET expires_at = clock_timestamp() + interval '600 s'")
            try await blocker.execute("COMMIT")
            var next = await transitions.next()
            while case .unavailable? = next { next = await transitions.next() }
            #expect(next == .waiting(heldBy: "first:8080"))
            try await ledger.script("UPDATE ledger.lease SET expires_at = clock_timestamp()")
            guard case .leading(let second)? = await transitions.next() else {
                Issue.record("the keeper did not lead again")
                return
            }
            #expect(second.epoch == token.epoch + 1)
            let cause = try await blocker.query("SELECT gap_cause FROM ledger.term WHERE epoch = \(second.epoch)")
            #expect(try cause.first?.decode(0, as: String?.self) == "database_outage")
            running.cancel()
            _ = try? await running.value
            await keeper.release()
            await blocker.close()
        }
    }

    @Test("A term that the fence refused is not renewed: it runs out, and the same process begins a new one")
    func fencedKeeper() async throws {
        try await LedgerFixture.with { ledger in
            let keeper = LeaseKeeper(
                configuration: ledger.configuration, timeToLive: .seconds(2), renewInterval: .milliseconds(50),
                holder: .random(), address: "second:8080", logger: TestPostgres.logger)
            let running = Task { try await keeper.run() }
            try await ledger.script("UPDATE ledger.lease SET expires_at = clock_timestamp()")
            var leading: [FencingToken] = []
            for await transition in keeper.transitions {
                guard case .leading(let token) = transition else { continue }
                leading.append(token)
                // As a walk does whose write came before the renewal of a lease that had run out.
                if leading.count == 1 { keeper.fenced(token) } else if token.epoch > leading[0].epoch { break }
            }
            #expect(leading.last?.epoch == ledger.token.epoch + 2)
            running.cancel()
            _ = try? await running.value
            await keeper.release()
        }
    }

    // MARK: Outcomes and reports

    @Test("A commit that was not heard of is found by its change id and not repeated")
    func unheardCommit() async throws {
        try await LedgerFixture.with { ledger in
            try await ledger.fill(5)
            let change = ledger.discover((0..<6).map { ledger.target($0) })
            let id = UUID128.random()
            let committed = try await ledger.append(change, id: id)
            // The answer was lost: the writer is as it was before it.
            try await ledger.writer.forgetAnswer(of: id)
            let found = try await ledger.append(change, id: id)
            #expect(found.head == committed.head)
            #expect(try await ledger.number("SELECT count(*) FROM ledger.revision") == 3)
            try await ledger.append(ledger.collectors(["a"]), cause: .membership)
            let report = try await ChainVerifier.verify(ledger.configuration, logger: TestPostgres.logger)
            #expect(report.isIntact, "\(report.findings)")
        }
    }

    private static func report(targets: Int, error: String? = nil, at second: Int64 = 0) -> DiscoveryReportDraft {
        DiscoveryReportDraft(
            job: "shop", provider: "http", source: "http://sd.example/", succeeded: error == nil, targets: targets,
            error: error, durationSeconds: 0.5,
            at: Timestamp(microsecondsSince1970: Timestamp.now().microsecondsSince1970 + second * 1_000_000))
    }

    @Test("Equal discovery results are one row that grows; a failure ends it and is never an empty result")
    func runs() async throws {
        try await LedgerFixture.with { ledger in
            try await ledger.append(ledger.collectors(["a"]), cause: .membership)
            let (writer, token) = (ledger.writer, ledger.token)
            for second in 0..<5 as Range<Int64> {
                try await writer.record(reports: [Self.report(targets: 3, at: second)], fencedBy: token)
            }
            for second in 5..<7 as Range<Int64> {
                try await writer.record(
                    reports: [Self.report(targets: 3, error: "status 500", at: second)], fencedBy: token)
            }
            try await writer.record(reports: [Self.report(targets: 3, at: 7)], fencedBy: token)
            // A restart goes on with the open run.
            let successor = try await LedgerFixture(ledger.configuration)
            try await successor.writer.record(
                reports: [Self.report(targets: 3, at: 8)], fencedBy: successor.token)
            let rows = try await ledger.query(
                """
                SELECT outcome || ' ' || rounds || ' ' || coalesce(error, '-') || ' '
                    || extract(epoch FROM last_at - first_at)::int FROM (
                    SELECT * FROM ledger.discovery_report UNION ALL SELECT * FROM ledger.discovery_run) r
                ORDER BY first_at
                """)
            #expect(
                try rows.map { try $0.decode(0, as: String.self) } == [
                    "succeeded 5 - 4", "failed 2 status 500 1", "succeeded 2 - 1",
                ])
            await successor.writer.close()
        }
    }
}

extension LedgerWriter {
    /// As if the session had ended after the commit and before its answer.
    fileprivate func forgetAnswer(of id: UUID128) async throws {
        await close()
        guard let number = head?.revision.number else { return }
        head = try await LedgerError.translating {
            let connection = try await connected()
            return try await connection.query(
                "SELECT revision, epoch, at, digest FROM ledger.revision WHERE revision = \(number - 1)"
            ).first.map { try LedgerQueries.head($0) }
        }
        var append = AppendProtocol()
        _ = append.begin()
        _ = append.take(.outcomeUnknown)
        pending = (id, append)
    }
}
