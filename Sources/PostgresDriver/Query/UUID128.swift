//
// UUID128.swift: a UUID as two machine words.
//
// Not Foundation's UUID: hashing and comparing two words is what tables of a million of them need.
//

package struct UUID128: Sendable, Hashable, Comparable {
    package var high: UInt64
    package var low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// A random one: version 4, variant 1 of RFC 9562.
    package static func random() -> UUID128 {
        var generator = SystemRandomNumberGenerator()
        return UUID128(
            high: generator.next() & 0xFFFF_FFFF_FFFF_0FFF | 0x4000,
            low: generator.next() & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000)
    }

    package static func < (left: UUID128, right: UUID128) -> Bool {
        (left.high, left.low) < (right.high, right.low)
    }
}

extension UUID128: CustomStringConvertible {
    /// 32 lower-case digits in groups of 8, 4, 4, 4 and 12.
    package var description: String {
        let digits = Array("0123456789abcdef".utf8)
        return String(unsafeUninitializedCapacity: 36) { buffer in
            var index = 0
            for nibble in 0..<32 {
                if [8, 12, 16, 20].contains(nibble) {
                    buffer[index] = UInt8(ascii: "-")
                    index += 1
                }
                let word = nibble < 16 ? high : low
                buffer[index] = digits[Int(word >> UInt64(60 - nibble % 16 * 4) & 0xF)]
                index += 1
            }
            return 36
        }
    }

    /// The form of `description`, in either case.
    package init?(_ text: String) {
        var words: [UInt64] = [0, 0]
        var nibbles = 0
        guard text.utf8.count == 36 else { return nil }
        for (index, byte) in text.utf8.enumerated() {
            if [8, 13, 18, 23].contains(index) {
                guard byte == UInt8(ascii: "-") else { return nil }
                continue
            }
            guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { return nil }
            words[nibbles / 16] = words[nibbles / 16] << 4 | UInt64(digit)
            nibbles += 1
        }
        self.init(high: words[0], low: words[1])
    }
}
