//
// RecordReader.swift: reads back what RecordEncoder.swift wrote.
//

import PostgresDriver

/// Takes fields from the front of a record. Every read is nil once the record is not what it should be.
struct RecordReader {
    private let bytes: [UInt8]
    private var offset = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { offset == bytes.count }

    /// The byte that a record begins with, where it has no prefix.
    mutating func type() -> UInt8? {
        guard offset < bytes.count else { return nil }
        defer { offset += 1 }
        return bytes[offset]
    }

    /// Nil for an absent field too.
    mutating func field() -> ArraySlice<UInt8>? {
        guard bytes.count - offset >= 4 else { return nil }
        let length = bytes[offset..<offset + 4].reduce(0) { $0 << 8 | Int($1) }
        offset += 4
        if length == Int(UInt32.max) { return nil }
        guard length <= bytes.count - offset else {
            offset = bytes.count + 1
            return nil
        }
        defer { offset += length }
        return bytes[offset..<offset + length]
    }

    mutating func text() -> String? { field().map { String(decoding: $0, as: UTF8.self) } }

    mutating func number() -> Int64? {
        guard let field = field(), field.count == 8 else { return nil }
        return Int64(bitPattern: field.reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
    }

    mutating func digest() -> Digest32? { field().flatMap { Digest32($0) } }

    mutating func uuid() -> UUID128? {
        guard let field = field(), field.count == 16 else { return nil }
        let words = [field.prefix(8), field.suffix(8)].map { $0.reduce(UInt64(0)) { $0 << 8 | UInt64($1) } }
        return UUID128(high: words[0], low: words[1])
    }
}

extension RecordEncoder {
    mutating func field(_ uuid: UUID128) {
        withUnsafeBytes(of: (uuid.high.bigEndian, uuid.low.bigEndian)) { field($0) }
    }
}
