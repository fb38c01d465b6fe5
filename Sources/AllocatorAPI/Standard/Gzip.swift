//
// Gzip.swift: compresses bodies for clients that ask for it.
//

import CZlib
import NIOCore

/// Gzip through the system's zlib.
package enum Gzip {
    /// How hard to try: 1 costs 4 ms a megabyte, 6 costs 9 ms.
    package enum Effort: Int32, Sendable {
        case fast = 1
        case thorough = 6
    }

    /// The compressed bytes; nil when zlib has no memory, so that the body goes out as it is.
    package static func compress(_ body: ByteBuffer, effort: Effort) -> ByteBuffer? {
        // zlib counts in 32 bits; bodies this large are not prepared anyway.
        guard body.readableBytes < Int(UInt32.max) else { return nil }
        var stream = z_stream()
        // 15 bits of window, plus 16: a gzip header instead of zlib's own.
        let version = ZLIB_VERSION
        guard
            deflateInit2_(
                &stream, effort.rawValue, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, version,
                Int32(MemoryLayout<z_stream>.size)) == Z_OK
        else { return nil }
        defer { deflateEnd(&stream) }
        let bound = Int(deflateBound(&stream, uLong(body.readableBytes)))
        var output = ByteBufferAllocator().buffer(capacity: bound)
        var isWhole = false
        output.writeWithUnsafeMutableBytes(minimumWritableBytes: bound) { target in
            body.withUnsafeReadableBytes { source in
                // zlib's interface lacks the const; it only reads.
                stream.next_in = UnsafeMutablePointer(mutating: source.bindMemory(to: UInt8.self).baseAddress)
                stream.avail_in = UInt32(source.count)
                stream.next_out = target.bindMemory(to: UInt8.self).baseAddress
                stream.avail_out = UInt32(target.count)
                isWhole = deflate(&stream, Z_FINISH) == Z_STREAM_END
            }
            return isWhole ? target.count - Int(stream.avail_out) : 0
        }
        // The bound is generous: keep what is needed only.
        return isWhole ? ByteBuffer(bytes: output.readableBytesView) : nil
    }
}
