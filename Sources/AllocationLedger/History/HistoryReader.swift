//
// HistoryReader.swift: one question, one snapshot: what several statements read belongs together.
//

import Logging
import PostgresDriver

/// Reads the history. Knows nothing but the database, so it works while every allocator is down.
package struct HistoryReader: Sendable {
    private enum Source: Sendable {
        case pool(PostgresPool)
        case configuration(PostgresConfiguration, Logger)
    }

    private let source: Source

    /// Over a pool's sessions: for a server.
    package init(_ pool: PostgresPool) { source = .pool(pool) }

    /// Over a session of its own for each read: for a command.
    package init(_ configuration: PostgresConfiguration, logger: Logger) {
        source = .configuration(configuration, logger)
    }

    /// Runs `body` in one read-only snapshot.
    ///
    /// - Parameter deadline: For the whole, getting a session included.
    /// - Throws: ``LedgerError``, ``HistoryError``, or what `body` throws.
    package func read<T: Sendable>(
        deadline: ContinuousClock.Instant? = nil,
        _ body: @Sendable (isolated PostgresConnection) async throws -> T
    ) async throws -> T {
        try await LedgerError.translating {
            switch source {
            case .pool(let pool):
                return try await pool.withConnection(deadline: deadline) { connection in
                    try await Self.snapshot(connection, deadline, body)
                }
            case .configuration(let configuration, let logger):
                let connection = try await PostgresConnection.connect(configuration, logger: logger)
                do {
                    try await Migrator.requireCurrent(connection)
                    let value = try await Self.snapshot(connection, deadline, body)
                    await connection.close()
                    return value
                } catch {
                    await connection.close()
                    throw error
                }
            }
        }
    }

    private static func snapshot<T: Sendable>(
        _ connection: PostgresConnection, _ deadline: ContinuousClock.Instant?,
        _ body: @Sendable (isolated PostgresConnection) async throws -> T
    ) async throws -> T {
        try await connection.transaction(
            isolation: .repeatableRead, readOnly: true, deadline: deadline, body)
    }
}

/// From `since` on, before `until`; nil is without a bound.
package struct HistoryWindow: Sendable, Hashable {
    package var since: Timestamp?
    package var until: Timestamp?

    package init(since: Timestamp? = nil, until: Timestamp? = nil) {
        self.since = since
        self.until = until
    }

    /// `AND`-terms on a column of times; begins with a space.
    func terms(_ column: SQL) -> SQL {
        var terms: SQL = ""
        if let since { terms = "\(terms) AND \(column) >= \(since)" }
        if let until { terms = "\(terms) AND \(column) < \(until)" }
        return terms
    }
}
