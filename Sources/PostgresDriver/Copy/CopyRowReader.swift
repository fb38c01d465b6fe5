//
// CopyRowReader.swift: reads one row of a binary COPY, field by field, without copying it.
//

/// The fields of one row of `COPY … TO STDOUT (FORMAT binary)`, in order. Read each once.
///
/// COPY sends no types, so the caller's choice of method is the type, and only the length can be checked.
/// It points into the chunk that holds the row: it must not outlive the closure that it was given to.
package struct CopyRowReader {
    /// How many fields the row has.
    package let fieldCount: Int
    private var rest: UnsafeRawBufferPointer
    private var nextField = 0

    /// - Parameter row: The row's fields, after their count. Every length in it was checked by ``length(of:)``.
    init(fieldCount: Int, fields: UnsafeRawBufferPointer) {
        self.fieldCount = fieldCount
        rest = fields
    }

    package mutating func int16() throws(PostgresError) -> Int16 { try need(int16IfPresent()) }
    package mutating func int32() throws(PostgresError) -> Int32 { try need(int32IfPresent()) }
    package mutating func int64() throws(PostgresError) -> Int64 { try need(int64IfPresent()) }
    package mutating func double() throws(PostgresError) -> Double { try need(doubleIfPresent()) }
    package mutating func bool() throws(PostgresError) -> Bool { try need(boolIfPresent()) }
    package mutating func timestamp() throws(PostgresError) -> Timestamp { try need(timestampIfPresent()) }
    package mutating func uuid() throws(PostgresError) -> UUID128 { try need(uuidIfPresent()) }
    package mutating func string() throws(PostgresError) -> String { try need(stringIfPresent()) }
    package mutating func bytes() throws(PostgresError) -> [UInt8] { try need(bytesIfPresent()) }

    package mutating func int16IfPresent() throws(PostgresError) -> Int16? { try number(Int16.self) }
    package mutating func int32IfPresent() throws(PostgresError) -> Int32? { try number(Int32.self) }
    package mutating func int64IfPresent() throws(PostgresError) -> Int64? { try number(Int64.self) }
    package mutating func boolIfPresent() throws(PostgresError) -> Bool? { try number(UInt8.self).map { $0 != 0 } }
    package mutating func doubleIfPresent() throws(PostgresError) -> Double? {
        try number(UInt64.self).map(Double.init(bitPattern:))
    }
    package mutating func timestampIfPresent() throws(PostgresError) -> Timestamp? {
        try number(Int64.self).map(Timestamp.init(postgresMicroseconds:))
    }
    package mutating func uuidIfPresent() throws(PostgresError) -> UUID128? {
        guard let field = try field() else { return nil }
        guard field.count == 16 else { throw wrongSize(field.count, wanted: "uuid") }
        return UUID128(high: field.bigEndian(at: 0, as: UInt64.self), low: field.bigEndian(at: 8, as: UInt64.self))
    }
    package mutating func stringIfPresent() throws(PostgresError) -> String? {
        try field().map { String(decoding: $0, as: UTF8.self) }
    }
    package mutating func bytesIfPresent() throws(PostgresError) -> [UInt8]? { try field().map { Array($0) } }

    /// The field's bytes where they lie; nil for NULL. Valid during the call only.
    package mutating func withBytes<T>(_ body: (UnsafeRawBufferPointer?) throws -> T) throws -> T {
        try body(field())
    }

    /// Replaces `elements` by an `integer[]` without NULLs. False: the field is NULL, and `elements` is empty.
    @discardableResult
    package mutating func int32Array(into elements: inout [Int32]) throws(PostgresError) -> Bool {
        elements.removeAll(keepingCapacity: true)
        guard let field = try field() else { return false }
        guard field.count >= 12 else { throw wrongSize(field.count, wanted: "integer[]") }
        guard field.bigEndian(at: 8, as: UInt32.self) == PostgresType.int4 else {
            throw PostgresError(.decoding, "field \(nextField - 1) is no integer[]")
        }
        guard field.bigEndian(at: 0, as: Int32.self) != 0 else { return true }
        guard field.count >= 20, field.bigEndian(at: 0, as: Int32.self) == 1,
            field.count == 20 + 8 * Int(field.bigEndian(at: 12, as: Int32.self))
        else { throw PostgresError(.decoding, "field \(nextField - 1) is an integer[] with NULLs or more dimensions") }
        elements.reserveCapacity((field.count - 20) / 8)
        for offset in stride(from: 24, to: field.count, by: 8) {
            elements.append(field.bigEndian(at: offset, as: Int32.self))
        }
        return true
    }

    package mutating func skip() throws(PostgresError) { _ = try field() }

    private mutating func number<T: FixedWidthInteger>(_: T.Type) throws(PostgresError) -> T? {
        guard let field = try field() else { return nil }
        guard field.count == MemoryLayout<T>.size else { throw wrongSize(field.count, wanted: "\(T.self)") }
        return field.bigEndian(at: 0, as: T.self)
    }

    private mutating func field() throws(PostgresError) -> UnsafeRawBufferPointer? {
        guard nextField < fieldCount else {
            throw PostgresError(.misuse, "a row of \(fieldCount) fields has no field \(nextField)")
        }
        nextField += 1
        let length = Int(rest.bigEndian(at: 0, as: Int32.self))
        let field = length < 0 ? nil : UnsafeRawBufferPointer(rebasing: rest[4..<4 + length])
        rest = UnsafeRawBufferPointer(rebasing: rest[(4 + max(0, length))...])
        return field
    }

    private func need<T>(_ value: T?) throws(PostgresError) -> T {
        guard let value else { throw PostgresError(.decoding, "field \(nextField - 1) of a COPY row is NULL") }
        return value
    }

    private func wrongSize(_ size: Int, wanted: String) -> PostgresError {
        PostgresError(.decoding, "field \(nextField - 1) of a COPY row has \(size) bytes, which is no \(wanted)")
    }
}

/// Cuts the bytes of a binary COPY into rows. Chunks may end anywhere: what is left over is handed in again.
struct CopyStream {
    private var sawHeader = false
    private(set) var sawTrailer = false
    private(set) var rowCount = 0

    /// Calls `row` for each whole row in `bytes`.
    /// - Returns: The bytes taken; the rest is to be handed in again in front of the next chunk.
    mutating func consume(
        _ bytes: UnsafeRawBufferPointer, row: (inout CopyRowReader) throws -> Void
    ) throws -> Int {
        var offset = 0
        if !sawHeader {
            guard let size = try Self.headerLength(bytes) else { return 0 }
            offset = size
            sawHeader = true
        }
        while !sawTrailer, bytes.count - offset >= 2 {
            let fieldCount = Int(bytes.bigEndian(at: offset, as: Int16.self))
            if fieldCount < 0 {
                sawTrailer = true
                offset += 2
                break
            }
            guard let end = Self.rowEnd(bytes, from: offset + 2, fields: fieldCount) else { break }
            var reader = CopyRowReader(
                fieldCount: fieldCount, fields: UnsafeRawBufferPointer(rebasing: bytes[(offset + 2)..<end]))
            try row(&reader)
            rowCount += 1
            offset = end
        }
        return offset
    }

    /// nil while the header is not all there.
    private static func headerLength(_ bytes: UnsafeRawBufferPointer) throws(PostgresError) -> Int? {
        guard bytes.count >= CopyBuffer.headerSize else { return nil }
        guard bytes.prefix(CopyBuffer.signature.count).elementsEqual(CopyBuffer.signature) else {
            throw PostgresError(.misuse, "COPY did not answer in binary format: write COPY … TO STDOUT (FORMAT binary)")
        }
        let size = CopyBuffer.headerSize + Int(bytes.bigEndian(at: 15, as: UInt32.self))
        return bytes.count >= size ? size : nil
    }

    /// Where the row's last field ends; nil when that is beyond these bytes.
    private static func rowEnd(_ bytes: UnsafeRawBufferPointer, from start: Int, fields: Int) -> Int? {
        var offset = start
        for _ in 0..<fields {
            guard bytes.count - offset >= 4 else { return nil }
            offset += 4 + Int(max(0, bytes.bigEndian(at: offset, as: Int32.self)))
            guard offset <= bytes.count else { return nil }
        }
        return offset
    }
}
