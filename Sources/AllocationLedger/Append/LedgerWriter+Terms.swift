//
// LedgerWriter+Terms.swift: what a writer does at the beginning of a term and at the end of a day.
//

import AllocationCore
import PostgresDriver

extension LedgerWriter {
    /// How the term began that this token names.
    package func termStart(_ token: FencingToken) async throws -> TermStart {
        try await LedgerError.translating { try await TermStart.read(token, connected()) }
    }

    /// The database's clock.
    package func databaseTime() async throws -> Timestamp {
        try await LedgerError.translating {
            let row = try await connected().query("SELECT clock_timestamp()").first
            return try row?.decode(0, as: Timestamp.self) ?? .now()
        }
    }

    /// Makes this writer expect the tip as it is, without reading the state. Good for revisions that change no target.
    ///
    /// - Returns: The placement rule in force; nil while nothing is recorded.
    package func loadTip() async throws -> Placement? {
        try await LedgerError.translating {
            let connection = try await connected()
            try await Migrator.requireCurrent(connection)
            let tip = try await connection.transaction(isolation: .repeatableRead, readOnly: true) {
                @Sendable connection in try await Self.readTip(connection)
            }
            head = tip.head
            currentConfiguration = tip.rules.configuration.map { ($0.id, $0.record.digest) }
            runsBeginAt = tip.runsBeginAt
            openRuns = tip.runs
            mustReadHighest = true
            pending = nil
            return tip.head == nil ? nil : tip.rules.placement
        }
    }

    /// Ends every run of discovery results that began before an instant, so that the days before it can be sealed. A result
    /// that is the same again begins a run of its own.
    package func endRuns(before end: Timestamp, fencedBy token: FencingToken) async throws {
        try await LedgerError.translating {
            let connection = try await connected()
            try await ensurePartitions(connection)
            let columns: SQL = """
                first_at, last_at, job, provider, source, outcome, targets, added, removed, dropped_by_relabelling, \
                error, duration, rounds, revision
                """
            try await connection.transaction { @Sendable connection in
                try await LedgerQueries.fence(token, connection)
                _ = try await connection.pipeline([
                    """
                    INSERT INTO ledger.discovery_report (\(columns)) SELECT \(columns) FROM ledger.discovery_run \
                    WHERE first_at < \(end)
                    """,
                    "DELETE FROM ledger.discovery_run WHERE first_at < \(end)",
                ])
            }
            openRuns = openRuns.filter { $0.value.firstAt >= end }
            runsBeginAt = max(runsBeginAt, end)
        }
    }
}
