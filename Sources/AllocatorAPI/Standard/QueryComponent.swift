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

    package static func decoded(_ bytes: UnsafeRawBufferPointer) throws(DecodingError) -> String {
        // Most names need no decoding.
        if !bytes.contains(where: { $0 == UInt8(ascii: "%") || $0 == UInt8(ascii: "+") }) { return try text(bytes) }
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count)
        var index = 0
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "+"): output.append(UInt8(ascii: " "))
            case UInt8(ascii: "%"):
                guard index + 2 < bytes.count, let high = hexValue(bytes[index + 1]),
                    let low = hexValue(bytes[index + 2])
                else { throw .badEscape(String(decoding: bytes[index...].prefix(3), as: UTF8.self)) }
                output.append(high << 4 | low)
                index += 2
            default: output.append(bytes[index])
            }
            index += 1
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

    private static func text(_ bytes: UnsafeRawBufferPointer) throws(DecodingError) -> String {
        // ASCII needs no validation, which would cost more than all else here.
        if bytes.allSatisfy({ $0 < 0x80 }) { return String(decoding: bytes, as: UTF8.self) }
        guard let text = String(validating: bytes, as: UTF8.self) else { throw .notUTF8 }
        return text
    }

    private static func hexValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }

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
