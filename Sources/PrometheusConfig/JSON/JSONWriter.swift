//
// JSONWriter.swift: appends JSON to bytes, in the form of Go's encoder, which upstream's answers have.
//
// The caller writes the members of an object in the order of their keys; nothing is sorted or remembered here.
//

/// Writes one JSON text. `<`, `>`, `&`, U+2028 and U+2029 are escaped inside strings, as Go does it.
struct JSONWriter {
    private(set) var bytes: [UInt8] = []
    private var needsComma = false

    init(capacity: Int = 0) { bytes.reserveCapacity(capacity) }

    // MARK: Structure

    mutating func object(_ members: (inout JSONWriter) -> Void) {
        begin(UInt8(ascii: "{"))
        members(&self)
        end(UInt8(ascii: "}"))
    }

    mutating func array<Element>(_ elements: some Sequence<Element>, _ write: (inout JSONWriter, Element) -> Void) {
        begin(UInt8(ascii: "["))
        for element in elements { write(&self, element) }
        end(UInt8(ascii: "]"))
    }

    /// Begins a member whose key needs no escape.
    mutating func key(_ key: StaticString) {
        comma()
        bytes.append(UInt8(ascii: "\""))
        key.withUTF8Buffer { bytes.append(contentsOf: $0) }
        bytes.append(UInt8(ascii: "\""))
        bytes.append(UInt8(ascii: ":"))
    }

    mutating func key(_ key: String) {
        string(key)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    // MARK: Values

    mutating func string(_ text: String) {
        comma()
        appendQuoted(text)
        needsComma = true
    }

    mutating func bool(_ value: Bool) { raw(value ? "true" : "false") }

    mutating func null() { raw("null") }

    mutating func integer(_ value: some FixedWidthInteger) { raw(String(value)) }

    /// - Parameter value: A finite number.
    mutating func double(_ value: Double) { raw(GoNumber.json(value)) }

    mutating func strings(_ values: some Sequence<String>) { array(values) { $0.string($1) } }

    /// An object of texts, its keys sorted bytewise.
    mutating func object(_ members: [String: String]) {
        object { writer in
            for (key, value) in members.sortedByKey {
                writer.key(key)
                writer.string(value)
            }
        }
    }

    // MARK: Bytes

    private mutating func begin(_ byte: UInt8) {
        comma()
        bytes.append(byte)
    }

    private mutating func end(_ byte: UInt8) {
        bytes.append(byte)
        needsComma = true
    }

    private mutating func comma() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = false
    }

    private mutating func raw(_ text: String) {
        comma()
        bytes.append(contentsOf: text.utf8)
        needsComma = true
    }

    private mutating func appendQuoted(_ text: String) {
        var text = text
        bytes.append(UInt8(ascii: "\""))
        text.withUTF8 { utf8 in
            var start = 0
            for index in utf8.indices {
                guard let escape = Self.escape(utf8, at: index) else { continue }
                bytes.append(contentsOf: UnsafeBufferPointer(rebasing: utf8[start..<index]))
                bytes.append(contentsOf: escape.text.utf8)
                start = index + escape.length
            }
            bytes.append(contentsOf: UnsafeBufferPointer(rebasing: utf8[min(start, utf8.count)...]))
        }
        bytes.append(UInt8(ascii: "\""))
    }

    /// What stands for the character at `index`, and how many bytes that has; nil when it stands for itself.
    private static func escape(
        _ utf8: UnsafeBufferPointer<UInt8>, at index: Int
    ) -> (text: String, length: Int)? {
        switch utf8[index] {
        case UInt8(ascii: "\""): ("\\\"", 1)
        case UInt8(ascii: "\\"): ("\\\\", 1)
        case UInt8(ascii: "<"): ("\\u003c", 1)
        case UInt8(ascii: ">"): ("\\u003e", 1)
        case UInt8(ascii: "&"): ("\\u0026", 1)
        case 0x08: ("\\b", 1)
        case 0x09: ("\\t", 1)
        case 0x0A: ("\\n", 1)
        case 0x0C: ("\\f", 1)
        case 0x0D: ("\\r", 1)
        case let byte where byte < 0x20: ("\\u00" + (byte < 16 ? "0" : "") + String(byte, radix: 16), 1)
        // U+2028 and U+2029, the line separators of JavaScript, are E2 80 A8 and E2 80 A9.
        case 0xE2 where index + 2 < utf8.count && utf8[index + 1] == 0x80 && utf8[index + 2] & 0xFE == 0xA8:
            (utf8[index + 2] == 0xA8 ? "\\u2028" : "\\u2029", 3)
        default: nil
        }
    }
}

extension Dictionary where Key == String {
    /// The members in the order of their keys' UTF-8 bytes, which is the order of Go's maps in JSON.
    var sortedByKey: [(key: String, value: Value)] {
        count < 2 ? Array(self) : sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
    }
}
