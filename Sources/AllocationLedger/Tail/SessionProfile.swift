//
// SessionProfile.swift: finds out whether a session with the database is one, or a pooler hands out another each time.
//
// Behind PgBouncer in transaction mode each transaction runs on whatever session of the server is free. LISTEN then
// reaches nobody, SET changes somebody else's session, and a statement that was prepared may be unknown. A pooler shows by
// the process it names; what it does with sessions shows only when two of its clients work at once.
//

import Logging
import PostgresDriver

/// What a session outlives.
package enum SessionProfile: Sendable, Hashable {
    /// A session of our own, from connecting to closing.
    case lasting
    /// Each transaction may run on another session.
    case pooled(reason: String)

    /// A pooler may happen to hand out the same session again.
    private static let attempts = 3
    /// A pooler with one session makes the second client wait for it.
    private static let patience = Duration.seconds(3)

    /// Asks the database.
    ///
    /// - Throws: ``LedgerError`` when it cannot be asked.
    package static func find(_ configuration: PostgresConfiguration, logger: Logger) async throws -> SessionProfile {
        try await LedgerError.translating {
            let first = try await PostgresConnection.connect(configuration, logger: logger)
            let result: Result<SessionProfile, any Error>
            do { result = .success(try await find(first, configuration, logger)) } catch { result = .failure(error) }
            await first.close()
            return try result.get()
        }
    }

    private static func find(
        _ first: PostgresConnection, _ configuration: PostgresConfiguration, _ logger: Logger
    ) async throws -> SessionProfile {
        // Without a pooler the server names its own process, and that is that.
        guard await first.isPooled else { return .lasting }
        for _ in 0..<attempts {
            let second = try await PostgresConnection.connect(configuration, logger: logger)
            let result: Result<SessionProfile, any Error>
            do { result = .success(try await compare(first, second)) } catch { result = .failure(error) }
            await second.close()
            if case .pooled(let reason) = try result.get() { return .pooled(reason: reason) }
        }
        return .lasting
    }

    /// What the two get while both have something to do.
    private static func compare(
        _ first: PostgresConnection, _ second: PostgresConnection
    ) async throws -> SessionProfile {
        let before = try await backend(first)
        let (other, after) = try await second.transaction { @Sendable connection in
            let other = try await backend(connection)
            do {
                return (other, try await backend(first))
            } catch let error as PostgresError where error.kind == .deadlineExceeded {
                return (other, Int32(-1))
            }
        }
        if other == before {
            return .pooled(reason: "two connections were given the same session of the server, process \(other)")
        }
        guard before != after else { return .lasting }
        return .pooled(
            reason: after < 0
                ? "a connection waited for another's transaction to end"
                : "one connection was given process \(before) of the server and then \(after)")
    }

    private static func backend(_ connection: PostgresConnection) async throws -> Int32 {
        let rows = try await connection.query("SELECT pg_backend_pid()", deadline: .now + patience)
        guard let row = rows.first else { throw LedgerError.corrupted("the server does not tell its process") }
        return try row.decode(0, as: Int32.self)
    }
}
