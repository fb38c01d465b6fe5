//
// PostgresPoolTests.swift
//

import EmbeddedPostgres
import Glibc
import PostgresDriver
import TestSupport
import Testing

/// Goal: the pool hands out as many sessions as it may, survives the loss of each and of the server, and never hands
/// out one that is in the middle of something.
@Suite struct PostgresPoolTests {
    private func withPool<T>(size: Int, _ body: (PostgresPool, String) async throws -> T) async throws -> T {
        try await TestPostgres.withDatabase { connectionString in
            let pool = PostgresPool(
                try PostgresConfiguration(connectionString: connectionString), size: size, logger: TestPostgres.logger)
            do {
                let value = try await body(pool, connectionString)
                await pool.close()
                return value
            } catch {
                await pool.close()
                throw error
            }
        }
    }

    /// As every caller does with an error that may pass: a session that is about to die is not told from a live one.
    private func untilItSucceeds<T>(_ body: () async throws -> T) async throws {
        let end = ContinuousClock.now + .seconds(60)
        while true {
            do {
                _ = try await body()
                return
            } catch let error as PostgresError where error.isTransient && ContinuousClock.now < end {}
        }
    }

    @Test("Many tasks share few sessions")
    func sharing() async throws {
        try await withPool(size: 3) { pool, _ in
            let backends = try await withThrowingTaskGroup(of: Int32.self) { group in
                for number in 0..<200 {
                    group.addTask {
                        try await pool.withConnection { connection in
                            let row = try await connection.query("SELECT \(number)")[0]
                            #expect(try row.decode(0, as: Int.self) == number)
                            return connection.backendPID
                        }
                    }
                }
                return try await group.reduce(into: Set<Int32>()) { $0.insert($1) }
            }
            #expect((1...3).contains(backends.count))
        }
    }

    @Test("When all are in use the deadline ends the waiting, and cancelling does")
    func exhausted() async throws {
        try await withPool(size: 1) { pool, _ in
            try await pool.withConnection { _ in
                await expect(.poolExhausted) {
                    try await pool.withConnection(deadline: .now + .milliseconds(20)) { _ in }
                }
                let waiting = Task { try await pool.withConnection { _ in } }
                waiting.cancel()
                await expect(.cancelled) { try await waiting.value }
            }
            try await pool.withConnection { _ in }
        }
    }

    @Test("A session that died idle, or was left in a transaction, is replaced")
    func replaced() async throws {
        try await withPool(size: 1) { pool, connectionString in
            let first = try await pool.withConnection { $0.backendPID }
            #expect(try await pool.withConnection { $0.backendPID } == first)
            let other = try await TestPostgres.connect(connectionString)
            try await other.execute("SELECT pg_terminate_backend(\(first))")
            try await other.waitUntilGone(first)
            let second = try await pool.withConnection { connection in
                try await connection.execute("BEGIN")
                return connection.backendPID
            }
            #expect(second != first)
            #expect(try await pool.withConnection { $0.backendPID } != second)
        }
    }

    @Test("An error of the body comes out as it is, and the session stays")
    func bodysError() async throws {
        struct Stop: Error {}
        try await withPool(size: 1) { pool, _ in
            let first = try await pool.withConnection { $0.backendPID }
            await #expect(throws: Stop.self) { try await pool.withConnection { _ in throw Stop() } }
            #expect(try await pool.withConnection { $0.backendPID } == first)
        }
    }

    @Test("A wrong database fails at once, a missing server by the deadline, with its own error")
    func cannotConnect() async throws {
        let cluster = try await TestPostgres.cluster()
        let nowhere = PostgresPool(
            try PostgresConfiguration(connectionString: cluster.connectionString(database: "nowhere")), size: 2,
            logger: TestPostgres.logger)
        let start = ContinuousClock.now
        await expect(.server(.invalidCatalogName)) {
            try await nowhere.withConnection(deadline: .now + .seconds(60)) { _ in }
        }
        #expect(start.duration(to: .now) < .seconds(30))
        let missing = PostgresPool(
            try PostgresConfiguration(connectionString: "host=/nonexistent user=x"), size: 2,
            logger: TestPostgres.logger)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<5 {
                group.addTask {
                    await expect(.connectionFailed) {
                        // Long enough for a first attempt on a machine that is busy with the other tests.
                        try await missing.withConnection(deadline: .now + .seconds(15)) { _ in }
                    }
                }
            }
        }
    }

    @Test("A closed pool refuses")
    func closed() async throws {
        try await withPool(size: 1) { pool, _ in
            try await pool.withConnection { _ in await pool.close() }
            await expect(.poolExhausted) { try await pool.withConnection { _ in } }
        }
    }

    @Test("The server killed -9 in the middle of statements: each ends, and the pool is back when the server is")
    func serverKilled() async throws {
        try await TestPostgres.withOwnCluster { cluster in
            let pool = PostgresPool(
                try PostgresConfiguration(connectionString: cluster.connectionString), size: 4,
                logger: TestPostgres.logger)
            try await pool.withConnection { observer in
                try await observer.execute("SELECT pg_advisory_lock(1)")
                await withTaskGroup(of: Void.self) { group in
                    for _ in 0..<3 {
                        group.addTask {
                            await expect(.connectionLost) {
                                try await pool.withConnection { try await $0.execute("SELECT pg_advisory_lock(1)") }
                            }
                        }
                    }
                    try? await observer.waitUntil(
                        "SELECT count(*) = 3 FROM pg_locks WHERE NOT granted", "the statements never began")
                    kill(cluster.serverPID, SIGKILL)
                }
            }
            try await untilItSucceeds {
                try await pool.withConnection(deadline: .now + .seconds(60)) { try await $0.query("SELECT 1") }
            }
            #expect(cluster.restartCount == 1)
            await pool.close()
        }
    }

    @Test("One backend killed -9: every session is reset, and the pool is back")
    func backendKilled() async throws {
        try await TestPostgres.withOwnCluster { cluster in
            let pool = PostgresPool(
                try PostgresConfiguration(connectionString: cluster.connectionString), size: 2,
                logger: TestPostgres.logger)
            let victim = try await TestPostgres.connect(cluster.connectionString)
            try await pool.withConnection { connection in
                kill(victim.backendPID, SIGKILL)
                await expect(.connectionLost) {
                    try await connection.execute("SELECT pg_sleep(60)", deadline: .now + .seconds(30))
                }
            }
            try await untilItSucceeds {
                try await pool.withConnection(deadline: .now + .seconds(60)) { try await $0.query("SELECT 1") }
            }
            #expect(cluster.restartCount == 0)
            await pool.close()
        }
    }
}
