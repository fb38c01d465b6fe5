//
// ByteWriter.swift: bytes of numbers and texts, for content that this program alone reads back.
//

/// Appends numbers and texts.
struct ByteWriter {
    private(set) var bytes: [UInt8] = []

    mutating func byte(_ byte: UInt8) { bytes.append(byte) }

    /// A number that is not negative, seven bits a byte, lowest first.
    mutating func count(_ number: Int) {
        var rest = UInt(bitPattern: number)
        while rest > 0x7F {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    mutating func fixed(_ number: UInt64) { withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) } }

    mutating func bytes(_ content: UnsafeRawBufferPointer) {
        count(content.count)
        bytes.append(contentsOf: content)
    }

    mutating func text(_ text: String) {
        var text = text
        text.withUTF8 { bytes(UnsafeRawBufferPointer($0)) }
    }

    mutating func optional(_ text: String?) {
        byte(text == nil ? 0 : 1)
        if let text { self.text(text) }
    }
}

/// Reads what ``ByteWriter`` wrote. Behind the end everything is zero or empty, and ``isAtEnd`` is false for ever.
struct ByteReader {
    private let bytes: [UInt8]
    private var offset = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { offset == bytes.count }

    private mutating func fail() { offset = bytes.count + 1 }

    mutating func byte() -> UInt8 {
        guard offset < bytes.count else {
            fail()
            return 0
        }
        defer { offset += 1 }
        return bytes[offset]
    }

    /// A number.
    mutating func count() -> Int {
        var number: UInt = 0
        for shift in stride(from: UInt(0), to: 63, by: 7) {
            guard offset < bytes.count else { break }
            let next = bytes[offset]
            offset += 1
            number |= UInt(next & 0x7F) << shift
            if next & 0x80 == 0 { return Int(number) }
        }
        fail()
        return 0
    }

    /// How many things follow: never more than there are bytes, since each takes one at least.
    mutating func length() -> Int {
        let number = count()
        guard number <= bytes.count - offset else {
            fail()
            return 0
        }
        return number
    }

    mutating func fixed() -> UInt64 {
        guard bytes.count - offset >= 8 else {
            fail()
            return 0
        }
        defer { offset += 8 }
        return bytes.withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: UInt64.self)) }
    }

    /// Where a run of bytes stands that begins with its length.
    mutating func range() -> Range<Int> {
        let length = self.length()
        guard offset <= bytes.count else { return 0..<0 }
        defer { offset += length }
        return offset..<offset + length
    }

    func withBytes<T>(_ body: (UnsafeRawBufferPointer) -> T) -> T { bytes.withUnsafeBytes(body) }

    mutating func text() -> String {
        let range = self.range()
        return String(decoding: bytes[range], as: UTF8.self)
    }

    mutating func optional() -> String? { byte() == 0 ? nil : text() }
}
