//
// LabelMatcherParser.swift: reads a PromQL selector without a metric's name, and says where it is wrong.
//
// Source: PromQL's grammar as its manual describes it ("Instant vector selectors", "Literals"): names are
// [a-zA-Z_][a-zA-Z0-9_]* or quoted; texts stand in double or single quotes with Go's escapes, or in backquotes without;
// a comma may follow the last matcher.
//

struct LabelMatcherParser {
    private let bytes: [UInt8]
    private var offset = 0

    init(_ text: String) { bytes = Array(text.utf8) }

    mutating func matchers() throws(LabelMatcherError) -> [LabelMatcher] {
        var matchers: [LabelMatcher] = []
        skipSpace()
        try expect("{", "a selector begins with {")
        skipSpace()
        while !take("}") {
            matchers.append(try matcher())
            skipSpace()
            if take("}") { break }
            try expect(",", "a matcher is followed by , or }")
            skipSpace()
        }
        skipSpace()
        guard offset == bytes.count else { throw fault("nothing may follow }") }
        return matchers
    }

    private mutating func matcher() throws(LabelMatcherError) -> LabelMatcher {
        let start = offset
        let name = isQuote(peek) ? try text() : bareName()
        guard !name.isEmpty else {
            throw fault(offset == bytes.count ? "the selector has no end" : "a label's name is missing", at: start)
        }
        skipSpace()
        let operation = try operation()
        skipSpace()
        guard isQuote(peek) else { throw fault("a matcher's value stands in quotes") }
        return LabelMatcher(name: name, operation: operation, value: try text())
    }

    private mutating func bareName() -> String {
        let start = offset
        while let byte = peek, Self.isLetter(byte) || (offset > start && Self.isDigit(byte)) { offset += 1 }
        return String(decoding: bytes[start..<offset], as: UTF8.self)
    }

    private mutating func operation() throws(LabelMatcherError) -> LabelMatcher.Operation {
        if take("!") {
            if take("=") { return .notEqual }
            if take("~") { return .doesNotMatch }
            throw fault("expected !=, or !~", at: offset - 1)
        }
        try expect("=", "expected =, !=, =~, or !~")
        return take("~") ? .matches : .equal
    }

    // MARK: Texts

    private mutating func text() throws(LabelMatcherError) -> String {
        let start = offset
        let quote = bytes[offset]
        offset += 1
        var content: [UInt8] = []
        while true {
            guard let byte = peek else { throw fault("the text has no end", at: start) }
            if byte == quote {
                offset += 1
                break
            }
            if quote != UInt8(ascii: "`") {
                if byte == UInt8(ascii: "\n") { throw fault("a line ends within a quoted text; write \\n") }
                if byte == UInt8(ascii: "\\") {
                    try escape(quote, into: &content)
                    continue
                }
            }
            content.append(byte)
            offset += 1
        }
        guard let text = String(validating: content, as: UTF8.self) else {
            throw fault("the text's escapes do not make UTF-8", at: start)
        }
        return text
    }

    private mutating func escape(_ quote: UInt8, into content: inout [UInt8]) throws(LabelMatcherError) {
        let start = offset
        offset += 1
        guard let code = peek else { throw fault("an escape has no end", at: start) }
        offset += 1
        switch code {
        case quote, UInt8(ascii: "\\"): content.append(code)
        case UInt8(ascii: "a"): content.append(7)
        case UInt8(ascii: "b"): content.append(8)
        case UInt8(ascii: "f"): content.append(12)
        case UInt8(ascii: "n"): content.append(10)
        case UInt8(ascii: "r"): content.append(13)
        case UInt8(ascii: "t"): content.append(9)
        case UInt8(ascii: "v"): content.append(11)
        case UInt8(ascii: "0")...UInt8(ascii: "7"):
            offset -= 1
            let value = try number(digits: 3, radix: 8, from: start)
            guard value < 256 else { throw fault("an octal escape is at most \\377", at: start) }
            content.append(UInt8(value))
        case UInt8(ascii: "x"): content.append(UInt8(try number(digits: 2, radix: 16, from: start)))
        case UInt8(ascii: "u"): try scalar(digits: 4, from: start, into: &content)
        case UInt8(ascii: "U"): try scalar(digits: 8, from: start, into: &content)
        default: throw fault("there is no such escape; a backslash itself is \\\\", at: start)
        }
    }

    private mutating func scalar(
        digits: Int, from start: Int, into content: inout [UInt8]
    ) throws(LabelMatcherError) {
        guard let scalar = Unicode.Scalar(try number(digits: digits, radix: 16, from: start)) else {
            throw fault("there is no character of this number", at: start)
        }
        content.append(contentsOf: Array(String(Character(scalar)).utf8))
    }

    private mutating func number(digits: Int, radix: UInt32, from start: Int) throws(LabelMatcherError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<digits {
            guard let digit = peek.flatMap({ Character(Unicode.Scalar($0)).hexDigitValue }), digit < radix else {
                throw fault("the escape needs \(digits) digits", at: start)
            }
            // Eight hexadecimal digits fill 32 bits exactly.
            value = value &* radix &+ UInt32(digit)
            offset += 1
        }
        return value
    }

    // MARK: Bytes

    private var peek: UInt8? { offset < bytes.count ? bytes[offset] : nil }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard peek == UInt8(ascii: character) else { return false }
        offset += 1
        return true
    }

    private mutating func expect(_ character: Unicode.Scalar, _ message: String) throws(LabelMatcherError) {
        guard take(character) else {
            throw fault(peek == nil && offset > 0 ? "the selector has no end" : message)
        }
    }

    private mutating func skipSpace() {
        while let byte = peek, byte == 0x20 || (0x09...0x0D).contains(byte) && byte != 0x0B && byte != 0x0C {
            offset += 1
        }
    }

    private func isQuote(_ byte: UInt8?) -> Bool {
        byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") || byte == UInt8(ascii: "`")
    }

    static func isLetter(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "_") || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }

    static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    private func fault(_ message: String, at offset: Int? = nil) -> LabelMatcherError {
        // Characters, not bytes: a reader counts those. Bytes 80 to BF go on with a character.
        let before = bytes[..<(offset ?? self.offset)].count { $0 & 0xC0 != 0x80 }
        return LabelMatcherError(position: before + 1, message: message)
    }
}
