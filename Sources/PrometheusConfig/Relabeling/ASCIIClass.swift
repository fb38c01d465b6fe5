//
// ASCIIClass.swift: the classes of bytes that label names, templates and group names are made of.
//

/// Classes of single bytes; a byte of a character outside of ASCII belongs to none.
enum ASCIIClass {
    @inline(__always)
    static func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }

    /// `[a-zA-Z0-9_]`.
    @inline(__always)
    static func isWord(_ byte: UInt8) -> Bool {
        let lower = byte | 0x20
        return isDigit(byte) || byte == UInt8(ascii: "_") || (lower >= UInt8(ascii: "a") && lower <= UInt8(ascii: "z"))
    }
}
