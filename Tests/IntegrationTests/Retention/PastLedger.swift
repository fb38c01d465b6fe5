//
// PastLedger.swift: a ledger whose clock stands in the past and is moved by the test.
//

import AllocationCore
import PostgresDriver
import TestSupport

@testable import AllocationLedger

/// A ledger that is written over several days within one test.
///
/// Every session finds a `clock_timestamp` of the test's in front of the server's own, so that all times in the ledger are
/// what they would have been. Functions of the ledger that check whether a day is over see the real time, which is later.
struct PastLedger {
    var ledger: LedgerFixture

    /// The day on which the clock starts.
    static let firstDay = RetentionDay("2026-03-01").unsafelyUnwrapped

    static func with<T>(
        isolation: isolated (any Actor)? = #isolation, _ body: (inout PastLedger) async throws -> T
    ) async throws -> T {
        try await LedgerFixture.with(
            isolation: isolation,
            prepare: { configuration in
                let connection = try await PostgresConnection.connect(configuration, logger: TestPostgres.logger)
                try await connection.executeScript(
                    unsafeSQL: """
                        CREATE SCHEMA test_clock;
                        CREATE TABLE test_clock.time (began timestamptz NOT NULL, shown timestamptz NOT NULL);
                        INSERT INTO test_clock.time VALUES (pg_catalog.clock_timestamp(), '\(firstDay)T12:00:00Z');
                        CREATE FUNCTION test_clock.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS
                            'SELECT shown + (pg_catalog.clock_timestamp() - began) FROM test_clock.time';
                        """)
                await connection.close()
                configuration.searchPath = "test_clock, pg_catalog"
            }
        ) { fixture in
            var past = PastLedger(ledger: fixture)
            try await past.keepLease()
            let result = try await body(&past)
            fixture = past.ledger
            return result
        }
    }

    /// Moves the clock to noon of a day.
    func move(to day: RetentionDay) async throws {
        try await ledger.script(
            "UPDATE test_clock.time SET began = pg_catalog.clock_timestamp(), shown = '\(day)T12:00:00Z'")
    }

    /// A lease of some minutes would run out with every day.
    private func keepLease() async throws {
        try await ledger.script("UPDATE ledger.lease SET expires_at = '2200-01-01T00:00:00Z'")
    }

    func endLease() async throws {
        try await ledger.script("UPDATE ledger.lease SET expires_at = clock_timestamp()")
    }

    /// Writes on so many days in a row, two revisions a day, and leaves the clock at noon of the day after the last.
    ///
    /// - Returns: The point of each day's last revision.
    mutating func write(days: Int) async throws -> [RevisionPoint] {
        var points: [RevisionPoint] = []
        var day = Self.firstDay
        for index in 0..<days {
            try await move(to: day)
            try await ledger.append(
                ledger.collectors(["a", "b", index % 2 == 0 ? "c" : "d"]), cause: .membership, detail: "day \(index)")
            let report = DiscoveryReportDraft(
                job: "shop", provider: "file", source: "targets.json", succeeded: true, targets: 20,
                durationSeconds: 0.01, at: day.start.advanced(by: .seconds(43_200)))
            let committed = try await ledger.append(
                ledger.discover((0..<20).map { ledger.target($0, generation: index) }), reports: [report])
            points.append(RevisionPoint(revision: committed.head.revision, at: committed.head.at))
            day = day.next
        }
        try await move(to: day)
        return points
    }

    // MARK: Operations

    /// The leader's executor, and a session for it.
    func executing<T>(
        _ body: (OperatorExecutor, PostgresConnection) async throws -> T
    ) async throws -> T {
        let recorder = TermRecorder(writer: ledger.writer, placement: ledger.state.placement, token: ledger.token)
        let connection = try await PostgresConnection.connect(ledger.configuration, logger: TestPostgres.logger)
        let executor = OperatorExecutor(recorder: recorder, logger: TestPostgres.logger)
        let result: Result<T, any Error>
        do { result = .success(try await body(executor, connection)) } catch { result = .failure(error) }
        await connection.close()
        return try result.get()
    }

    @discardableResult
    func run(_ operation: OperatorOperation) async throws -> String {
        try await executing { try await $0.run(operation, askedBy: "test", $1) }
    }

    /// Records that a day is given up, and does nothing about its tables.
    func giveUp(_ day: RetentionDay) async throws {
        let seals = try await read { connection in
            var sealer = DaySealer(day)
            return try await sealer.seals(connection)
        }
        let recorder = TermRecorder(writer: ledger.writer, placement: ledger.state.placement, token: ledger.token)
        _ = try await recorder.record(.drop(day, seals, export: nil, askedBy: "test"))
    }

    func catalogue() async throws -> DayCatalogue { try await read { try await DayCatalogue.read($0) } }

    func read<T: Sendable>(_ body: @Sendable (isolated PostgresConnection) async throws -> T) async throws -> T {
        try await HistoryReader(ledger.configuration, logger: TestPostgres.logger).read(body)
    }

    /// Names of the tables of a day that are there.
    func tables(of day: RetentionDay) async throws -> Int64 {
        try await ledger.number(
            "SELECT count(*) FROM ledger.retention_partition WHERE NOT is_derived AND partition LIKE \("%\(day.suffix)")"
        )
    }
}
