//
// PostgresEncodable.swift: values that travel to the server as binds, in PostgreSQL's binary format.
//
// Source: the send and receive functions in PostgreSQL's src/backend/utils/adt; numbers are big-endian.
//

/// A value that can be a bind.
package protocol PostgresEncodable: Sendable {
    /// The type the bind is declared as.
    static var postgresType: UInt32 { get }
    /// Appends the value in the type's binary format.
    func encode(into bytes: inout [UInt8])
}

/// A value that can be an element of an array. `[UInt8]` is no array to PostgreSQL but one `bytea`, which is why an
/// element type says how a whole array of it travels.
package protocol PostgresArrayElement: Sendable {
    static var postgresArrayType: UInt32 { get }
    static func encode(array: [Self], into bytes: inout [UInt8])
    static func decode(array bytes: UnsafeRawBufferPointer, type: UInt32) throws(PostgresError) -> [Self]
}

extension Array where Element == UInt8 {
    @inline(__always)
    mutating func appendBigEndian<T: FixedWidthInteger>(_ value: T) {
        Swift.withUnsafeBytes(of: value.bigEndian) { append(contentsOf: $0) }
    }

    /// Overwrites four bytes that were reserved for a length.
    mutating func storeBigEndian(_ value: Int32, at offset: Int) {
        withUnsafeMutableBytes { $0.storeBytes(of: value.bigEndian, toByteOffset: offset, as: Int32.self) }
    }
}

// MARK: Scalars

extension Bool: PostgresEncodable {
    package static var postgresType: UInt32 { PostgresType.bool }
    package func encode(into bytes: inout [UInt8]) { bytes.append(self ? 1 : 0) }
}

extension Int16: PostgresEncodable {
    package static var postgresType: UInt32 { PostgresType.int2 }
    package func encode(into bytes: inout [UInt8]) { bytes.appendBigEndian(self) }
}

extension Int32: PostgresEncodable {
    package static var postgresType: UInt32 { PostgresType.int4 }
    package func encode(into bytes: inout [UInt8]) { bytes.appendBigEndian(self) }
}

extension Int64: PostgresEncodable {
    package static var postgresType: UInt32 { PostgresType.int8 }
    package func encode(into bytes: inout [UInt8]) { bytes.appendBigEndian(self) }
}

extension Int: PostgresEncodable {
    package static var postgresType: UInt32 { PostgresType.int8 }
    package func encode(into bytes: inout [UInt8]) { bytes.appendBigEndian(Int64(self)) }
}

extension Double: PostgresEncodable {
    package static var postgresType: UInt32 { PostgresType.float8 }
    package func encode(into bytes: inout [UInt8]) { bytes.appendBigEndian(bitPattern) }
}

extension String: PostgresEncodable {
    package static var postgresType: UInt32 { PostgresType.text }
    package func encode(into bytes: inout [UInt8]) { bytes.append(contentsOf: utf8) }
}

extension Timestamp: PostgresEncodable {
    package static var postgresType: UInt32 { PostgresType.timestamptz }
    package func encode(into bytes: inout [UInt8]) { bytes.appendBigEndian(postgresMicroseconds) }
}

extension UUID128: PostgresEncodable {
    package static var postgresType: UInt32 { PostgresType.uuid }
    package func encode(into bytes: inout [UInt8]) {
        bytes.appendBigEndian(high)
        bytes.appendBigEndian(low)
    }
}

// MARK: Arrays

extension Array: PostgresEncodable where Element: PostgresArrayElement {
    package static var postgresType: UInt32 { Element.postgresArrayType }
    package func encode(into bytes: inout [UInt8]) { Element.encode(array: self, into: &bytes) }
}

extension PostgresArrayElement where Self: PostgresEncodable {
    package static func encode(array: [Self], into bytes: inout [UInt8]) {
        ArrayFormat.appendHeader(count: array.count, hasNulls: false, elementType: postgresType, into: &bytes)
        for element in array { ArrayFormat.append(element, into: &bytes) }
    }
}

enum ArrayFormat {
    /// Dimensions, whether there are NULLs, the element's type; then the one dimension's length and lower bound.
    static func appendHeader(count: Int, hasNulls: Bool, elementType: UInt32, into bytes: inout [UInt8]) {
        bytes.reserveCapacity(bytes.count + 20 + 8 * count)
        bytes.appendBigEndian(Int32(count == 0 ? 0 : 1))
        bytes.appendBigEndian(Int32(hasNulls ? 1 : 0))
        bytes.appendBigEndian(elementType)
        guard count > 0 else { return }
        bytes.appendBigEndian(Int32(count))
        bytes.appendBigEndian(Int32(1))
    }

    static func append(_ element: some PostgresEncodable, into bytes: inout [UInt8]) {
        let start = bytes.count
        bytes.appendBigEndian(Int32(0))
        element.encode(into: &bytes)
        bytes.storeBigEndian(Int32(bytes.count - start - 4), at: start)
    }
}

extension Bool: PostgresArrayElement { package static var postgresArrayType: UInt32 { PostgresType.boolArray } }
extension Int16: PostgresArrayElement { package static var postgresArrayType: UInt32 { PostgresType.int2Array } }
extension Int32: PostgresArrayElement { package static var postgresArrayType: UInt32 { PostgresType.int4Array } }
extension Int64: PostgresArrayElement { package static var postgresArrayType: UInt32 { PostgresType.int8Array } }
extension Int: PostgresArrayElement { package static var postgresArrayType: UInt32 { PostgresType.int8Array } }
extension Double: PostgresArrayElement { package static var postgresArrayType: UInt32 { PostgresType.float8Array } }
extension String: PostgresArrayElement { package static var postgresArrayType: UInt32 { PostgresType.textArray } }
extension UUID128: PostgresArrayElement { package static var postgresArrayType: UInt32 { PostgresType.uuidArray } }
extension Timestamp: PostgresArrayElement {
    package static var postgresArrayType: UInt32 { PostgresType.timestamptzArray }
}
extension Array: PostgresArrayElement where Element == UInt8 {
    package static var postgresArrayType: UInt32 { PostgresType.byteaArray }
}

/// `[UInt8]` is a `bytea`.
extension UInt8: PostgresArrayElement {
    package static var postgresArrayType: UInt32 { PostgresType.bytea }
    package static func encode(array: [UInt8], into bytes: inout [UInt8]) { bytes.append(contentsOf: array) }
    package static func decode(array bytes: UnsafeRawBufferPointer, type: UInt32) throws(PostgresError) -> [UInt8] {
        guard type == PostgresType.bytea else { throw DecodingFailure.wrongType(type, wanted: "bytea") }
        return Array(bytes)
    }
}

/// An array with NULLs.
extension Optional: PostgresArrayElement where Wrapped: PostgresArrayElement & PostgresEncodable & PostgresDecodable {
    package static var postgresArrayType: UInt32 { Wrapped.postgresArrayType }
    package static func encode(array: [Wrapped?], into bytes: inout [UInt8]) {
        let hasNulls = array.contains { $0 == nil }
        ArrayFormat.appendHeader(
            count: array.count, hasNulls: hasNulls, elementType: Wrapped.postgresType, into: &bytes)
        for element in array {
            if let element {
                ArrayFormat.append(element, into: &bytes)
            } else {
                bytes.appendBigEndian(Int32(-1))
            }
        }
    }
}
