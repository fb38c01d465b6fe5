//
// JSONText.swift: which bytes can stand in a JSON string as they are, and how the others are written.
//
// Upstream answers with Go's HTML-safe encoder: besides what JSON demands, `<`, `>`, `&`, U+2028 and U+2029 are
// written as \u escapes (spec/target-allocator.md 4.2). Short escapes are Go's: \" \\ \b \f \n \r \t.
//

/// JSON string bodies as the standard API writes them.
package enum JSONText {
    /// Whether `bytes` need no escape. Bytes that are not UTF-8 are not plain.
    package static func isPlain(_ bytes: UnsafeRawBufferPointer) -> Bool {
        for byte in bytes where !plainASCII[Int(byte)] { return isPlainUnicode(bytes) }
        return true
    }

    /// Appends `bytes` as the inside of a JSON string, without the quotes. Invalid UTF-8 becomes U+FFFD.
    package static func append(_ bytes: UnsafeRawBufferPointer, to output: inout [UInt8]) {
        if isPlain(bytes) {
            output.append(contentsOf: bytes)
            return
        }
        for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars { append(scalar, to: &output) }
    }

    /// Appends a quoted JSON string.
    package static func appendQuoted(_ text: String, to output: inout [UInt8]) {
        var text = text
        output.append(UInt8(ascii: "\""))
        text.withUTF8 { append(UnsafeRawBufferPointer($0), to: &output) }
        output.append(UInt8(ascii: "\""))
    }

    private static func append(_ scalar: Unicode.Scalar, to output: inout [UInt8]) {
        switch scalar {
        case "\"": output.append(contentsOf: #"\""#.utf8)
        case "\\": output.append(contentsOf: #"\\"#.utf8)
        case "\u{08}": output.append(contentsOf: #"\b"#.utf8)
        case "\u{0C}": output.append(contentsOf: #"\f"#.utf8)
        case "\n": output.append(contentsOf: #"\n"#.utf8)
        case "\r": output.append(contentsOf: #"\r"#.utf8)
        case "\t": output.append(contentsOf: #"\t"#.utf8)
        case "<", ">", "&", "\u{2028}", "\u{2029}", "\u{00}"..."\u{1F}":
            output.append(contentsOf: #"\u"#.utf8)
            for shift in [12, 8, 4, 0] as [UInt32] {
                output.append(hexDigits[Int((scalar.value >> shift) & 0xF)])
            }
        default: output.append(contentsOf: UTF8.encode(scalar).unsafelyUnwrapped)  // every scalar has UTF-8 bytes
        }
    }

    private static func isPlainUnicode(_ bytes: UnsafeRawBufferPointer) -> Bool {
        for byte in bytes where byte < 0x80 && !plainASCII[Int(byte)] { return false }
        guard String(validating: bytes, as: UTF8.self) != nil else { return false }
        // U+2028 and U+2029 are E2 80 A8 and E2 80 A9.
        guard bytes.count >= 3 else { return true }
        for index in 0...(bytes.count - 3) where bytes[index] == 0xE2 && bytes[index + 1] == 0x80 {
            if bytes[index + 2] == 0xA8 || bytes[index + 2] == 0xA9 { return false }
        }
        return true
    }

    private static let hexDigits = Array("0123456789abcdef".utf8)
    private static let plainASCII: [Bool] = (0..<256).map { byte in
        (0x20..<0x80).contains(byte) && !#""\<>&"#.utf8.contains(UInt8(byte))
    }
}
