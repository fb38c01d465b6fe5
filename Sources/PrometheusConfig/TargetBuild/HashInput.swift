//
// HashInput.swift: the bytes that a target's identity is the hash of, put together in one buffer for all targets.
//

import AllocationCore

/// A growing run of bytes.
struct HashInput: ~Copyable {
    private var base: UnsafeMutableRawPointer
    private var capacity = 1 << 10
    private var count = 0

    init() { base = .allocate(byteCount: capacity, alignment: 16) }

    deinit { base.deallocate() }

    @inline(__always)
    mutating func reset() { count = 0 }

    @inline(__always)
    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        reserve(bytes.count)
        count &+= (base + count).copyShort(bytes)
    }

    @inline(__always)
    mutating func append(_ bytes: Slice<UnsafeRawBufferPointer>) { append(UnsafeRawBufferPointer(rebasing: bytes)) }

    /// Appends `name 0xFF value 0xFF`.
    @inline(__always)
    mutating func append(name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) {
        reserve(name.count &+ value.count &+ 2)
        count &+= (base + count).copyShort(name)
        base.storeBytes(of: 0xFF, toByteOffset: count, as: UInt8.self)
        count &+= 1
        count &+= (base + count).copyShort(value)
        base.storeBytes(of: 0xFF, toByteOffset: count, as: UInt8.self)
        count &+= 1
    }

    @inline(__always)
    private mutating func reserve(_ added: Int) {
        if count &+ added > capacity { grow(to: count + added) }
    }

    private mutating func grow(to needed: Int) {
        let larger = max(needed, 2 * capacity)
        let moved = UnsafeMutableRawPointer.allocate(byteCount: larger, alignment: 16)
        moved.copyMemory(from: base, byteCount: count)
        base.deallocate()
        (base, capacity) = (moved, larger)
    }

    var hash: UInt64 { XXH64.hash(UnsafeRawBufferPointer(start: base, count: count)) }
}

extension UnsafeMutableRawPointer {
    /// Copies bytes that are mostly few, for which a call of memcpy costs more than the copying.
    ///
    /// - Returns: How many.
    @inline(__always)
    func copyShort(_ bytes: UnsafeRawBufferPointer) -> Int {
        let count = bytes.count
        guard let source = bytes.baseAddress else { return 0 }
        if count > 32 {
            copyMemory(from: source, byteCount: count)
        } else if count >= 16 {
            copyEnds(of: SIMD16<UInt8>.self, from: source, count)
        } else if count >= 8 {
            copyEnds(of: UInt64.self, from: source, count)
        } else if count >= 4 {
            copyEnds(of: UInt32.self, from: source, count)
        } else {
            for offset in 0..<count {
                storeBytes(
                    of: source.load(fromByteOffset: offset, as: UInt8.self), toByteOffset: offset, as: UInt8.self)
            }
        }
        return count
    }

    /// Copies the first and the last bytes as one word each; they overlap unless there are two words' worth.
    @inline(__always)
    private func copyEnds<Word: BitwiseCopyable>(of: Word.Type, from source: UnsafeRawPointer, _ count: Int) {
        let end = count &- MemoryLayout<Word>.size
        let (first, last) = (
            source.loadUnaligned(as: Word.self), source.loadUnaligned(fromByteOffset: end, as: Word.self)
        )
        storeBytes(of: first, as: Word.self)
        storeBytes(of: last, toByteOffset: end, as: Word.self)
    }
}
