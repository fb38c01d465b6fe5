//
// ASCII.swift: comparing and cutting request bytes without making strings of them.
//
// Every request passes through here, and String comparison, which minds Unicode equivalence, would cost more than the
// rest of an answer.
//

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Operations on bytes that stand for ASCII text.
enum ASCII {
    @inline(__always)
    static func isEqual(_ bytes: UnsafeRawBufferPointer, _ text: StaticString) -> Bool {
        guard bytes.count == text.utf8CodeUnitCount else { return false }
        guard let start = bytes.baseAddress else { return true }
        return memcmp(start, text.utf8Start, bytes.count) == 0
    }

    @inline(__always)
    static func hasPrefix(_ bytes: UnsafeRawBufferPointer, _ text: StaticString) -> Bool {
        bytes.count >= text.utf8CodeUnitCount && isEqual(cut(bytes, 0, text.utf8CodeUnitCount), text)
    }

    /// - Parameter name: In lower case.
    static func isEqualIgnoringCase(_ bytes: UnsafeRawBufferPointer, _ name: StaticString) -> Bool {
        guard bytes.count == name.utf8CodeUnitCount else { return false }
        for index in 0..<bytes.count where lowercased(bytes[index]) != name.utf8Start[index] { return false }
        return true
    }

    /// - Parameter part: In lower case, not empty.
    static func containsIgnoringCase(_ bytes: UnsafeRawBufferPointer, _ part: StaticString) -> Bool {
        let count = part.utf8CodeUnitCount
        guard bytes.count >= count else { return false }
        for start in 0...(bytes.count - count) where isEqualIgnoringCase(cut(bytes, start, start + count), part) {
            return true
        }
        return false
    }

    /// The first place of a byte at or after `start`.
    @inline(__always)
    static func firstIndex(
        of byte: UInt8, in bytes: UnsafeRawBufferPointer, from start: Int = 0
    ) -> Int? {
        guard let base = bytes.baseAddress, start < bytes.count else { return nil }
        guard let found = memchr(base + start, Int32(byte), bytes.count - start) else { return nil }
        return UnsafeRawPointer(found) - base
    }

    /// The bytes from `start` up to `end`.
    @inline(__always)
    static func cut(_ bytes: UnsafeRawBufferPointer, _ start: Int, _ end: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: bytes[start..<end])
    }

    /// Without the blanks and tabs around it.
    static func trimmed(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        var (start, end) = (0, bytes.count)
        while start < end, isBlank(bytes[start]) { start += 1 }
        while start < end, isBlank(bytes[end - 1]) { end -= 1 }
        return cut(bytes, start, end)
    }

    /// Calls `body` with each part between separators, blanks around it left out, until it returns false.
    static func forEachPart(
        of bytes: UnsafeRawBufferPointer, separatedBy separator: UInt8, _ body: (UnsafeRawBufferPointer) -> Bool
    ) {
        var start = 0
        while start <= bytes.count {
            let end = firstIndex(of: separator, in: bytes, from: start) ?? bytes.count
            guard body(trimmed(cut(bytes, start, end))) else { return }
            start = end + 1
        }
    }

    @inline(__always)
    private static func isBlank(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }

    @inline(__always)
    private static func lowercased(_ byte: UInt8) -> UInt8 {
        byte &- UInt8(ascii: "A") < 26 ? byte | 0x20 : byte
    }
}
