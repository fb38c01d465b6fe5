//
// ExportLine.swift: reads one line of a whole export: a flat JSON object, without building a tree of it.
//
// A line has a dozen members and there are millions of lines; members are found in the order in which they are asked for,
// which is the order in which they were written.
//

/// Why an export cannot be read.
package struct ExportError: Error, Sendable, Hashable, CustomStringConvertible {
    /// From 1 on; 0 for the whole.
    package var line: Int64
    package var problem: String

    package var description: String { line > 0 ? "line \(line) of the export: \(problem)" : "the export \(problem)" }
}

/// A value, read when it is asked for.
enum ExportValue {
    case null
    case number(Int64)
    /// Between its quotation marks.
    case text(Range<Int>, isPlain: Bool)
    /// Brackets included.
    case list(Range<Int>)
}

/// The members of one line.
struct ExportLine {
    private var bytes: [UInt8] = []
    private var members: [(key: Range<Int>, value: ExportValue)] = []
    private var next = 0
    private(set) var number: Int64 = 0

    private struct Malformed: Error { var what: String }

    /// Takes a line, without its newline.
    mutating func read(_ line: UnsafeRawBufferPointer, number: Int64) throws(ExportError) {
        self.number = number
        bytes.removeAll(keepingCapacity: true)
        bytes.append(contentsOf: line)
        members.removeAll(keepingCapacity: true)
        next = 0
        do throws(Malformed) {
            try readMembers()
        } catch {
            throw failure(error.what)
        }
    }

    func failure(_ problem: String) -> ExportError { ExportError(line: number, problem: problem) }

    // MARK: Members

    mutating func value(_ key: StaticString) throws(ExportError) -> ExportValue {
        for step in 0..<members.count {
            let index = next + step < members.count ? next + step : next + step - members.count
            if isEqual(members[index].key, key) {
                next = index + 1 < members.count ? index + 1 : 0
                return members[index].value
            }
        }
        throw failure("\"\(key)\" is missing")
    }

    private func isEqual(_ range: Range<Int>, _ key: StaticString) -> Bool {
        guard range.count == key.utf8CodeUnitCount else { return false }
        for offset in 0..<range.count where bytes[range.lowerBound + offset] != key.utf8Start[offset] { return false }
        return true
    }

    mutating func optionalNumber(_ key: StaticString) throws(ExportError) -> Int64? {
        switch try value(key) {
        case .number(let number): return number
        case .null: return nil
        default: throw failure("\"\(key)\" is no number")
        }
    }

    mutating func number(_ key: StaticString) throws(ExportError) -> Int64 {
        guard let number = try optionalNumber(key) else { throw failure("\"\(key)\" is null") }
        return number
    }

    mutating func number<Number: FixedWidthInteger>(
        _ key: StaticString, as _: Number.Type
    ) throws(ExportError) -> Number {
        guard let number = Number(exactly: try number(key)) else { throw failure("\"\(key)\" is out of range") }
        return number
    }

    /// An id, 0 for null.
    mutating func id(_ key: StaticString) throws(ExportError) -> Int32 {
        guard let id = Int32(exactly: try optionalNumber(key) ?? 0) else { throw failure("\"\(key)\" is out of range") }
        return id
    }

    mutating func optionalText(_ key: StaticString) throws(ExportError) -> String? {
        switch try value(key) {
        case .null: return nil
        case .text(let range, let isPlain): return try text(range, isPlain, key)
        default: throw failure("\"\(key)\" is no text")
        }
    }

    mutating func text(_ key: StaticString) throws(ExportError) -> String {
        guard let text = try optionalText(key) else { throw failure("\"\(key)\" is null") }
        return text
    }

    mutating func optionalBytes(_ key: StaticString) throws(ExportError) -> [UInt8]? {
        guard let text = try optionalText(key) else { return nil }
        guard let bytes = Hexadecimal.decoded(text) else { throw failure("\"\(key)\" is not hexadecimal") }
        return bytes
    }

    mutating func digest(_ key: StaticString) throws(ExportError) -> Digest32? {
        try optionalBytes(key).flatMap { Digest32($0) }
    }

    /// An element of a list.
    enum Element {
        case null
        case number(Int64)
        case text(String)
        case list([Element])
    }

    mutating func list(_ key: StaticString) throws(ExportError) -> [Element] {
        guard case .list(let range) = try value(key) else { throw failure("\"\(key)\" is no list") }
        var place = range.lowerBound
        do throws(Malformed) {
            guard case .list(let elements) = try readElement(&place, depth: 0) else { return [] }
            return elements
        } catch {
            throw failure("\"\(key)\": \(error.what)")
        }
    }

    private func text(_ range: Range<Int>, _ isPlain: Bool, _ key: StaticString) throws(ExportError) -> String {
        do throws(Malformed) {
            return try text(range, isPlain)
        } catch {
            throw failure("\"\(key)\": \(error.what)")
        }
    }

    // MARK: Scanning

    private mutating func readMembers() throws(Malformed) {
        var place = 0
        try skip(UInt8(ascii: "{"), &place)
        if peek(place) == UInt8(ascii: "}") { return }
        while true {
            guard case .text(let key, true) = try readValue(&place) else { throw Malformed(what: "a name is expected") }
            try skip(UInt8(ascii: ":"), &place)
            members.append((key, try readValue(&place)))
            if peek(place) == UInt8(ascii: ",") {
                try skip(UInt8(ascii: ","), &place)
                continue
            }
            try skip(UInt8(ascii: "}"), &place)
            break
        }
        while place < bytes.count, isSpace(bytes[place]) { place += 1 }
        guard place == bytes.count else { throw Malformed(what: "something follows the object") }
    }

    private func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0D }

    private func peek(_ place: Int) -> UInt8 { place < bytes.count ? bytes[place] : 0 }

    private func skip(_ byte: UInt8, _ place: inout Int) throws(Malformed) {
        while place < bytes.count, isSpace(bytes[place]) { place += 1 }
        guard peek(place) == byte else {
            throw Malformed(what: "\"\(Character(Unicode.Scalar(byte)))\" is expected at byte \(place + 1)")
        }
        place += 1
        while place < bytes.count, isSpace(bytes[place]) { place += 1 }
    }

    private func readValue(_ place: inout Int) throws(Malformed) -> ExportValue {
        let start = place
        let value: ExportValue
        switch peek(place) {
        case UInt8(ascii: "\""):
            let (range, isPlain) = try readText(&place)
            value = .text(range, isPlain: isPlain)
        case UInt8(ascii: "n"):
            guard bytes[start...].starts(with: "null".utf8) else { throw Malformed(what: "null is expected") }
            place += 4
            value = .null
        case UInt8(ascii: "["):
            _ = try readElement(&place, depth: 0)
            value = .list(start..<place)
        default: value = .number(try readNumber(&place))
        }
        while place < bytes.count, isSpace(bytes[place]) { place += 1 }
        return value
    }

    /// - Returns: What is between the marks, and whether it has no escapes in it.
    private func readText(_ place: inout Int) throws(Malformed) -> (Range<Int>, isPlain: Bool) {
        place += 1
        let start = place
        var isPlain = true
        while place < bytes.count, bytes[place] != UInt8(ascii: "\"") {
            if bytes[place] == UInt8(ascii: "\\") {
                isPlain = false
                place += 1
            }
            place += 1
        }
        guard place < bytes.count else { throw Malformed(what: "a text does not end") }
        place += 1
        return (start..<(place - 1), isPlain)
    }

    private func readNumber(_ place: inout Int) throws(Malformed) -> Int64 {
        let isNegative = peek(place) == UInt8(ascii: "-")
        if isNegative { place += 1 }
        let start = place
        var number: Int64 = 0
        while place < bytes.count, (0x30...0x39).contains(bytes[place]) {
            let (product, overflow) = number.multipliedReportingOverflow(by: 10)
            let digit = Int64(bytes[place] - 0x30)
            let (sum, overflow2) =
                isNegative ? product.subtractingReportingOverflow(digit) : product.addingReportingOverflow(digit)
            guard !overflow, !overflow2 else { throw Malformed(what: "a number has more than 64 bits") }
            number = sum
            place += 1
        }
        guard place > start else { throw Malformed(what: "a value is expected at byte \(start + 1)") }
        return number
    }

    private func readElement(_ place: inout Int, depth: Int) throws(Malformed) -> Element {
        switch peek(place) {
        case UInt8(ascii: "["):
            guard depth < 4 else { throw Malformed(what: "lists are nested too deep") }
            place += 1
            while place < bytes.count, isSpace(bytes[place]) { place += 1 }
            var elements: [Element] = []
            guard peek(place) != UInt8(ascii: "]") else {
                place += 1
                return .list([])
            }
            while true {
                elements.append(try readElement(&place, depth: depth + 1))
                while place < bytes.count, isSpace(bytes[place]) { place += 1 }
                if peek(place) == UInt8(ascii: ",") {
                    place += 1
                    while place < bytes.count, isSpace(bytes[place]) { place += 1 }
                    continue
                }
                guard peek(place) == UInt8(ascii: "]") else { throw Malformed(what: "a list does not end") }
                place += 1
                return .list(elements)
            }
        default:
            switch try readValue(&place) {
            case .null: return .null
            case .number(let number): return .number(number)
            case .text(let range, let isPlain): return .text(try text(range, isPlain))
            case .list: throw Malformed(what: "a list is not expected here")
            }
        }
    }

    private func text(_ range: Range<Int>, _ isPlain: Bool) throws(Malformed) -> String {
        guard isPlain else { return try unescaped(range) }
        guard let text = String(validating: bytes[range], as: UTF8.self) else {
            throw Malformed(what: "it is not UTF-8")
        }
        return text
    }

    private func unescaped(_ range: Range<Int>) throws(Malformed) -> String {
        var units: [UInt8] = []
        var place = range.lowerBound
        while place < range.upperBound {
            guard bytes[place] == UInt8(ascii: "\\") else {
                units.append(bytes[place])
                place += 1
                continue
            }
            place += 2
            guard place <= range.upperBound else { throw Malformed(what: "an escape does not end") }
            switch bytes[place - 1] {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): units.append(bytes[place - 1])
            case UInt8(ascii: "b"): units.append(8)
            case UInt8(ascii: "f"): units.append(12)
            case UInt8(ascii: "n"): units.append(10)
            case UInt8(ascii: "r"): units.append(13)
            case UInt8(ascii: "t"): units.append(9)
            case UInt8(ascii: "u"): units.append(contentsOf: "\(try scalar(&place, range.upperBound))".utf8)
            default: throw Malformed(what: "an escape is not known")
            }
        }
        guard let text = String(validating: units, as: UTF8.self) else { throw Malformed(what: "it is not UTF-8") }
        return text
    }

    /// Behind `\u`; two of them where the first is half of a pair.
    private func scalar(_ place: inout Int, _ end: Int) throws(Malformed) -> Unicode.Scalar {
        func unit() throws(Malformed) -> UInt32 {
            guard place + 4 <= end,
                let bytes = Hexadecimal.decoded(String(decoding: bytes[place..<place + 4], as: UTF8.self))
            else { throw Malformed(what: "an escape has not four digits") }
            place += 4
            return UInt32(bytes[0]) << 8 | UInt32(bytes[1])
        }
        let first = try unit()
        if let scalar = Unicode.Scalar(first) { return scalar }
        guard first < 0xDC00, place + 2 <= end, bytes[place] == UInt8(ascii: "\\"),
            bytes[place + 1] == UInt8(ascii: "u")
        else { throw Malformed(what: "an escape is half of a pair") }
        place += 2
        let second = try unit()
        guard (0xDC00..<0xE000).contains(second),
            let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
        else { throw Malformed(what: "an escape is half of a pair") }
        return scalar
    }
}

/// Two digits for each byte.
enum Hexadecimal {
    static func decoded(_ text: String) -> [UInt8]? {
        var bytes: [UInt8] = []
        var high: UInt8?
        for digit in text.utf8 {
            let value: UInt8
            switch digit {
            case 0x30...0x39: value = digit - 0x30
            case 0x61...0x66: value = digit - 0x61 + 10
            case 0x41...0x46: value = digit - 0x41 + 10
            default: return nil
            }
            if let first = high {
                bytes.append(first << 4 | value)
                high = nil
            } else {
                high = value
            }
        }
        return high == nil ? bytes : nil
    }
}
