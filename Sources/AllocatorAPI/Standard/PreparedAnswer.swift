//
// PreparedAnswer.swift: a body that was rendered once, with its tag and its compressed form.
//

import AllocationCore
import NIOCore
import Synchronization

/// A body, kept as long as its cache allows; its tag is kept as long as what it was rendered from.
package final class PreparedAnswer: Sendable {
    private struct Bodies {
        var plain: ByteBuffer?
        var gzip: ByteBuffer?
    }

    let etag: EntityTag
    let gzipETag: EntityTag
    /// Length of the plain body, kept or not.
    let byteCount: Int
    private let bodies: Mutex<Bodies>
    /// Asked for since the cache last looked.
    let wasUsed = Atomic(false)
    /// Bytes charged to the cache. Changes only while `bodies` is locked.
    private let charged = Atomic(0)
    private let cache: AnswerCache?

    /// - Parameters:
    ///   - hash: Of the whole body, also when `body` is nil because it is too large to keep.
    ///   - byteCount: Of the whole body.
    ///   - cache: Where its bytes count; nil for the few answers that are always kept.
    init(hash: UInt64, byteCount: Int, body: ByteBuffer?, cache: AnswerCache? = nil) {
        self.byteCount = byteCount
        etag = EntityTag(hash: hash)
        gzipETag = EntityTag(hash: hash, isGzip: true)
        bodies = Mutex(Bodies(plain: body))
        self.cache = cache
        charge(body.map(Self.cost) ?? 0)
    }

    convenience init(body: ByteBuffer, cache: AnswerCache? = nil) {
        self.init(
            hash: body.withUnsafeReadableBytes { XXH64.hash($0) }, byteCount: body.readableBytes, body: body,
            cache: cache)
    }

    deinit { charge(-charged.load(ordering: .relaxed)) }

    /// The body; nil when it was evicted or never kept.
    var plain: ByteBuffer? {
        if !wasUsed.load(ordering: .relaxed) { wasUsed.store(true, ordering: .relaxed) }
        return bodies.withLock { $0.plain }
    }

    /// The compressed body, if it was made.
    var gzip: ByteBuffer? { bodies.withLock { $0.gzip } }

    /// Puts an evicted body back.
    func keep(plain body: ByteBuffer) {
        bodies.withLock { bodies in
            guard bodies.plain == nil else { return }
            bodies.plain = body
            charge(Self.cost(body))
        }
    }

    func keep(gzip body: ByteBuffer) {
        bodies.withLock { bodies in
            guard bodies.plain != nil, bodies.gzip == nil else { return }
            bodies.gzip = body
            charge(Self.cost(body))
        }
    }

    /// Drops the bodies.
    func evict() {
        bodies.withLock { bodies in
            bodies = Bodies()
            charge(-charged.load(ordering: .relaxed))
        }
    }

    private func charge(_ bytes: Int) {
        charged.add(bytes, ordering: .relaxed)
        cache?.charge(bytes)
    }

    private static func cost(_ body: ByteBuffer) -> Int { body.storageCapacity + 64 }
}
