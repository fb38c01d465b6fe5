//
// PostgresNotificationTests.swift
//

import PostgresDriver
import TestSupport
import Testing

/// Goal: notifications arrive in order, statements run beside the waiting, and a session that dies while it listens is
/// noticed.
@Suite struct PostgresNotificationTests {
    private func withListener<T>(
        _ body: (_ listener: PostgresConnection, _ other: PostgresConnection) async throws -> T
    ) async throws -> T {
        try await TestPostgres.withDatabase { connectionString in
            let listener = try await TestPostgres.connect(connectionString)
            try await listener.listen("the \"channel\"")
            return try await body(listener, try await TestPostgres.connect(connectionString))
        }
    }

    private func notify(_ payload: String, from connection: PostgresConnection) async throws {
        try await connection.execute("SELECT pg_notify('the \"channel\"', \(payload))")
    }

    @Test("Notifications come in order, with channel, payload and sender")
    func order() async throws {
        try await withListener { listener, other in
            async let first = listener.nextNotification(deadline: .now + .seconds(30))
            for payload in ["1", "2", "3"] { try await notify(payload, from: other) }
            let notification = try #require(try await first)
            #expect(notification.channel == "the \"channel\"" && notification.payload == "1")
            #expect(notification.backendPID == other.backendPID)
            for payload in ["2", "3"] {
                #expect(try await listener.nextNotification(deadline: .now + .seconds(30))?.payload == payload)
            }
        }
    }

    @Test("Without a notification the deadline ends the waiting, and the session goes on")
    func deadline() async throws {
        try await withListener { listener, other in
            #expect(try await listener.nextNotification(deadline: .now + .milliseconds(20)) == nil)
            try await notify("late", from: other)
            #expect(try await listener.nextNotification(deadline: .now + .seconds(30))?.payload == "late")
        }
    }

    @Test("A heartbeat runs beside the waiting, and takes no notification away")
    func heartbeat() async throws {
        try await withListener { listener, other in
            for round in 0..<50 {
                async let next = listener.nextNotification(deadline: .now + .seconds(30))
                #expect(try await listener.query("SELECT 1").count == 1)
                try await notify("\(round)", from: other)
                #expect(try await listener.query("SELECT 1").count == 1)
                #expect(try await next?.payload == "\(round)")
            }
            // One that the statement itself brings along.
            async let own = listener.nextNotification(deadline: .now + .seconds(30))
            try await notify("own", from: listener)
            #expect(try await own?.payload == "own")
        }
    }

    @Test("A session that dies while it listens throws, by the server's code")
    func lost() async throws {
        try await withListener { listener, other in
            let waiting = Task { try await listener.nextNotification(deadline: .now + .seconds(30)) }
            try await other.execute("SELECT pg_terminate_backend(\(listener.backendPID))")
            let error = await expect(.connectionLost) { _ = try await waiting.value }
            #expect(error?.sqlState == .adminShutdown)
        }
    }

    @Test("Cancelling ends the waiting, and a second waiter is refused")
    func cancelled() async throws {
        try await withListener { listener, other in
            let waiting = Task { try await listener.nextNotification(deadline: .now + .seconds(30)) }
            waiting.cancel()
            await expect(.cancelled) { _ = try await waiting.value }
            await withTaskGroup(of: PostgresError.Kind?.self) { group in
                for _ in 0..<2 {
                    group.addTask {
                        do throws(PostgresError) {
                            _ = try await listener.nextNotification(deadline: .now + .seconds(30))
                            return nil
                        } catch {
                            return error.kind
                        }
                    }
                }
                #expect(await group.next() == .misuse)
                group.cancelAll()
                #expect(await group.next() == .cancelled)
            }
            try await notify("still there", from: other)
            #expect(try await listener.nextNotification(deadline: .now + .seconds(30))?.payload == "still there")
        }
    }
}
