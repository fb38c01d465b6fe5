//
// QueryComponent.swift: how names stand in paths and queries.
//
// A job's name is written into a link, and read back out of a path, as a *query* component: blank as `+`, everything
// but letters, digits and `-_.~` as %XX (spec/target-allocator.md 4.4, 4.5). It is decoded exactly once, so that names
// with a percent sign are reachable too.
//

/// Escaping of names in URLs.
package enum QueryComponent {
    /// What cannot be decoded.
    package enum DecodingError: Error, Hashable {
        /// A percent sign without two hexadecimal digits behind it; the text that stands there.
        case badEscape(String)
        case notUTF8
    }

    package static func decoded(_ bytes: some Collection<UInt8>) throws(DecodingError) -> String {
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count)
        var rest = bytes[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "+"): output.append(UInt8(ascii: " "))
            case UInt8(ascii: "%"):
                let digits = rest.prefix(2)
                guard digits.count == 2, let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 16),
                    digits.first != UInt8(ascii: "+"), digits.first != UInt8(ascii: "-")
                else { throw .badEscape("%" + String(decoding: digits, as: UTF8.self)) }
                output.append(value)
                rest = rest.dropFirst(2)
            default: output.append(byte)
            }
        }
        guard let text = String(validating: output, as: UTF8.self) else { throw .notUTF8 }
        return text
    }

    package static func encoded(_ text: String) -> String {
        var output: [UInt8] = []
        for byte in text.utf8 {
            if isUnreserved(byte) {
                output.append(byte)
            } else if byte == UInt8(ascii: " ") {
                output.append(UInt8(ascii: "+"))
            } else {
                output += [UInt8(ascii: "%"), hexDigits[Int(byte >> 4)], hexDigits[Int(byte & 0xF)]]
            }
        }
        return String(decoding: output, as: UTF8.self)
    }

    private static let hexDigits = Array("0123456789ABCDEF".utf8)

    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."),
            UInt8(ascii: "~"):
            true
        default: false
        }
    }
}
