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
