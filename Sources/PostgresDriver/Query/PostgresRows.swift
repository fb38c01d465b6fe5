//
// PostgresRows.swift: a statement's rows, decoded where and when they are read.
//

import CLibpq

/// Owns a libpq result.
// A PGresult is never changed after libpq handed it out; reading one from several threads is allowed by its manual
// (section "Behavior in Threaded Programs").
final class PostgresResult: @unchecked Sendable {
    let pointer: OpaquePointer

    init(_ pointer: OpaquePointer) { self.pointer = pointer }

    deinit { PQclear(pointer) }
}

/// All rows that one statement returned, in the server's order.
package struct PostgresRows: Sendable, RandomAccessCollection {
    let result: PostgresResult
    private let names: [String: Int]

    init(_ result: PostgresResult) {
        self.result = result
        var names: [String: Int] = [:]
        for column in 0..<PQnfields(result.pointer) {
            guard let name = PQfname(result.pointer, column) else { continue }
            // The first of a name wins, as in libpq's PQfnumber.
            names[String(cString: name), default: Int(column)] = names[String(cString: name)] ?? Int(column)
        }
        self.names = names
        count = Int(PQntuples(result.pointer))
    }

    package let count: Int
    package var startIndex: Int { 0 }
    package var endIndex: Int { count }
    package var columnNames: [String] { names.sorted { $0.value < $1.value }.map(\.key) }

    /// Rows inserted, updated, deleted, selected or copied; 0 for other statements.
    package var affectedRows: Int { PQcmdTuples(result.pointer).flatMap { Int(String(cString: $0)) } ?? 0 }

    package subscript(position: Int) -> PostgresRow {
        precondition(position >= 0 && position < count, "row \(position) of \(count)")
        return PostgresRow(result: result, row: Int32(position), names: names)
    }
}

/// One row. Columns are named by place, from 0, or by name.
package struct PostgresRow: Sendable {
    fileprivate let result: PostgresResult
    fileprivate let row: Int32
    fileprivate let names: [String: Int]

    package var columnCount: Int { Int(PQnfields(result.pointer)) }

    package subscript(column: Int) -> PostgresCell { PostgresCell(result: result, row: row, column: column) }

    /// A column of no such name reads as an error when it is decoded.
    package subscript(name: String) -> PostgresCell {
        PostgresCell(result: result, row: row, column: names[name] ?? -1, name: name)
    }

    /// - Throws: `.decoding` when the column is NULL, of another type, or not there.
    package func decode<T: PostgresDecodable>(_ column: Int, as type: T.Type = T.self) throws(PostgresError) -> T {
        try self[column].decode(as: T.self)
    }

    /// nil is NULL.
    package func decode<T: PostgresDecodable>(_ column: Int, as type: T?.Type = T?.self) throws(PostgresError) -> T? {
        try self[column].decode(as: T?.self)
    }

    package func decode<T: PostgresDecodable>(_ column: String, as type: T.Type = T.self) throws(PostgresError) -> T {
        try self[column].decode(as: T.self)
    }

    package func decode<T: PostgresDecodable>(
        _ column: String, as type: T?.Type = T?.self
    ) throws(PostgresError) -> T? {
        try self[column].decode(as: T?.self)
    }
}

/// One value of one row, not yet decoded.
package struct PostgresCell: Sendable {
    fileprivate let result: PostgresResult
    fileprivate let row: Int32
    fileprivate let column: Int
    fileprivate var name: String?

    package func decode<T: PostgresDecodable>(as type: T.Type = T.self) throws(PostgresError) -> T {
        guard let value = try decode(as: T?.self) else {
            throw PostgresError(.decoding, "column \(label) is NULL where \(T.self) is needed")
        }
        return value
    }

    package func decode<T: PostgresDecodable>(as type: T?.Type = T?.self) throws(PostgresError) -> T? {
        guard column >= 0, column < Int(PQnfields(result.pointer)) else {
            throw PostgresError(.decoding, "the result has no column \(label)")
        }
        let number = Int32(column)
        guard PQgetisnull(result.pointer, row, number) == 0 else { return nil }
        let bytes = UnsafeRawBufferPointer(
            start: PQgetvalue(result.pointer, row, number), count: Int(PQgetlength(result.pointer, row, number)))
        do {
            return try T(postgresBinary: bytes, type: PQftype(result.pointer, number))
        } catch {
            throw PostgresError(.decoding, "column \(label): \(error.message)")
        }
    }

    private var label: String {
        name ?? PQfname(result.pointer, Int32(column)).map { String(cString: $0) } ?? "\(column)"
    }
}
