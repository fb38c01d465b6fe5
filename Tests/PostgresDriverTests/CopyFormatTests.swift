//
// CopyFormatTests.swift
//

import Testing

@testable import PostgresDriver

/// Goal: rows written into a CopyBuffer come out of a CopyStream, wherever the bytes are cut in between.
///
/// Method: every type once, NULLs among them, cut after each byte in turn.
@Suite struct CopyFormatTests {
    private static let uuid = UUID128(high: 1, low: 2)

    private func rows() -> [UInt8] {
        var buffer = CopyBuffer(capacity: 1)
        buffer.appendHeader()
        for number in 0..<3 {
            buffer.beginRow(fields: 9)
            buffer.append(Int16(number))
            buffer.append(Int32(-1))
            buffer.append(Int64.max)
            buffer.append(true)
            buffer.append(1.5)
            buffer.append(Timestamp(microsecondsSince1970: 7))
            buffer.append(Self.uuid)
            buffer.append("text \(number)")
            buffer.append(int32Array: [1, 2, 3])
        }
        buffer.beginRow(fields: 9)
        for _ in 0..<9 { buffer.appendNull() }
        buffer.appendTrailer()
        return Array(buffer.bytes)
    }

    private func read(_ row: inout CopyRowReader, _ number: Int) throws {
        #expect(row.fieldCount == 9)
        if number == 3 {
            #expect(try row.int16IfPresent() == nil)
            #expect(try row.int32IfPresent() == nil)
            #expect(try row.int64IfPresent() == nil)
            #expect(try row.boolIfPresent() == nil)
            #expect(try row.doubleIfPresent() == nil)
            #expect(try row.timestampIfPresent() == nil)
            #expect(try row.uuidIfPresent() == nil)
            #expect(try row.stringIfPresent() == nil)
            var array: [Int32] = [9]
            #expect(try row.int32Array(into: &array) == false)
            #expect(array.isEmpty)
            return
        }
        #expect(try row.int16() == Int16(number))
        #expect(try row.int32() == -1)
        #expect(try row.int64() == .max)
        #expect(try row.bool() == true)
        #expect(try row.double() == 1.5)
        #expect(try row.timestamp().microsecondsSince1970 == 7)
        #expect(try row.uuid() == Self.uuid)
        #expect(try row.withBytes { bytes in bytes.map { Array($0) } } == Array("text \(number)".utf8))
        var array: [Int32] = []
        #expect(try row.int32Array(into: &array) == true)
        #expect(array == [1, 2, 3])
    }

    @Test("Rows survive being cut anywhere")
    func cuts() throws {
        let bytes = rows()
        for cut in 0...bytes.count {
            var stream = CopyStream()
            var number = 0
            let taken = try bytes.withUnsafeBytes { whole in
                let taken = try stream.consume(UnsafeRawBufferPointer(rebasing: whole[..<cut])) { row in
                    try read(&row, number)
                    number += 1
                }
                return taken
                    + (try stream.consume(UnsafeRawBufferPointer(rebasing: whole[taken...])) { row in
                        try read(&row, number)
                        number += 1
                    })
            }
            #expect(taken == bytes.count && number == 4 && stream.rowCount == 4 && stream.sawTrailer)
        }
    }

    @Test("A COPY in text format is refused")
    func textFormat() {
        var stream = CopyStream()
        let text = Array("1\tone\n2\ttwo\n3\tthree\n4\tfour\n".utf8)
        #expect(throws: PostgresError.self) { try text.withUnsafeBytes { try stream.consume($0) { _ in } } }
    }

    @Test("Reading a field as another type or beyond the last is refused")
    func misread() throws {
        let bytes = rows()
        var stream = CopyStream()
        let error = #expect(throws: PostgresError.self) {
            try bytes.withUnsafeBytes { try stream.consume($0) { row in _ = try row.int64() } }
        }
        #expect(error?.description == "field 0 of a COPY row has 2 bytes, which is no Int64")
        stream = CopyStream()
        #expect(throws: PostgresError.self) {
            try bytes.withUnsafeBytes { try stream.consume($0) { row in for _ in 0..<10 { try row.skip() } } }
        }
    }

    @Test("The buffer grows, and keeps what is behind what was taken")
    func growth() {
        var buffer = CopyBuffer(capacity: 1)
        let text = String(repeating: "x", count: 100_000)
        buffer.append(text)
        #expect(buffer.byteCount == 100_004)
        buffer.append(Int16(7))
        buffer.removeFirst(100_004)
        #expect(Array(buffer.bytes) == [0, 0, 0, 2, 0, 7])
    }
}
