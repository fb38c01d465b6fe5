//
// JSONScanner.swift: reads JSON by the byte, without copying.
//
// Eight bytes at a time where the text allows it. What is accepted and how broken text is mended is Go's encoding/json,
// which is what writers of these documents test against: bytes that are no UTF-8 and lone surrogates become U+FFFD.
//

/// A position in a JSON text.
struct JSONScanner: ~Copyable {
    let bytes: UnsafeRawBufferPointer
    var offset = 0
    /// Where a string with escapes is put together.
    private var scratch: [UInt8] = []

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    var isAtEnd: Bool { offset >= bytes.count }

    func fault(_ message: String, at offset: Int? = nil) -> GroupSyntaxFault {
        GroupSyntaxFault(message: message, offset: offset ?? self.offset)
    }

    @inline(__always)
    mutating func skipWhitespace() {
        while offset < bytes.count {
            switch bytes[offset] {
            case 0x20, 0x0A, 0x0D, 0x09: offset &+= 1
            default: return
            }
        }
    }

    /// The next byte that is no white space, without taking it; 0 at the end.
    @inline(__always)
    mutating func peek() -> UInt8 {
        skipWhitespace()
        return offset < bytes.count ? bytes[offset] : 0
    }

    /// Takes `byte` if it is next.
    @inline(__always)
    mutating func take(_ byte: UInt8) -> Bool {
        guard peek() == byte, offset < bytes.count else { return false }
        offset &+= 1
        return true
    }

    mutating func take(literal: StaticString) -> Bool {
        let count = literal.utf8CodeUnitCount
        guard offset + count <= bytes.count else { return false }
        for index in 0..<count where bytes[offset + index] != literal.utf8Start[index] { return false }
        offset += count
        return true
    }

    /// What stands at the position, for a message.
    func whatIsHere() -> String {
        guard offset < bytes.count else { return "the end of the text" }
        switch bytes[offset] {
        case UInt8(ascii: "{"): return "an object"
        case UInt8(ascii: "["): return "a list"
        case UInt8(ascii: "\""): return "a string"
        case UInt8(ascii: "t"), UInt8(ascii: "f"): return "a boolean"
        case UInt8(ascii: "n"): return "null"
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return "a number"
        case let byte where byte > 0x20 && byte < 0x7F: return "“\(Character(Unicode.Scalar(byte)))”"
        case let byte: return "byte 0x\(String(byte, radix: 16))"
        }
    }

    // MARK: Boundaries

    /// Moves behind the object or list that begins here. Looks at brackets and strings alone: whether the rest is JSON
    /// shows when it is read.
    mutating func skipNested() throws(GroupSyntaxFault) {
        var depth = 0
        let start = offset
        repeat {
            guard offset < bytes.count else { throw fault("the text ends inside this value", at: start) }
            switch bytes[offset] {
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth &+= 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"): depth &-= 1
            case UInt8(ascii: "\""):
                try skipString()
                continue
            default: break
            }
            offset &+= 1
        } while depth > 0
    }

    /// Moves behind the string that begins here.
    @inline(__always)
    private mutating func skipString() throws(GroupSyntaxFault) {
        let start = offset
        offset &+= 1
        while true {
            skipPlain(stopsAtNonASCII: false)
            guard offset < bytes.count else { throw fault("this string has no end", at: start) }
            switch bytes[offset] {
            case UInt8(ascii: "\""):
                offset &+= 1
                return
            case UInt8(ascii: "\\"): offset = min(offset &+ 2, bytes.count)
            default: offset &+= 1  // a control character; refused when the value is read
            }
        }
    }

    /// Moves to the next quote, backslash, control character or, when asked to, byte from 0x80 up; or to the end.
    @inline(__always)
    private mutating func skipPlain(stopsAtNonASCII: Bool) {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let highs: UInt64 = 0x8080_8080_8080_8080
        while offset &+ 8 <= bytes.count {
            let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            let quotes = word ^ (ones &* 0x22)
            let backslashes = word ^ (ones &* 0x5C)
            // The lowest set bit is exact; higher ones may be borrowed, which does not matter for the first hit.
            var hits = (quotes &- ones) & ~quotes
            hits |= (backslashes &- ones) & ~backslashes
            hits |= (word &- ones &* 0x20) & ~word
            if stopsAtNonASCII { hits |= word }
            hits &= highs
            if hits != 0 {
                offset &+= hits.trailingZeroBitCount &>> 3
                return
            }
            offset &+= 8
        }
        while offset < bytes.count {
            let byte = bytes[offset]
            if byte == 0x22 || byte == 0x5C || byte < 0x20 || (stopsAtNonASCII && byte >= 0x80) { return }
            offset &+= 1
        }
    }

    // MARK: Strings

    /// Reads the string that begins here and hands out its text: a part of the document, or put together when it has
    /// escapes or is no UTF-8.
    @inline(__always)
    mutating func readString<T>(
        _ body: (UnsafeRawBufferPointer) throws(GroupSyntaxFault) -> T
    ) throws(GroupSyntaxFault) -> T {
        offset &+= 1
        let start = offset
        skipPlain(stopsAtNonASCII: true)
        if offset < bytes.count, bytes[offset] == UInt8(ascii: "\"") {
            let text = UnsafeRawBufferPointer(rebasing: bytes[start..<offset])
            offset &+= 1
            return try body(text)
        }
        return try readUnusualString(start, body)
    }

    private mutating func readUnusualString<T>(
        _ start: Int, _ body: (UnsafeRawBufferPointer) throws(GroupSyntaxFault) -> T
    ) throws(GroupSyntaxFault) -> T {
        scratch.removeAll(keepingCapacity: true)
        scratch.append(contentsOf: bytes[start..<offset])
        while true {
            guard offset < bytes.count else { throw fault("this string has no end", at: start - 1) }
            let byte = bytes[offset]
            switch byte {
            case UInt8(ascii: "\""):
                offset &+= 1
                // withUnsafeBytes takes no typed throws.
                let text = scratch
                let result = text.withUnsafeBytes { text in
                    Result { () throws(GroupSyntaxFault) -> T in try body(text) }
                }
                return try result.get()
            case UInt8(ascii: "\\"): try readEscape()
            case ..<0x20: throw fault("a control character in a string must be escaped")
            case ..<0x80:
                scratch.append(byte)
                offset &+= 1
            default: readMultibyte()
            }
        }
    }

    private mutating func readEscape() throws(GroupSyntaxFault) {
        guard offset + 1 < bytes.count else { throw fault("this string has no end") }
        let kind = bytes[offset + 1]
        let plain: UInt8
        switch kind {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): plain = kind
        case UInt8(ascii: "b"): plain = 0x08
        case UInt8(ascii: "f"): plain = 0x0C
        case UInt8(ascii: "n"): plain = 0x0A
        case UInt8(ascii: "r"): plain = 0x0D
        case UInt8(ascii: "t"): plain = 0x09
        case UInt8(ascii: "u"): return try readUnicodeEscape()
        default: throw fault("unknown escape in a string")
        }
        scratch.append(plain)
        offset += 2
    }

    private mutating func readUnicodeEscape() throws(GroupSyntaxFault) {
        guard let unit = hexUnit(offset) else { throw fault("\\u needs four hexadecimal digits") }
        offset += 6
        var scalar = Unicode.Scalar(UInt32(unit))
        if UTF16.isLeadSurrogate(unit), let trail = hexUnit(offset), UTF16.isTrailSurrogate(trail) {
            offset += 6
            scalar = Unicode.Scalar(0x10000 + (UInt32(unit) - 0xD800) << 10 + (UInt32(trail) - 0xDC00))
        }
        scratch.append(contentsOf: String(scalar ?? "\u{FFFD}").utf8)
    }

    /// The value of `\uXXXX` at a position.
    private func hexUnit(_ position: Int) -> UInt16? {
        guard position + 6 <= bytes.count, bytes[position] == UInt8(ascii: "\\"),
            bytes[position + 1] == UInt8(ascii: "u")
        else { return nil }
        var unit: UInt16 = 0
        for byte in bytes[(position + 2)..<(position + 6)] {
            guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue, byte < 0x80 else { return nil }
            unit = unit << 4 | UInt16(digit)
        }
        return unit
    }

    /// Takes one scalar from 0x80 up; a byte that begins none becomes U+FFFD.
    private mutating func readMultibyte() {
        let length =
            switch bytes[offset] {
            case 0xC2...0xDF: 2
            case 0xE0...0xEF: 3
            case 0xF0...0xF4: 4
            default: 1
            }
        if length > 1, offset + length <= bytes.count,
            String(validating: bytes[offset..<offset + length], as: UTF8.self) != nil
        {
            scratch.append(contentsOf: bytes[offset..<offset + length])
            offset += length
        } else {
            scratch.append(contentsOf: "\u{FFFD}".utf8)
            offset += 1
        }
    }
}
