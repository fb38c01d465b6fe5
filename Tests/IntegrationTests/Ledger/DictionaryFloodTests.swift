//
// DictionaryFloodTests.swift: many new rows at once, over two sessions, one of which may die.
//

import AllocationCore
import PostgresDriver
import TestSupport
import Testing

@testable import AllocationLedger

/// Goal: a flood of new targets is recorded as every other change; a session that dies in the middle of it leaves no row
/// that names what is not there, and no number is given to two things.
///
/// Method: a table is locked, so that the copy into it waits and can be found; then its session is ended by the server.
@Suite struct DictionaryFloodTests {
    @Test("A flood in several parts is what a restart finds, and is intact")
    func flood() async throws {
        try await LedgerFixture.with { ledger in
            try await ledger.fill(26_000)
            #expect(try await ledger.number("SELECT count(*) FROM ledger.label_set") == 26_000)
            let other = try await LedgerFixture(ledger.configuration)
            #expect(other.state.contents == ledger.state.contents)
            await other.writer.close()
            let report = try await ChainVerifier.verify(ledger.configuration, logger: TestPostgres.logger)
            #expect(report.isIntact, "\(report.findings)")
        }
    }

    @Test("A session that dies while it copies", arguments: ["label", "label_set", "target"])
    func sessionDies(table: String) async throws {
        try await LedgerFixture.with { ledger in
            try await ledger.append(ledger.collectors(["a"]), cause: .membership)
            let lost = ledger.discover((0..<6000).map { ledger.target($0) })
            try await Self.expectFailure(of: lost, whileCopyingInto: table, ledger)
            #expect(
                try await ledger.number(
                    """
                    SELECT count(*) FROM ledger.label_set s, unnest(s.labels) AS l \
                    WHERE NOT EXISTS (SELECT FROM ledger.label WHERE id = l)
                    """) == 0)
            #expect(try await ledger.number("SELECT count(*) FROM ledger.target_event") == 0)
            // Something else comes first now: were a number of a lost row given to it, label sets would be mistaken.
            try await ledger.reload()
            try await ledger.append(ledger.discover((0..<6000).map { ledger.target($0, generation: 1) }))
            try await ledger.append(ledger.discover((0..<6000).map { ledger.target($0) }))
            let other = try await LedgerFixture(ledger.configuration)
            #expect(other.state.contents == ledger.state.contents)
            await other.writer.close()
            let report = try await ChainVerifier.verify(ledger.configuration, logger: TestPostgres.logger)
            #expect(report.isIntact, "\(report.findings)")
        }
    }

    @Test("The same draft is recorded once when it is tried again")
    func triedAgain() async throws {
        try await LedgerFixture.with { ledger in
            try await ledger.append(ledger.collectors(["a"]), cause: .membership)
            let change = ledger.discover((0..<6000).map { ledger.target($0) })
            let draft = RevisionDraft(change: change, cause: .discovery, causeDetail: "again")
            try await Self.expectFailure(of: draft, whileCopyingInto: "label_set", ledger)
            _ = try await ledger.writer.append(draft, fencedBy: ledger.token)
            #expect(try await ledger.number("SELECT count(*) FROM ledger.revision") == 2)
            #expect(try await ledger.number("SELECT count(*) FROM ledger.current_target") == 6000)
            let report = try await ChainVerifier.verify(ledger.configuration, logger: TestPostgres.logger)
            #expect(report.isIntact, "\(report.findings)")
        }
    }

    private static func expectFailure(
        of change: AllocationChange, whileCopyingInto table: String, _ ledger: LedgerFixture
    ) async throws {
        try await expectFailure(
            of: RevisionDraft(change: change, cause: .discovery, causeDetail: "lost"), whileCopyingInto: table, ledger)
    }

    private static func expectFailure(
        of draft: RevisionDraft, whileCopyingInto table: String, _ ledger: LedgerFixture
    ) async throws {
        let (writer, token) = (ledger.writer, ledger.token)
        let blocker = try await PostgresConnection.connect(ledger.configuration, logger: TestPostgres.logger)
        // A transaction sees the same activity all along, so another session looks.
        let watcher = try await PostgresConnection.connect(ledger.configuration, logger: TestPostgres.logger)
        let error = try await blocker.transaction(deadline: .now + .seconds(120)) {
            @Sendable connection -> LedgerError? in
            _ = try await connection.query("LOCK TABLE ledger.\(unsafeSQL: table) IN SHARE MODE")
            async let appended = writer.append(draft, fencedBy: token)
            var ended: Int64 = 0
            while ended == 0 {
                let rows = try await watcher.query(
                    """
                    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() \
                    AND wait_event_type = 'Lock' AND query LIKE \("COPY ledger.\(table) (%")
                    """)
                ended = try rows.first?.decode(0) ?? 0
            }
            do {
                _ = try await appended
                return nil
            } catch let error as LedgerError {
                return error
            }
        }
        await blocker.close()
        await watcher.close()
        #expect(error?.isRetryable == true, "\(String(describing: error))")
    }
}
