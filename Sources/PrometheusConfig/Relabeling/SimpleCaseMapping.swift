//
// SimpleCaseMapping.swift: lower and upper case, code point by code point, as Go's strings.ToLower and ToUpper have it.
//
// Swift's own mapping is Unicode's full one, in which `ß` becomes `SS`; the simple one leaves such a character alone.
// The standard library does not offer it, but it follows from the full mappings: where the full mapping is a single
// code point, they agree; where it is several, the simple upper case is the title case if that is one code point (`ᾀ`),
// else the character itself; and only `İ` has a full lower case of several.
//

/// Unicode's simple case mappings.
enum SimpleCaseMapping {
    case lower, upper

    func map(_ scalar: Unicode.Scalar) -> Unicode.Scalar {
        switch self {
        case .lower:
            if scalar == "\u{130}" { return "i" }
            return Self.single(scalar.properties.lowercaseMapping) ?? scalar
        case .upper:
            return Self.single(scalar.properties.uppercaseMapping)
                ?? Self.single(scalar.properties.titlecaseMapping) ?? scalar
        }
    }

    /// Maps valid UTF-8; the result lies in `arena`.
    func map(_ text: UnsafeRawBufferPointer, in arena: inout ByteArena) -> UnsafeRawBufferPointer {
        guard text.allSatisfy({ $0 < 0x80 }) else { return mapUnicode(text, in: &arena) }
        let mapped = arena.allocate(text.count)
        let first = self == .lower ? UInt8(ascii: "A") : UInt8(ascii: "a")
        for (offset, byte) in text.enumerated() {
            let isMapped = byte >= first && byte < first + 26
            mapped.storeBytes(of: isMapped ? byte ^ 0x20 : byte, toByteOffset: offset, as: UInt8.self)
        }
        return UnsafeRawBufferPointer(start: mapped, count: text.count)
    }

    private func mapUnicode(_ text: UnsafeRawBufferPointer, in arena: inout ByteArena) -> UnsafeRawBufferPointer {
        var mapped = String.UnicodeScalarView()
        for scalar in String(decoding: text, as: UTF8.self).unicodeScalars { mapped.append(map(scalar)) }
        return arena.copy(String(mapped))
    }

    private static func single(_ mapping: String) -> Unicode.Scalar? {
        let scalars = mapping.unicodeScalars
        return scalars.count == 1 ? scalars.first : nil
    }
}
