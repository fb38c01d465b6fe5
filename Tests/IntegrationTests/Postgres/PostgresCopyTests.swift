//
// PostgresCopyTests.swift
//

import PostgresDriver
import TestSupport
import Testing

/// Goal: COPY carries every type in both directions in any amount, and whatever goes wrong leaves nothing behind and
/// the session usable.
@Suite struct PostgresCopyTests {
    private static let table = """
        CREATE TABLE t (id bigint PRIMARY KEY, small smallint, number int, flag boolean, ratio double precision,
            at timestamptz, key uuid, name text, bytes bytea, list int[])
        """

    private static let copyIn: SQL = "COPY t FROM STDIN (FORMAT binary)"
    private static let copyOut: SQL = "COPY (SELECT * FROM t ORDER BY id) TO STDOUT (FORMAT binary)"

    private func append(_ id: Int64, to buffer: inout CopyBuffer) {
        buffer.beginRow(fields: 10)
        buffer.append(id)
        buffer.append(Int16(7))
        buffer.append(Int32(-7))
        buffer.append(id % 2 == 0)
        buffer.append(0.5)
        buffer.append(Timestamp(microsecondsSince1970: id))
        buffer.append(UUID128(high: 1, low: UInt64(id)))
        buffer.append("name \(id)")
        buffer.append(bytes: [0, 1, 2])
        buffer.append(int32Array: [1, 2, 3])
    }

    private func withTable<T>(_ body: (PostgresConnection) async throws -> T) async throws -> T {
        try await TestPostgres.withConnection { connection in
            try await connection.executeScript(unsafeSQL: Self.table)
            return try await body(connection)
        }
    }

    @Test("Twenty thousand rows go in and come out the same")
    func roundTrip() async throws {
        try await withTable { connection in
            let count: Int64 = 20_000
            var next: Int64 = 0
            let copied = try await connection.copyIn(Self.copyIn) { buffer in
                for _ in 0..<1000 {
                    append(next, to: &buffer)
                    next += 1
                }
                return next < count
            }
            #expect(copied == 20_000)
            let sum = try await connection.query(
                """
                SELECT count(*), bool_and(small = 7 AND number = -7 AND flag = (id % 2 = 0) AND ratio = 0.5
                    AND at = 'epoch'::timestamptz + id * interval '1 microsecond' AND name = 'name ' || id
                    AND bytes = '\\x000102' AND list = '{1,2,3}'
                    AND key = ('00000000-0000-0001-0000-' || lpad(to_hex(id), 12, '0'))::uuid) FROM t
                """)[0]
            #expect(try sum.decode(0, as: Int64.self) == count)
            #expect(try sum.decode(1, as: Bool.self))

            var expected: Int64 = 0
            var list: [Int32] = []
            let read = try await connection.copyOut(Self.copyOut) { row in
                let id = try row.int64()
                let isRight =
                    try id == expected && row.int16() == 7 && row.int32() == -7 && row.bool() == (id % 2 == 0)
                    && row.double() == 0.5 && row.timestamp().microsecondsSince1970 == id
                    && row.uuid() == UUID128(high: 1, low: UInt64(id)) && row.string() == "name \(id)"
                    && row.bytes() == [0, 1, 2] && row.int32Array(into: &list) && list == [1, 2, 3]
                if !isRight { Issue.record("row \(expected) came out differently") }
                expected += 1
            }
            #expect(read == 20_000 && expected == count)
        }
    }

    @Test("NULLs go in and come out")
    func nulls() async throws {
        try await withTable { connection in
            try await connection.copyIn(Self.copyIn) { buffer in
                buffer.beginRow(fields: 10)
                buffer.append(Int64(1))
                for _ in 1..<10 { buffer.appendNull() }
                return false
            }
            let count = try await connection.copyOut(Self.copyOut) { row throws in
                #expect(try row.int64IfPresent() == 1)
                #expect(try row.int16IfPresent() == nil)
                #expect(try row.int32IfPresent() == nil)
                #expect(try row.boolIfPresent() == nil)
                #expect(try row.doubleIfPresent() == nil)
                #expect(try row.timestampIfPresent() == nil)
                #expect(try row.uuidIfPresent() == nil)
                #expect(try row.stringIfPresent() == nil)
                #expect(try row.bytesIfPresent() == nil)
            }
            #expect(count == 1)
        }
    }

    @Test("No rows, rows larger than a chunk, and text formats")
    func shapes() async throws {
        try await withTable { connection in
            #expect(try await connection.copyIn(Self.copyIn) { _ in false } == 0)
            #expect(try await connection.copyOut(Self.copyOut) { _ in Issue.record("a row came from nowhere") } == 0)

            let long = String(repeating: "x", count: 3_000_000)
            try await connection.copyIn("COPY t (id, name) FROM STDIN (FORMAT binary)") { buffer in
                buffer.beginRow(fields: 2)
                buffer.append(Int64(1))
                buffer.append(long)
                return false
            }
            try await connection.copyOut("COPY (SELECT name FROM t) TO STDOUT (FORMAT binary)") { row throws in
                #expect(try row.string() == long)
            }

            let text = Array("2,two\n3,\"th,ree\"\n".utf8)
            let copied = try await connection.copyIn("COPY t (id, name) FROM STDIN (FORMAT csv)") { buffer in
                text.withUnsafeBytes { buffer.append(raw: $0) }
                return false
            }
            #expect(copied == 2)
            var csv: [UInt8] = []
            try await connection.copyOutRaw("COPY (SELECT id, name FROM t WHERE id > 1) TO STDOUT (FORMAT csv)") {
                csv += $0
            }
            #expect(csv == text)
        }
    }

    @Test("An error of the caller copies nothing, and the session goes on")
    func callersError() async throws {
        struct Stop: Error {}
        try await withTable { connection in
            await #expect(throws: Stop.self) {
                var chunks = 0
                try await connection.copyIn(Self.copyIn) { buffer in
                    for id in 0..<5000 { append(Int64(chunks * 5000 + id), to: &buffer) }
                    chunks += 1
                    if chunks == 3 { throw Stop() }
                    return true
                }
            }
            #expect(try await connection.query("SELECT * FROM t").isEmpty)
            try await connection.execute(
                "INSERT INTO t (id, name) SELECT n, repeat('x', 1000) FROM generate_series(1, 20000) n")
            await #expect(throws: Stop.self) {
                try await connection.copyOut(Self.copyOut) { _ in throw Stop() }
            }
            #expect(try await connection.query("SELECT count(*) FROM t")[0].decode(0, as: Int.self) == 20_000)
        }
    }

    @Test("An error of the server ends the COPY, with its code and without the row")
    func serversError() async throws {
        try await withTable { connection async throws in
            let unique = await expect(.server(.uniqueViolation)) {
                var chunks = 0
                try await connection.copyIn(Self.copyIn) { buffer in
                    for _ in 0..<5000 { append(42, to: &buffer) }
                    chunks += 1
                    return chunks < 20
                }
            }
            #expect(unique.map { !"\($0)".contains("42") || !"\($0)".contains("Key") } ?? false)
            await expect(.server(SQLState(rawValue: "22P04"))) {
                try await connection.copyIn(Self.copyIn) { buffer in
                    buffer.beginRow(fields: 1)
                    buffer.append(Int64(1))
                    return false
                }
            }
            await expect(.server(.undefinedTable)) {
                try await connection.copyIn("COPY nowhere FROM STDIN (FORMAT binary)") { _ in false }
            }
            await expect(.server(SQLState(rawValue: "22012"))) {
                try await connection.copyOut(
                    "COPY (SELECT 1 / (n - 500) FROM generate_series(1, 1000) n) TO STDOUT (FORMAT binary)"
                ) { _ in }
            }
            #expect(try await connection.query("SELECT * FROM t").isEmpty)
        }
    }

    @Test("What is no COPY, or the other COPY, or has binds, is refused")
    func misuse() async throws {
        try await withTable { connection async throws in
            await expect(.misuse) { try await connection.copyIn("SELECT 1") { _ in false } }
            await expect(.misuse) { try await connection.copyIn("COPY t FROM \(1)") { _ in false } }
            #expect(try await connection.query("SELECT 1").count == 1)
            await expect(.misuse) { try await connection.copyOut(Self.copyIn) { _ in } }
            #expect(await !connection.isUsable)
        }
    }

    @Test("A COPY in a transaction is part of it, and rolls back with it")
    func inTransaction() async throws {
        struct Stop: Error {}
        try await withTable { connection async throws in
            await #expect(throws: Stop.self) {
                try await connection.transaction { connection in
                    var isFirst = true
                    let count = try await connection.copyIn(Self.copyIn) { buffer in
                        self.append(isFirst ? 1 : 2, to: &buffer)
                        defer { isFirst = false }
                        return isFirst
                    }
                    #expect(count == 2)
                    throw Stop()
                }
            }
            #expect(try await connection.query("SELECT * FROM t").isEmpty)
        }
    }

    @Test("A cancelled task ends its COPY, in both directions")
    func cancelled() async throws {
        try await withTable { connection async throws in
            let copyIn = Task {
                var id: Int64 = 0
                return try await connection.copyIn(Self.copyIn, deadline: .now + .seconds(30)) { buffer in
                    for _ in 0..<1000 {
                        append(id, to: &buffer)
                        id += 1
                    }
                    // The task itself is what cancels, in the middle of its rows; else this would never end.
                    if id == 20_000 { withUnsafeCurrentTask { $0?.cancel() } }
                    return true
                }
            }
            await expect(.cancelled) { _ = try await copyIn.value }
            let copyOut = Task {
                try await connection.copyOut("COPY (SELECT generate_series(1, 2000000000)) TO STDOUT (FORMAT binary)") {
                    _ in
                    withUnsafeCurrentTask { $0?.cancel() }
                }
            }
            await expect(.cancelled) { _ = try await copyOut.value }
            #expect(try await connection.query("SELECT * FROM t").isEmpty)
        }
    }
}
