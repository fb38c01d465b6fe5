//
// BinaryFormatTests.swift
//

import Testing

@testable import PostgresDriver

/// Goal: each type is read back from what it is written as, and what is of another type or cut short is refused in
/// words that hold no value.
///
/// Method: encode, decode, compare; then the same bytes as other types and in every shorter length. That the server
/// reads the same is checked in the integration tests.
@Suite struct BinaryFormatTests {
    private func decode<T: PostgresDecodable>(
        _ bytes: [UInt8], _ type: UInt32, as: T.Type
    ) throws(PostgresError) -> T {
        // Copied behind a bound, so that a read beyond it would be caught by the pointer's own check.
        var result: Result<T, PostgresError>?
        bytes.withUnsafeBytes { buffer in
            result = Result { () throws(PostgresError) in try T(postgresBinary: buffer, type: type) }
        }
        // Set by the closure just above.
        return try result!.get()
    }

    private func roundTrip<T: PostgresEncodable & PostgresDecodable & Equatable>(_ value: T) throws {
        var bytes: [UInt8] = []
        value.encode(into: &bytes)
        #expect(try decode(bytes, T.postgresType, as: T.self) == value)
    }

    @Test("Every type survives the round trip")
    func roundTrips() throws {
        for value in [Int16.min, -1, 0, .max] { try roundTrip(value) }
        for value in [Int32.min, -1, 0, .max] { try roundTrip(value) }
        for value in [Int64.min, -1, 0, .max] { try roundTrip(value) }
        for value in [-1.5, 0, .infinity, .greatestFiniteMagnitude] { try roundTrip(value) }
        for value in ["", "a", "ü€😀", "line\nline"] { try roundTrip(value) }
        for value in [true, false] { try roundTrip(value) }
        try roundTrip(Int.max)
        try roundTrip([UInt8]([0, 1, 255]))
        try roundTrip(UUID128.random())
        try roundTrip(Timestamp(microsecondsSince1970: 1_234_567))
        try roundTrip([Int16]())
        try roundTrip([Int16.min, .max])
        try roundTrip([Int32(1), 2])
        try roundTrip([Int64(1), 2])
        try roundTrip(["", "b"])
        try roundTrip([[UInt8]([1]), [], [2, 3]])
        try roundTrip([true, false])
        try roundTrip([Timestamp.distantFuture, .init(microsecondsSince1970: 0)])
        try roundTrip([UUID128.random(), .random()])
        try roundTrip([Int32?]([1, nil, 3]))
        try roundTrip([String?]([nil, "x"]))
    }

    @Test("Integers widen, and narrow when they fit")
    func widths() throws {
        #expect(try decode([0, 0, 0, 7], PostgresType.int4, as: Int64.self) == 7)
        #expect(try decode([0, 0, 0, 0, 0, 0, 0, 7], PostgresType.int8, as: Int16.self) == 7)
        #expect(try decode([255, 255, 255, 255], PostgresType.oid, as: Int.self) == 4_294_967_295)
        #expect(throws: PostgresError.self) {
            try decode([0, 0, 0, 1, 0, 0, 0, 0], PostgresType.int8, as: Int32.self)
        }
        #expect(throws: PostgresError.self) { try decode([255, 255, 255, 255], PostgresType.oid, as: Int32.self) }
    }

    @Test("Another type is refused, and the message names types and no values")
    func wrongTypes() throws {
        let secret = Array("hunter22".utf8)
        let error = #expect(throws: PostgresError.self) { try decode(secret, PostgresType.text, as: Int64.self) }
        #expect(error?.kind == .decoding)
        #expect(error?.description == "a value of text cannot be read as Int64")
        #expect(throws: PostgresError.self) { try decode(secret, PostgresType.int8, as: String.self) }
        #expect(throws: PostgresError.self) { try decode(secret, PostgresType.int8, as: Double.self) }
        #expect(throws: PostgresError.self) { try decode(secret, PostgresType.timestamp, as: Timestamp.self) }
        #expect(throws: PostgresError.self) { try decode(secret, PostgresType.text, as: [UInt8].self) }
        #expect(throws: PostgresError.self) { try decode([2] + secret, PostgresType.jsonb, as: String.self) }
        #expect(try decode([1] + Array("{}".utf8), PostgresType.jsonb, as: String.self) == "{}")
    }

    @Test("Bytes that are cut short are refused")
    func truncated() {
        var array: [UInt8] = []
        ["ab", "cd"].encode(into: &array)
        for length in 0..<array.count {
            #expect(throws: PostgresError.self) {
                try decode(Array(array.prefix(length)), PostgresType.textArray, as: [String].self)
            }
        }
        for length in 0..<8 {
            let bytes = [UInt8](repeating: 0, count: length)
            #expect(throws: PostgresError.self) { try decode(bytes, PostgresType.int8, as: Int64.self) }
            #expect(throws: PostgresError.self) { try decode(bytes, PostgresType.uuid, as: UUID128.self) }
        }
    }

    @Test("NULL in an array needs an optional element")
    func nullElements() {
        var bytes: [UInt8] = []
        [Int32?]([1, nil]).encode(into: &bytes)
        #expect(throws: PostgresError.self) { try decode(bytes, PostgresType.int4Array, as: [Int32].self) }
    }

    @Test("Two dimensions are refused")
    func dimensions() {
        let bytes: [UInt8] = [0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 23] + [UInt8](repeating: 0, count: 16)
        #expect(throws: PostgresError.self) { try decode(bytes, PostgresType.int4Array, as: [Int32].self) }
    }
}
