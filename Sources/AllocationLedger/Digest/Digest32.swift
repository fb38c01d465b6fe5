//
// Digest32.swift: a SHA-256 value.
//

import Crypto

/// 32 bytes of SHA-256.
package struct Digest32: Hashable, Sendable, CustomStringConvertible {
    private let words: (UInt64, UInt64, UInt64, UInt64)

    package static let byteCount = 32
    package static let zero = Digest32(words: (0, 0, 0, 0))

    private init(words: (UInt64, UInt64, UInt64, UInt64)) { self.words = words }

    init(_ digest: SHA256.Digest) {
        self = digest.withUnsafeBytes { Self(unchecked: $0) }
    }

    /// Nil unless there are 32 bytes.
    package init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == Self.byteCount else { return nil }
        self = Array(bytes).withUnsafeBytes { Self(unchecked: $0) }
    }

    private init(unchecked bytes: UnsafeRawBufferPointer) {
        words = bytes.loadUnaligned(as: (UInt64, UInt64, UInt64, UInt64).self)
    }

    /// SHA-256 of a run of bytes.
    package static func hash(_ bytes: UnsafeRawBufferPointer) -> Digest32 { Digest32(SHA256.hash(data: bytes)) }

    package static func hash(_ bytes: [UInt8]) -> Digest32 { bytes.withUnsafeBytes { hash($0) } }

    package func withBytes<T>(_ body: (UnsafeRawBufferPointer) throws -> T) rethrows -> T {
        try withUnsafeBytes(of: words, body)
    }

    package var bytes: [UInt8] { withBytes { Array($0) } }

    /// The first four bytes as a big-endian number: what an event's row keeps of its leaf hash.
    package var prefix: Int32 { Int32(truncatingIfNeeded: words.0.bigEndian >> 32) }

    /// Bytewise order.
    static func precedes(_ a: Digest32, _ b: Digest32) -> Bool {
        if a.words.0 != b.words.0 { return a.words.0.bigEndian < b.words.0.bigEndian }
        if a.words.1 != b.words.1 { return a.words.1.bigEndian < b.words.1.bigEndian }
        if a.words.2 != b.words.2 { return a.words.2.bigEndian < b.words.2.bigEndian }
        return a.words.3.bigEndian < b.words.3.bigEndian
    }

    /// Lower-case hexadecimal.
    package var description: String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    /// The first twelve digits, for logs.
    package var shortText: String { String(description.prefix(12)) }

    package static func == (a: Digest32, b: Digest32) -> Bool { a.words == b.words }

    package func hash(into hasher: inout Hasher) { hasher.combine(words.0) }
}
