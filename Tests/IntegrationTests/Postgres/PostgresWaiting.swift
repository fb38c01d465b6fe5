//
// PostgresWaiting.swift: waits until the server says that something has happened, instead of sleeping.
//

import PostgresDriver
import Testing

extension PostgresConnection {
    /// Asks again and again until the statement's first value is true; fails the test after a minute.
    func waitUntil(_ sql: SQL, _ what: Comment) async throws {
        let end = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < end {
            if try await query(sql)[0].decode(0, as: Bool.self) { return }
            // The server's clock, so that this asks no more than some hundred times a second.
            try await execute("SELECT pg_sleep(0.005)")
        }
        Issue.record(what)
    }

    /// Until a session waits for a lock that another holds.
    func waitUntilBlocked(_ backendPID: Int32) async throws {
        try await waitUntil(
            "SELECT cardinality(pg_blocking_pids(\(backendPID))) > 0", "session \(backendPID) never waited for a lock")
    }

    /// Until a session is no more.
    func waitUntilGone(_ backendPID: Int32) async throws {
        try await waitUntil(
            "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = \(backendPID))",
            "session \(backendPID) never ended")
    }
}

/// Fails the test unless `body` throws a PostgresError of the kind, and hands the error on.
@discardableResult
func expect<T>(
    _ kind: PostgresError.Kind, sourceLocation: SourceLocation = #_sourceLocation,
    isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> T
) async -> PostgresError? {
    do {
        _ = try await body()
        Issue.record("nothing was thrown", sourceLocation: sourceLocation)
    } catch let error as PostgresError {
        #expect(error.kind == kind, "\(error)", sourceLocation: sourceLocation)
        return error
    } catch {
        Issue.record(error, sourceLocation: sourceLocation)
    }
    return nil
}
