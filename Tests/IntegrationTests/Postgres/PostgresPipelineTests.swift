//
// PostgresPipelineTests.swift
//

import PostgresDriver
import TestSupport
import Testing

/// Goal: a pipeline is the same statements in one round trip: answers in order, all or nothing, the wire clear after.
@Suite struct PostgresPipelineTests {
    @Test("Answers come in the order of the statements, prepared or not")
    func order() async throws {
        try await TestPostgres.withConnection { connection in
            #expect(try await connection.pipeline([]).isEmpty)
            for _ in 0..<3 {
                let answers = try await connection.pipeline((0..<1000).map { "SELECT \($0)" })
                #expect(try answers.map { try $0[0].decode(0, as: Int.self) } == Array(0..<1000))
            }
        }
    }

    @Test("Ten thousand inserts go through, with answers that do not fit a socket's buffer")
    func large() async throws {
        try await TestPostgres.withConnection { connection in
            try await connection.execute("CREATE TABLE t (id int, text text)")
            let text = String(repeating: "x", count: 1000)
            let inserts = (0..<10_000).map { number -> SQL in
                "INSERT INTO t VALUES (\(number), \(text)) RETURNING text"
            }
            let answers = try await connection.pipeline(inserts)
            #expect(answers.count == 10_000 && answers.allSatisfy { $0.affectedRows == 1 })
            #expect(try await connection.query("SELECT count(*) FROM t")[0].decode(0, as: Int.self) == 10_000)
        }
    }

    @Test("The first failure is thrown with its statement, and nothing of the pipeline stays")
    func failure() async throws {
        try await TestPostgres.withConnection { connection in
            try await connection.execute("CREATE TABLE t (id int PRIMARY KEY)")
            for _ in 0..<3 {
                let error = await expect(.server(.uniqueViolation)) {
                    _ = try await connection.pipeline([
                        "INSERT INTO t VALUES (\(1))", "INSERT INTO t VALUES (\(1))", "SELECT * FROM nowhere",
                        "SELECT * FROM nowhere",
                    ])
                }
                #expect(error?.statement == "INSERT INTO t VALUES ($1)")
                #expect(try await connection.query("SELECT * FROM t").isEmpty)
            }
        }
    }

    @Test("Inside a transaction the pipeline is part of it")
    func inTransaction() async throws {
        try await TestPostgres.withConnection { connection in
            try await connection.execute("CREATE TABLE t (id int)")
            struct Stop: Error {}
            await #expect(throws: Stop.self) {
                try await connection.transaction { connection in
                    _ = try await connection.pipeline(["INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (2)"])
                    throw Stop()
                }
            }
            #expect(try await connection.query("SELECT * FROM t").isEmpty)
        }
    }

    @Test("COPY in a pipeline is refused, and the session is closed rather than left in the middle")
    func copy() async throws {
        try await TestPostgres.withConnection { connection in
            await expect(.misuse) {
                _ = try await connection.pipeline(["COPY (SELECT 1) TO STDOUT"])
            }
            #expect(await !connection.isUsable)
        }
    }
}
