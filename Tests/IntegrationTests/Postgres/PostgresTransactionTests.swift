//
// PostgresTransactionTests.swift
//

import Glibc
import PostgresDriver
import TestSupport
import Testing

/// Goal: a transaction is all or nothing and its caller's alone, and a COMMIT that nobody answered is reported as what
/// it is.
@Suite struct PostgresTransactionTests {
    private struct Stop: Error {}

    @discardableResult
    private func withTable<T>(_ body: (PostgresConnection, String) async throws -> T) async throws -> T {
        try await TestPostgres.withDatabase { connectionString in
            let connection = try await TestPostgres.connect(connectionString)
            try await connection.execute("CREATE TABLE t (id int PRIMARY KEY)")
            return try await body(connection, connectionString)
        }
    }

    @Test("What the body did is committed, and its value returned")
    func commits() async throws {
        try await withTable { connection, _ in
            let count = try await connection.transaction { connection in
                try await connection.execute("INSERT INTO t VALUES (1), (2)")
            }
            #expect(count == 2)
            #expect(try await connection.query("SELECT * FROM t").count == 2)
        }
    }

    @Test("An error of the body rolls back and comes out as it is")
    func rollsBack() async throws {
        try await withTable { connection, _ async throws in
            await #expect(throws: Stop.self) {
                try await connection.transaction { connection in
                    try await connection.execute("INSERT INTO t VALUES (1)")
                    throw Stop()
                }
            }
            await expect(.server(.uniqueViolation)) {
                try await connection.transaction { connection in
                    try await connection.execute("INSERT INTO t VALUES (1)")
                    try await connection.execute("INSERT INTO t VALUES (1)")
                }
            }
            #expect(try await connection.query("SELECT * FROM t").isEmpty)
            #expect(await connection.isIdle)
        }
    }

    @Test("A body that goes on after a failed statement does not seem committed")
    func swallowedFailure() async throws {
        try await withTable { connection, _ async throws in
            await expect(.server(.inFailedSQLTransaction)) {
                try await connection.transaction { connection in
                    try await connection.execute("INSERT INTO t VALUES (1)")
                    _ = try? await connection.execute("INSERT INTO t VALUES (1)")
                }
            }
            #expect(try await connection.query("SELECT * FROM t").isEmpty)
        }
    }

    @Test("Isolation and read-only are what was asked for")
    func modes() async throws {
        try await withTable { connection, _ in
            let level = try await connection.transaction(isolation: .repeatableRead, readOnly: true) { connection in
                let row = try await connection.query(
                    "SELECT current_setting('transaction_isolation') || current_setting('transaction_read_only')")[0]
                return try row.decode(0, as: String.self)
            }
            #expect(level == "repeatable readon")
            await expect(.server(.readOnlySQLTransaction)) {
                try await connection.transaction(readOnly: true) { connection in
                    try await connection.execute("INSERT INTO t VALUES (1)")
                }
            }
        }
    }

    @Test("A transaction in a transaction is refused, and the outer one goes on")
    func nested() async throws {
        try await withTable { connection, _ in
            try await connection.transaction { connection in
                await expect(.misuse) { try await connection.transaction { _ in } }
                try await connection.execute("INSERT INTO t VALUES (1)")
            }
            #expect(try await connection.query("SELECT * FROM t").count == 1)
        }
    }

    @Test("Other tasks' statements wait until the transaction has ended")
    func exclusive() async throws {
        try await withTable { connection, _ in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<50 {
                    group.addTask {
                        try await connection.transaction { connection in
                            try await connection.execute("INSERT INTO t VALUES (\(2 * number))")
                            try await connection.execute("INSERT INTO t VALUES (\(2 * number + 1))")
                        }
                    }
                    group.addTask {
                        let count = try await connection.query("SELECT count(*) FROM t")[0].decode(0, as: Int.self)
                        #expect(count % 2 == 0, "a statement ran in the middle of a transaction")
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await connection.query("SELECT * FROM t").count == 100)
        }
    }

    @Test("Child tasks of one body take turns on the wire")
    func childTasks() async throws {
        try await withTable { connection, _ in
            try await connection.transaction { connection in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for number in 0..<20 {
                        group.addTask { try await connection.execute("INSERT INTO t VALUES (\(number))") }
                    }
                    try await group.waitForAll()
                }
            }
            #expect(try await connection.query("SELECT * FROM t").count == 20)
        }
    }

    @Test("A task cancelled in the body rolls back")
    func cancelled() async throws {
        try await withTable { connection, connectionString in
            let other = try await TestPostgres.connect(connectionString)
            try await other.transaction { other in
                try await other.execute("LOCK TABLE t")
                let task = Task {
                    try await connection.transaction { connection in
                        try await connection.execute("INSERT INTO t VALUES (1)")
                    }
                }
                try await other.waitUntilBlocked(connection.backendPID)
                task.cancel()
                await expect(.cancelled) { try await task.value }
            }
            #expect(try await connection.query("SELECT * FROM t").isEmpty)
            #expect(await connection.isIdle)
        }
    }

    @Test("The deadline of the whole holds inside too")
    func deadline() async throws {
        try await withTable { connection, _ in
            await expect(.deadlineExceeded) {
                try await connection.transaction(deadline: .now + .milliseconds(50)) { connection in
                    try await connection.execute("SELECT pg_sleep(60)", deadline: .now + .seconds(60))
                }
            }
        }
    }

    /// A deferred trigger takes a lock that another session holds, so COMMIT hangs there for as long as the test likes.
    private func withHangingCommit(
        _ body: (_ committing: PostgresConnection, _ other: PostgresConnection, _ commit: Task<Void, any Error>)
            async throws -> Void
    ) async throws {
        try await withTable { connection, connectionString in
            let other = try await TestPostgres.connect(connectionString)
            try await other.executeScript(
                unsafeSQL: """
                    CREATE FUNCTION hang() RETURNS trigger LANGUAGE plpgsql AS
                        'BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NULL; END';
                    CREATE CONSTRAINT TRIGGER hang AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED
                        FOR EACH ROW EXECUTE FUNCTION hang();
                    SELECT pg_advisory_lock(1);
                    """)
            let commit = Task {
                try await connection.transaction(deadline: .now + .seconds(30)) { connection in
                    _ = try await connection.execute("INSERT INTO t VALUES (1)")
                }
            }
            try await other.waitUntilBlocked(connection.backendPID)
            try await body(connection, other, commit)
        }
    }

    @Test("A session lost while COMMIT is under way leaves an unknown outcome")
    func lostCommit() async throws {
        try await withHangingCommit { committing, other, commit in
            try await other.execute("SELECT pg_terminate_backend(\(committing.backendPID))")
            let error = await expect(.commitOutcomeUnknown) { try await commit.value }
            #expect(error?.sqlState == .adminShutdown)
            #expect(error?.isTransient == false)
            #expect(await !committing.isUsable)
        }
    }

    @Test("A COMMIT refused by the server is a plain error: nothing took effect")
    func refusedCommit() async throws {
        try await withHangingCommit { committing, other, commit in
            try await other.execute("SELECT pg_cancel_backend(\(committing.backendPID))")
            await expect(.server(.queryCanceled)) { try await commit.value }
            #expect(try await committing.query("SELECT * FROM t").isEmpty)
        }
    }

    @Test("Cancelling the task while COMMIT is under way waits for its outcome")
    func cancelledCommit() async throws {
        try await withHangingCommit { committing, other, commit in
            commit.cancel()
            try await other.execute("SELECT pg_advisory_unlock(1)")
            try await commit.value
            #expect(try await committing.query("SELECT * FROM t").count == 1)
        }
    }
}
