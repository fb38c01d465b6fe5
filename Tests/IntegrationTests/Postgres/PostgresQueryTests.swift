//
// PostgresQueryTests.swift
//

import PostgresDriver
import TestSupport
import Testing

/// Goal: statements, binds and rows mean the same here and on the server.
///
/// Method: the server returns each bind, as the type it understood and as its own text.
@Suite struct PostgresQueryTests {
    private func roundTrip<T: PostgresEncodable & PostgresDecodable & Equatable>(
        _ value: T, _ text: String, on connection: PostgresConnection
    ) async throws {
        let row = try await connection.query("SELECT \(value), \(value)::text, \(T?.none)")[0]
        #expect(try row.decode(0, as: T.self) == value)
        #expect(try row.decode(1, as: String.self) == text)
        #expect(try row.decode(2, as: T?.self) == nil)
    }

    @Test("Every type arrives as itself")
    func types() async throws {
        try await TestPostgres.withConnection { connection in
            try await roundTrip(Int16.min, "-32768", on: connection)
            try await roundTrip(Int32.max, "2147483647", on: connection)
            try await roundTrip(Int64.min, "-9223372036854775808", on: connection)
            try await roundTrip(42, "42", on: connection)
            try await roundTrip(true, "true", on: connection)
            try await roundTrip(1.5, "1.5", on: connection)
            try await roundTrip("ü€😀'\"\\", "ü€😀'\"\\", on: connection)
            try await roundTrip("", "", on: connection)
            try await roundTrip([UInt8]([0, 255]), "\\x00ff", on: connection)
            let uuid = UUID128.random()
            try await roundTrip(uuid, uuid.description, on: connection)
            try await roundTrip(
                Timestamp(microsecondsSince1970: 1_709_164_800_123_456), "2024-02-29 00:00:00.123456+00", on: connection
            )
            try await roundTrip(Timestamp.distantFuture, "infinity", on: connection)
            try await roundTrip([Int16]([1, -2]), "{1,-2}", on: connection)
            try await roundTrip([Int32]([]), "{}", on: connection)
            try await roundTrip([Int64]([1, 2]), "{1,2}", on: connection)
            try await roundTrip(["a", "b,c", ""], "{a,\"b,c\",\"\"}", on: connection)
            try await roundTrip([[UInt8]([1]), []], "{\"\\\\x01\",\"\\\\x\"}", on: connection)
            try await roundTrip([true, false], "{t,f}", on: connection)
            try await roundTrip([Int32?]([1, nil]), "{1,NULL}", on: connection)
            try await roundTrip([String?]([nil, "x"]), "{NULL,x}", on: connection)
            try await roundTrip([Timestamp(microsecondsSince1970: 0)], "{\"1970-01-01 00:00:00+00\"}", on: connection)
        }
    }

    @Test("Rows are read by place and by name, and what is not there or NULL is an error of its own")
    func rows() async throws {
        try await TestPostgres.withConnection { connection in
            let rows = try await connection.query(
                "SELECT n AS number, NULL::text AS nothing FROM generate_series(1, 3) AS n")
            #expect(rows.count == 3 && rows.affectedRows == 3 && rows.columnNames == ["number", "nothing"])
            #expect(try rows.map { try $0.decode("number", as: Int.self) } == [1, 2, 3])
            #expect(try rows[2]["number"].decode(as: Int32.self) == 3)
            #expect(try rows[0].decode("nothing", as: String?.self) == nil)
            for column in ["nothing", "other"] {
                let error = #expect(throws: PostgresError.self) { try rows[0].decode(column, as: String.self) }
                #expect(error?.kind == .decoding)
            }
            let empty = try await connection.query("SELECT 1 WHERE false")
            #expect(empty.isEmpty)
        }
    }

    @Test("execute tells how many rows it affected")
    func affectedRows() async throws {
        try await TestPostgres.withConnection { connection async throws in
            #expect(try await connection.execute("CREATE TABLE t (id bigint)") == 0)
            #expect(
                try await connection.execute("INSERT INTO t SELECT unnest(\(Array(Int64(1)...10_000)))") == 10_000)
            #expect(try await connection.execute("DELETE FROM t WHERE id <= \(4)") == 4)
        }
    }

    @Test("An error has the server's code and the statement, and no row's or bind's value")
    func errors() async throws {
        try await TestPostgres.withConnection { connection in
            try await connection.executeScript(
                unsafeSQL: """
                    CREATE TABLE t (name text CONSTRAINT one_name PRIMARY KEY, n int CHECK (n < 100));
                    INSERT INTO t VALUES ('hunter2', 1);
                    """)
            let unique = await expect(.server(.uniqueViolation)) {
                try await connection.execute("INSERT INTO t VALUES (\("hunter2"), \(2))")
            }
            #expect(unique?.constraint == "one_name")
            #expect(unique?.statement == "INSERT INTO t VALUES ($1, $2)")
            let check = await expect(.server(.checkViolation)) {
                try await connection.execute("INSERT INTO t VALUES (\("hunter2x"), \(54_321))")
            }
            let text = await expect(.server(.invalidTextRepresentation)) {
                try await connection.execute("SELECT \("hunter2")::int")
            }
            for error in [unique, check, text] {
                #expect(error.map { !"\($0)".contains("hunter2") && !"\($0)".contains("54321") } ?? false)
                #expect(error.map { "\($0)".contains("PostgresQueryTests.swift") } ?? false)
            }
            await expect(.server(.undefinedTable)) { try await connection.query("SELECT * FROM nowhere") }
            #expect(try await connection.query("SELECT 1").count == 1)
        }
    }

    @Test("A statement is prepared when it comes again, and stays right when its table changes")
    func prepared() async throws {
        try await TestPostgres.withConnection { connection in
            let count: SQL = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%$1 AS prepared%'"
            for round in 1...3 {
                #expect(try await connection.query("SELECT \(round) AS prepared")[0].decode(0, as: Int.self) == round)
            }
            #expect(try await connection.query(count)[0].decode(0, as: Int.self) == 1)

            try await connection.execute("CREATE TABLE t (a int)")
            try await connection.execute("INSERT INTO t VALUES (1)")
            for _ in 0..<3 { _ = try await connection.query("SELECT * FROM t") }
            try await connection.execute("ALTER TABLE t ADD COLUMN b text DEFAULT 'new'")
            #expect(try await connection.query("SELECT * FROM t")[0].decode("b", as: String.self) == "new")
            // Dropped behind the driver's back, as a pooler does.
            try await connection.execute("DEALLOCATE ALL")
            #expect(try await connection.query("SELECT \(9) AS prepared")[0].decode(0, as: Int.self) == 9)
        }
    }

    @Test("More statements than are cached stay right, and are deallocated")
    func evicted() async throws {
        try await TestPostgres.withConnection { connection in
            for number in 0..<300 {
                for _ in 0..<2 {
                    let row = try await connection.query("SELECT \(number) AS c\(unsafeSQL: "\(number)")")[0]
                    #expect(try row.decode(0, as: Int.self) == number)
                }
            }
            let count = try await connection.query("SELECT count(*) FROM pg_prepared_statements")
            #expect(try count[0].decode(0, as: Int.self) <= 256)
        }
    }

    @Test("A script runs whole or not at all, and its error names the line")
    func script() async throws {
        try await TestPostgres.withConnection { connection in
            let error = await expect(.server(.undefinedColumn)) {
                try await connection.executeScript(
                    unsafeSQL: "CREATE TABLE a (x int);\nCREATE TABLE b (y int);\nSELECT z\nFROM a;")
            }
            #expect(error?.statementLine == 3)
            await expect(.server(.undefinedTable)) { try await connection.query("SELECT * FROM a") }
            await expect(.server(.syntaxError)) { try await connection.execute("SELECT 1; SELECT 2") }
        }
    }

    @Test("Session settings: UTC, the search path, the application's name")
    func settings() async throws {
        try await TestPostgres.withDatabase { connectionString in
            var configuration = try PostgresConfiguration(connectionString: connectionString)
            configuration.searchPath = "ledger, public"
            configuration.applicationName = "the test"
            let connection = try await PostgresConnection.connect(configuration, logger: TestPostgres.logger)
            let row = try await connection.query(
                """
                SELECT current_setting('TimeZone'), current_setting('search_path'), application_name, pid
                FROM pg_stat_activity WHERE pid = pg_backend_pid()
                """)[0]
            #expect(try row.decode(0, as: String.self) == "UTC")
            #expect(try row.decode(1, as: String.self) == "ledger, public")
            #expect(try row.decode(2, as: String.self) == "the test")
            #expect(try row.decode(3, as: Int32.self) == connection.backendPID)
        }
    }
}
