//
// ByteArena.swift: memory for short-lived or shared byte runs that must not move.
//
// Relabelling makes a few dozen short texts per target and forgets them all at once. Taking them from one block and
// resetting it costs nothing per text, and a text's place stays valid until the reset, so values can be passed on as
// pointers instead of copies.
//

/// Byte runs that stay in place until ``reset()`` or the arena's end.
struct ByteArena: ~Copyable {
    private var blocks: [UnsafeMutableRawBufferPointer] = []
    private var used = 0

    private static let blockBytesMin = 4 << 10
    /// A larger block, made for one huge value, is given back at the next reset.
    private static let blockBytesKept = 1 << 20

    init() {}

    deinit {
        for block in blocks { block.deallocate() }
    }

    /// Uninitialised bytes, at any alignment.
    @inline(__always)
    mutating func allocate(_ count: Int) -> UnsafeMutableRawPointer {
        if let block = blocks.last, let base = block.baseAddress, used &+ count <= block.count {
            defer { used = used &+ count }
            return base + used
        }
        return allocateInNewBlock(count)
    }

    /// A copy of `bytes` that stays.
    mutating func copy(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        let place = allocate(bytes.count)
        if let source = bytes.baseAddress { place.copyMemory(from: source, byteCount: bytes.count) }
        return UnsafeRawBufferPointer(start: place, count: bytes.count)
    }

    mutating func copy(_ text: String) -> UnsafeRawBufferPointer {
        var text = text
        return text.withUTF8 { copy(UnsafeRawBufferPointer($0)) }
    }

    /// Forgets every run; the last block is kept for the next ones.
    @inline(__always)
    mutating func reset() {
        used = 0
        if blocks.count > 1 || (blocks.last?.count ?? 0) > Self.blockBytesKept { giveBack() }
    }

    private mutating func giveBack() {
        let kept = blocks.last { $0.count <= Self.blockBytesKept }
        for block in blocks where block.baseAddress != kept?.baseAddress { block.deallocate() }
        blocks = kept.map { [$0] } ?? []
    }

    private mutating func allocateInNewBlock(_ count: Int) -> UnsafeMutableRawPointer {
        let size = max(count, Self.blockBytesMin, min(2 * (blocks.last?.count ?? 0), Self.blockBytesKept))
        let block = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 16)
        blocks.append(block)
        used = count
        // A block of at least `blockBytesMin` bytes has an address.
        return block.baseAddress.unsafelyUnwrapped
    }
}
