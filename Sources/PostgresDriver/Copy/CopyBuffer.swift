//
// CopyBuffer.swift: rows in the binary form of COPY, written into memory that is reused from chunk to chunk.
//
// A million rows pass through here per restart or first commit, so a value is a bounds check and one store.
//
// Source: PostgreSQL documentation, COPY, "Binary Format".
//

// Unchecked: it owns its memory alone and cannot be copied, so whoever holds it is its only user.
/// Rows on their way into `COPY … FROM STDIN`.
///
///     buffer.beginRow(fields: 3)
///     buffer.append(Int64(1))
///     buffer.append("a name")
///     buffer.appendNull()
package struct CopyBuffer: ~Copyable, @unchecked Sendable {
    @usableFromInline package private(set) var storage: UnsafeMutableRawPointer
    @usableFromInline package var capacity: Int
    /// Bytes held.
    @usableFromInline package var byteCount: Int
    /// Set on the last chunk of a COPY to the client.
    var isLast = false

    package init(capacity: Int = 256 * 1024) {
        storage = .allocate(byteCount: capacity, alignment: 16)
        self.capacity = capacity
        byteCount = 0
    }

    deinit { storage.deallocate() }

    /// Begins a row. Exactly `fields` values or NULLs follow, which the server checks.
    @inlinable package mutating func beginRow(fields: Int16) {
        reserve(2)
        store(fields)
    }

    @inlinable package mutating func append(_ value: Int16) { appendFixed(value, size: 2) }
    @inlinable package mutating func append(_ value: Int32) { appendFixed(value, size: 4) }
    @inlinable package mutating func append(_ value: Int64) { appendFixed(value, size: 8) }
    @inlinable package mutating func append(_ value: Double) { appendFixed(value.bitPattern, size: 8) }
    @inlinable package mutating func append(_ value: Bool) { appendFixed(UInt8(value ? 1 : 0), size: 1) }
    package mutating func append(_ value: Timestamp) { appendFixed(value.postgresMicroseconds, size: 8) }

    package mutating func append(_ value: UUID128) {
        reserve(20)
        store(Int32(16))
        store(value.high)
        store(value.low)
    }

    @inlinable package mutating func appendNull() {
        reserve(4)
        store(Int32(-1))
    }

    /// A `text` value. The bytes must be UTF-8 without a zero byte, which the server checks.
    @inlinable package mutating func append(utf8: UnsafeRawBufferPointer) {
        reserve(4 + utf8.count)
        store(Int32(utf8.count))
        copy(utf8)
    }

    package mutating func append(_ value: String) {
        var value = value
        value.withUTF8 { append(utf8: UnsafeRawBufferPointer($0)) }
    }

    /// A `bytea` value.
    package mutating func append(bytes: [UInt8]) { bytes.withUnsafeBytes { append(utf8: $0) } }
    /// A `bytea` value.
    @inlinable package mutating func append(bytes: UnsafeRawBufferPointer) { append(utf8: bytes) }

    /// An `integer[]` value without NULLs.
    package mutating func append(int32Array elements: UnsafeBufferPointer<Int32>) {
        let size = elements.isEmpty ? 12 : 20 + 8 * elements.count
        reserve(4 + size)
        store(Int32(size))
        store(Int32(elements.isEmpty ? 0 : 1))
        store(Int32(0))
        store(PostgresType.int4)
        guard !elements.isEmpty else { return }
        store(Int32(elements.count))
        store(Int32(1))
        for element in elements {
            store(Int32(4))
            store(element)
        }
    }

    package mutating func append(int32Array elements: [Int32]) {
        elements.withUnsafeBufferPointer { append(int32Array: $0) }
    }

    /// Any bind's value.
    package mutating func append(_ bind: PostgresBind) {
        if let bytes = bind.bytes { append(bytes: bytes) } else { appendNull() }
    }

    /// Bytes as they are: for a COPY in text or CSV format.
    @inlinable package mutating func append(raw bytes: UnsafeRawBufferPointer) {
        reserve(bytes.count)
        copy(bytes)
    }

    package mutating func removeAll() { byteCount = 0 }

    package var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: storage, count: byteCount) }

    // MARK: The frame, which the connection adds

    /// Signature, flags, length of the header's extension.
    static let headerSize = 19
    static let signature: [UInt8] = Array("PGCOPY\n".utf8) + [0xFF, 0x0D, 0x0A, 0x00]

    mutating func appendHeader() {
        Self.signature.withUnsafeBytes { append(raw: $0) }
        reserve(8)
        store(Int64(0))
    }

    mutating func appendTrailer() {
        reserve(2)
        store(Int16(-1))
    }

    /// Drops the first bytes and moves the rest to the front.
    mutating func removeFirst(_ count: Int) {
        byteCount -= count
        memmoveBytes(from: count)
    }

    private func memmoveBytes(from offset: Int) {
        storage.copyMemory(from: storage + offset, byteCount: byteCount)
    }

    // MARK: Memory

    @inlinable mutating func appendFixed<T: FixedWidthInteger>(_ value: T, size: Int32) {
        reserve(4 + Int(size))
        store(size)
        store(value)
    }

    @inlinable mutating func reserve(_ count: Int) {
        if byteCount + count > capacity { grow(toHold: byteCount + count) }
    }

    @inlinable mutating func store<T: FixedWidthInteger>(_ value: T) {
        storage.storeBytes(of: value.bigEndian, toByteOffset: byteCount, as: T.self)
        byteCount += MemoryLayout<T>.size
    }

    @inlinable mutating func copy(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress else { return }
        (storage + byteCount).copyMemory(from: start, byteCount: bytes.count)
        byteCount += bytes.count
    }

    @usableFromInline mutating func grow(toHold needed: Int) {
        let larger = max(needed, capacity * 2)
        let moved = UnsafeMutableRawPointer.allocate(byteCount: larger, alignment: 16)
        moved.copyMemory(from: storage, byteCount: byteCount)
        storage.deallocate()
        storage = moved
        capacity = larger
    }
}
