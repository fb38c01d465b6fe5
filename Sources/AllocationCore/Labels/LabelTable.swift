//
// LabelTable.swift: every label pair of the process, stored once.
//
// A million targets of 20 labels hold some 4 million different pairs; as 32-bit numbers into this table they need
// 0.4 GB instead of several. The table only grows: bytes and entries live in chunks that never move, so a pair can be
// read without a lock by whoever was handed its ID.
//

import Synchronization

/// Append-only table of label pairs.
///
/// A pair lies in memory as `name 0xFF value 0xFF`, which is what a target's identity is hashed over
/// (spec/target-allocator.md 6.4). 0xFF occurs in no UTF-8 text, so the form is unambiguous.
///
/// Invariant: an entry and its bytes are written once, before its ID leaves ``intern(_:)``, and never change after.
// @unchecked: entries are read without the lock. They are immutable once their ID exists, chunk pointers are never
// replaced, and an ID reaches another thread only through a synchronised hand-over that orders the writes before it.
package final class LabelTable: @unchecked Sendable {
    /// Where a pair lies and what is known of it.
    struct Entry {
        let bytes: UnsafePointer<UInt8>
        let nameLength: UInt32
        let valueLength: UInt32
        let name: LabelNameID
        /// Both texts can stand in JSON as they are.
        let isPlainJSON: Bool
        let isMeta: Bool
    }

    static let entriesPerChunk = 1 << 14
    /// 2^14 chunks of 2^14 entries: 268 million pairs.
    static let chunksMax = 1 << 14

    let entryChunks: UnsafeMutablePointer<UnsafeMutablePointer<Entry>?>
    /// The writer's part; held while interning.
    private let interner = Mutex(LabelInterner())

    package init() {
        entryChunks = .allocate(capacity: Self.chunksMax)
        entryChunks.initialize(repeating: nil, count: Self.chunksMax)
        interner.withLock { $0.entryChunks = EntryChunks(base: entryChunks) }
    }

    deinit {
        interner.withLock { $0.deallocate() }
        entryChunks.deallocate()
    }

    /// Pairs interned so far.
    package var count: Int { interner.withLock { Int($0.count) } }

    /// Bytes that the texts occupy, chunk remainders included.
    package var arenaBytes: Int { interner.withLock { $0.arenaBytes } }

    /// Takes the lock once for as many pairs as `body` interns.
    package func intern<T>(_ body: (inout LabelInterner) throws -> T) rethrows -> T {
        try interner.withLock { interner throws -> T in try body(&interner) }
    }

    /// Interns one pair.
    package func intern(_ name: String, _ value: String) -> LabelID {
        interner.withLock { $0.intern(name, value) }
    }

    /// Interns a name alone, so that labels can be looked up by it.
    package func nameID(for name: String) -> LabelNameID {
        var name = name
        return name.withUTF8 { bytes in interner.withLock { $0.nameID(UnsafeRawBufferPointer(bytes)) } }
    }

    // MARK: Reading, without a lock

    @inline(__always)
    func entry(_ id: LabelID) -> UnsafePointer<Entry> {
        let chunk = entryChunks[Int(id.rawValue) / Self.entriesPerChunk]
        // An ID exists only after its chunk does.
        return UnsafePointer(chunk.unsafelyUnwrapped + Int(id.rawValue) % Self.entriesPerChunk)
    }

    @inline(__always)
    package func nameID(_ id: LabelID) -> LabelNameID { entry(id).pointee.name }

    /// Whether the pair's name starts with `__meta_`.
    @inline(__always)
    package func isMeta(_ id: LabelID) -> Bool { entry(id).pointee.isMeta }

    /// Whether name and value can stand between quotes in JSON unescaped (also under Go's HTML-safe escaping).
    @inline(__always)
    package func isPlainJSON(_ id: LabelID) -> Bool { entry(id).pointee.isPlainJSON }

    @inline(__always)
    package func hasEmptyValue(_ id: LabelID) -> Bool { entry(id).pointee.valueLength == 0 }

    @inline(__always)
    package func withNameBytes<T>(_ id: LabelID, _ body: (UnsafeRawBufferPointer) throws -> T) rethrows -> T {
        let entry = entry(id).pointee
        return try body(UnsafeRawBufferPointer(start: entry.bytes, count: Int(entry.nameLength)))
    }

    @inline(__always)
    package func withValueBytes<T>(_ id: LabelID, _ body: (UnsafeRawBufferPointer) throws -> T) rethrows -> T {
        let entry = entry(id).pointee
        return try body(
            UnsafeRawBufferPointer(start: entry.bytes + Int(entry.nameLength) + 1, count: Int(entry.valueLength))
        )
    }

    /// The pair as `name 0xFF value 0xFF`.
    @inline(__always)
    package func withPairBytes<T>(_ id: LabelID, _ body: (UnsafeRawBufferPointer) throws -> T) rethrows -> T {
        let entry = entry(id).pointee
        return try body(
            UnsafeRawBufferPointer(start: entry.bytes, count: Int(entry.nameLength) + Int(entry.valueLength) + 2)
        )
    }

    package func name(_ id: LabelID) -> String {
        withNameBytes(id) { String(decoding: $0, as: UTF8.self) }
    }

    package func value(_ id: LabelID) -> String {
        withValueBytes(id) { String(decoding: $0, as: UTF8.self) }
    }

    /// Whether the name of `a` sorts bytewise before the name of `b`.
    @inline(__always)
    package func precedes(_ a: LabelID, _ b: LabelID) -> Bool {
        let (left, right) = (entry(a).pointee, entry(b).pointee)
        guard left.name != right.name else { return false }
        return ByteOrder.compare(
            UnsafeRawBufferPointer(start: left.bytes, count: Int(left.nameLength)),
            UnsafeRawBufferPointer(start: right.bytes, count: Int(right.nameLength))
        ) < 0
    }

    /// Bytewise order of two values: negative, zero or positive.
    @inline(__always)
    package func compareValues(_ a: LabelID, _ b: LabelID) -> Int {
        guard a != b else { return 0 }
        return withValueBytes(a) { left in withValueBytes(b) { right in ByteOrder.compare(left, right) } }
    }
}

/// The chunk directory as the interner sees it.
// @unchecked: the pointer belongs to the LabelTable whose lock guards the interner that holds this.
struct EntryChunks: @unchecked Sendable {
    let base: UnsafeMutablePointer<UnsafeMutablePointer<LabelTable.Entry>?>
}
