//
// HashInput.swift: the bytes that a target's identity is the hash of, put together in one buffer for all targets.
//

import AllocationCore

/// A growing run of bytes.
struct HashInput: ~Copyable {
    private var bytes = ScratchBuffer<UInt8>(capacity: 1 << 10)

    init() {}

    @inline(__always)
    mutating func reset() { bytes.removeAll() }

    @inline(__always)
    mutating func append(_ added: UnsafeRawBufferPointer) {
        _ = UnsafeMutableRawPointer(bytes.extend(by: added.count)).copyShort(added)
    }

    /// Appends `name 0xFF value 0xFF`.
    @inline(__always)
    mutating func append(name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) {
        let place = UnsafeMutableRawPointer(bytes.extend(by: name.count &+ value.count &+ 2))
        let nameEnd = place.copyShort(name)
        place.storeBytes(of: 0xFF, toByteOffset: nameEnd, as: UInt8.self)
        let valueEnd = nameEnd &+ 1 &+ (place + nameEnd + 1).copyShort(value)
        place.storeBytes(of: 0xFF, toByteOffset: valueEnd, as: UInt8.self)
    }

    var hash: UInt64 { XXH64.hash(bytes.bytes) }
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
