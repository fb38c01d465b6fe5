//
// PostgresCancellationTests.swift
//

import Glibc
import PostgresDriver
import TestSupport
import Testing

/// Goal: every call ends: by its deadline, by cancelling, by the server's own timeout; and what the session is worth
/// afterwards is known.
///
/// Method: locks and pg_sleep hold a statement for as long as the test likes; a second session watches the first.
@Suite struct PostgresCancellationTests {
    /// The server does, and it may take a busy machine a while to hear of it.
    private static func givesUpSoon(_ configuration: inout PostgresConfiguration) {
        configuration.statementTimeout = .milliseconds(50)
        configuration.answerPatience = .seconds(30)
    }

    private func withTwo<T>(
        _ change: (inout PostgresConfiguration) -> Void = { _ in },
        _ body: (_ connection: PostgresConnection, _ other: PostgresConnection) async throws -> T
    ) async throws -> T {
        try await TestPostgres.withDatabase { connectionString in
            var configuration = try PostgresConfiguration(connectionString: connectionString)
            change(&configuration)
            let connection = try await PostgresConnection.connect(configuration, logger: TestPostgres.logger)
            return try await body(connection, try await TestPostgres.connect(connectionString))
        }
    }

    @Test("Cancelling the task cancels the statement on the server, and the session goes on")
    func taskCancelled() async throws {
        try await withTwo { connection, other in
            try await other.execute("SELECT pg_advisory_lock(1)")
            let task = Task { try await connection.execute("SELECT pg_advisory_lock(1)") }
            try await other.waitUntilBlocked(connection.backendPID)
            task.cancel()
            let error = await expect(.cancelled) { _ = try await task.value }
            #expect(error?.sqlState == .queryCanceled)
            #expect(try await connection.query("SELECT 1").count == 1)
        }
    }

    @Test("A task cancelled before its turn sends nothing")
    func cancelledBefore() async throws {
        try await withTwo { connection, _ in
            let task = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                try await connection.execute("CREATE TABLE t ()")
            }
            await expect(.cancelled) { _ = try await task.value }
            await expect(.server(.undefinedTable)) { try await connection.query("SELECT * FROM t") }
        }
    }

    @Test("cancelRunning cancels what runs, and nothing when nothing does")
    func cancelRunning() async throws {
        try await withTwo { connection, other in
            await connection.cancelRunning()
            #expect(try await connection.query("SELECT 1").count == 1)
            try await other.execute("SELECT pg_advisory_lock(1)")
            let task = Task { try await connection.execute("SELECT pg_advisory_lock(1)") }
            try await other.waitUntilBlocked(connection.backendPID)
            await connection.cancelRunning()
            await expect(.cancelled) { _ = try await task.value }
            for _ in 0..<100 { #expect(try await connection.query("SELECT 1").count == 1) }
        }
    }

    @Test("Cancelling again and again never hits the statement behind")
    func cancelRace() async throws {
        try await withTwo { connection, _ async throws in
            for _ in 0..<50 {
                let task = Task { try await connection.query("SELECT 1") }
                task.cancel()
                _ = try? await task.value
                #expect(try await connection.query("SELECT 2").count == 1)
            }
        }
    }

    @Test("When the deadline passes the session is closed, and the server stops too")
    func deadline() async throws {
        try await withTwo { connection, other in
            let start = ContinuousClock.now
            // Long enough to be sent first: one that passes before that costs no session.
            let error = await expect(.deadlineExceeded) {
                try await connection.execute("SELECT pg_sleep(60)", deadline: .now + .seconds(3))
            }
            #expect(start.duration(to: .now) < .seconds(30))
            #expect(error?.statement == "SELECT pg_sleep(60)")
            await expect(.connectionLost) { try await connection.query("SELECT 1") }
            try await other.waitUntilGone(connection.backendPID)
        }
    }

    @Test("A deadline in the past sends nothing and costs no session")
    func pastDeadline() async throws {
        try await withTwo { connection, _ async throws in
            await expect(.deadlineExceeded) {
                try await connection.execute("CREATE TABLE t ()", deadline: .now - .seconds(1))
            }
            #expect(try await connection.query("SELECT 1").count == 1)
        }
    }

    @Test("Waiting for the connection counts, and costs no session")
    func queueDeadline() async throws {
        try await withTwo { connection, other in
            try await other.execute("SELECT pg_advisory_lock(1)")
            let first = Task { try await connection.execute("SELECT pg_advisory_lock(1)") }
            try await other.waitUntilBlocked(connection.backendPID)
            await expect(.deadlineExceeded) {
                try await connection.query("SELECT 1", deadline: .now + .milliseconds(20))
            }
            let waiting = Task { try await connection.query("SELECT 1") }
            waiting.cancel()
            await expect(.cancelled) { _ = try await waiting.value }
            try await other.execute("SELECT pg_advisory_unlock(1)")
            _ = try await first.value
            #expect(try await connection.query("SELECT 1").count == 1)
        }
    }

    @Test("Without a deadline the server's statement_timeout ends the statement, and the session goes on")
    func statementTimeout() async throws {
        try await withTwo(Self.givesUpSoon) { connection, _ async throws in
            await expect(.server(.queryCanceled)) { try await connection.execute("SELECT pg_sleep(60)") }
            #expect(try await connection.query("SELECT 1").count == 1)
        }
    }

    @Test("A later deadline raises the server's timeout for its call, and the next call lowers it again")
    func longCall() async throws {
        try await withTwo(Self.givesUpSoon) { connection, _ in
            try await connection.execute("SELECT pg_sleep(0.2)", deadline: .now + .seconds(60))
            await expect(.server(.queryCanceled)) { try await connection.execute("SELECT pg_sleep(60)") }
            struct Stop: Error {}
            await #expect(throws: Stop.self) {
                try await connection.transaction(deadline: .now + .seconds(60)) { connection in
                    try await connection.execute("SELECT pg_sleep(0.2)", deadline: .now + .seconds(60))
                    throw Stop()
                }
            }
            try await connection.execute("SELECT pg_sleep(0.2)", deadline: .now + .seconds(60))
        }
    }

    @Test("A frozen backend is noticed by the deadline, as nothing else would")
    func frozen() async throws {
        try await withTwo { connection, other async throws in
            kill(connection.backendPID, SIGSTOP)
            defer {
                kill(connection.backendPID, SIGCONT)
            }
            await expect(.deadlineExceeded) {
                try await connection.execute("SELECT 1", deadline: .now + .milliseconds(100))
            }
            // The others are not held up.
            #expect(try await other.query("SELECT 1").count == 1)
        }
    }

    @Test("A frozen backend that is to be cancelled costs the session, not the caller's time")
    func frozenCancelled() async throws {
        try await withTwo { connection, other in
            try await other.execute("SELECT pg_advisory_lock(1)")
            let task = Task {
                try await connection.execute("SELECT pg_advisory_lock(1)", deadline: .now + .seconds(600))
            }
            try await other.waitUntilBlocked(connection.backendPID)
            kill(connection.backendPID, SIGSTOP)
            defer { kill(connection.backendPID, SIGCONT) }
            task.cancel()
            await expect(.cancelled) { _ = try await task.value }
            #expect(await !connection.isUsable)
        }
    }

    @Test("A session closed under a statement ends it")
    func closed() async throws {
        try await withTwo { connection, other in
            try await other.execute("SELECT pg_advisory_lock(1)")
            let task = Task { try await connection.execute("SELECT pg_advisory_lock(1)") }
            try await other.waitUntilBlocked(connection.backendPID)
            await connection.close()
            await expect(.connectionLost) { _ = try await task.value }
            try await other.execute("SELECT pg_advisory_unlock(1)")
        }
    }

    @Test("A slow statement holds up no other session, although all share one thread")
    func sharedThread() async throws {
        try await withTwo { connection, other in
            try await other.execute("SELECT pg_advisory_lock(1)")
            let task = Task { try await connection.execute("SELECT pg_advisory_lock(1)") }
            try await other.waitUntilBlocked(connection.backendPID)
            for number in 0..<100 {
                #expect(try await other.query("SELECT \(number)")[0].decode(0, as: Int.self) == number)
            }
            try await other.execute("SELECT pg_advisory_unlock(1)")
            _ = try await task.value
        }
    }
}
