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
        guard let source = bytes.baseAddress else { return }
        reserve(bytes.count)
        (base + count).copyMemory(from: source, byteCount: bytes.count)
        count &+= bytes.count
    }

    /// Appends `name 0xFF value 0xFF`.
    @inline(__always)
    mutating func append(name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) {
        append(name)
        appendSeparator()
        append(value)
        appendSeparator()
    }

    @inline(__always)
    private mutating func appendSeparator() {
        reserve(1)
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
