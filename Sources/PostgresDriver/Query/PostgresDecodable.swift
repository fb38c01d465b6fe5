//
// PostgresDecodable.swift: values read from PostgreSQL's binary format. A value of another type is refused; integers
// widen and narrow as long as the value fits.
//

/// A value that a result column or an array element can be read as.
package protocol PostgresDecodable: Sendable {
    /// - Parameters:
    ///   - postgresBinary: The value's bytes; valid during the call only.
    ///   - type: The column's type, as in ``PostgresType``.
    /// - Throws: A `.decoding` error that names the types, never the value.
    init(postgresBinary: UnsafeRawBufferPointer, type: UInt32) throws(PostgresError)
}

enum DecodingFailure {
    static func wrongType(_ type: UInt32, wanted: String) -> PostgresError {
        PostgresError(.decoding, "a value of \(PostgresType.name(of: type)) cannot be read as \(wanted)")
    }

    static func malformed(_ type: UInt32) -> PostgresError {
        PostgresError(.decoding, "a value of \(PostgresType.name(of: type)) is malformed")
    }

    static func outOfRange(_ type: UInt32, wanted: String) -> PostgresError {
        PostgresError(.decoding, "a value of \(PostgresType.name(of: type)) does not fit \(wanted)")
    }
}

extension UnsafeRawBufferPointer {
    @inline(__always)
    func bigEndian<T: FixedWidthInteger>(at offset: Int, as type: T.Type) -> T {
        T(bigEndian: loadUnaligned(fromByteOffset: offset, as: T.self))
    }

    func wholeBigEndian<T: FixedWidthInteger>(_ number: T.Type, type: UInt32) throws(PostgresError) -> T {
        guard count == MemoryLayout<T>.size else { throw DecodingFailure.malformed(type) }
        return bigEndian(at: 0, as: T.self)
    }

    fileprivate func integer<T: FixedWidthInteger>(_ wanted: T.Type, type: UInt32) throws(PostgresError) -> T {
        let wide: Int64
        switch type {
        case PostgresType.int2: wide = Int64(try wholeBigEndian(Int16.self, type: type))
        case PostgresType.int4: wide = Int64(try wholeBigEndian(Int32.self, type: type))
        case PostgresType.int8: wide = try wholeBigEndian(Int64.self, type: type)
        case PostgresType.oid: wide = Int64(try wholeBigEndian(UInt32.self, type: type))
        default: throw DecodingFailure.wrongType(type, wanted: "\(T.self)")
        }
        guard let value = T(exactly: wide) else { throw DecodingFailure.outOfRange(type, wanted: "\(T.self)") }
        return value
    }
}

// MARK: Scalars

extension Bool: PostgresDecodable {
    package init(postgresBinary bytes: UnsafeRawBufferPointer, type: UInt32) throws(PostgresError) {
        guard type == PostgresType.bool else { throw DecodingFailure.wrongType(type, wanted: "Bool") }
        self = try bytes.wholeBigEndian(UInt8.self, type: type) != 0
    }
}

extension Int16: PostgresDecodable {
    package init(postgresBinary bytes: UnsafeRawBufferPointer, type: UInt32) throws(PostgresError) {
        self = try bytes.integer(Int16.self, type: type)
    }
}

extension Int32: PostgresDecodable {
    package init(postgresBinary bytes: UnsafeRawBufferPointer, type: UInt32) throws(PostgresError) {
        self = try bytes.integer(Int32.self, type: type)
    }
}

extension Int64: PostgresDecodable {
    package init(postgresBinary bytes: UnsafeRawBufferPointer, type: UInt32) throws(PostgresError) {
        self = try bytes.integer(Int64.self, type: type)
    }
}

extension Int: PostgresDecodable {
    package init(postgresBinary bytes: UnsafeRawBufferPointer, type: UInt32) throws(PostgresError) {
        self = try bytes.integer(Int.self, type: type)
    }
}

extension Double: PostgresDecodable {
    package init(postgresBinary bytes: UnsafeRawBufferPointer, type: UInt32) throws(PostgresError) {
        switch type {
        case PostgresType.float8: self.init(bitPattern: try bytes.wholeBigEndian(UInt64.self, type: type))
        case PostgresType.float4: self.init(Float(bitPattern: try bytes.wholeBigEndian(UInt32.self, type: type)))
        default: throw DecodingFailure.wrongType(type, wanted: "Double")
        }
    }
}

/// Text of any kind: `text`, `varchar`, `name`, `json`, `jsonb`, enumerations and what else is sent as text.
extension String: PostgresDecodable {
    package init(postgresBinary bytes: UnsafeRawBufferPointer, type: UInt32) throws(PostgresError) {
        if type == PostgresType.jsonb {
            // One byte of version, then the text.
            guard bytes.first == 1 else { throw DecodingFailure.malformed(type) }
            self.init(decoding: bytes.dropFirst(), as: UTF8.self)
        } else if PostgresType.notText.contains(type) {
            throw DecodingFailure.wrongType(type, wanted: "String")
        } else {
            self.init(decoding: bytes, as: UTF8.self)
        }
    }
}

extension Timestamp: PostgresDecodable {
    package init(postgresBinary bytes: UnsafeRawBufferPointer, type: UInt32) throws(PostgresError) {
        // Only with a zone: a `timestamp` is no instant.
        guard type == PostgresType.timestamptz else { throw DecodingFailure.wrongType(type, wanted: "Timestamp") }
        self.init(postgresMicroseconds: try bytes.wholeBigEndian(Int64.self, type: type))
    }
}

extension UUID128: PostgresDecodable {
    package init(postgresBinary bytes: UnsafeRawBufferPointer, type: UInt32) throws(PostgresError) {
        guard type == PostgresType.uuid else { throw DecodingFailure.wrongType(type, wanted: "UUID128") }
        guard bytes.count == 16 else { throw DecodingFailure.malformed(type) }
        self.init(high: bytes.bigEndian(at: 0, as: UInt64.self), low: bytes.bigEndian(at: 8, as: UInt64.self))
    }
}

// MARK: Arrays

extension Array: PostgresDecodable where Element: PostgresArrayElement {
    package init(postgresBinary bytes: UnsafeRawBufferPointer, type: UInt32) throws(PostgresError) {
        self = try Element.decode(array: bytes, type: type)
    }
}

extension PostgresArrayElement where Self: PostgresDecodable {
    package static func decode(array bytes: UnsafeRawBufferPointer, type: UInt32) throws(PostgresError) -> [Self] {
        var elements: [Self] = []
        try ArrayFormat.decode(bytes, type: type) { (value, elementType) throws(PostgresError) in
            guard let value else {
                throw PostgresError(.decoding, "an array of \(Self.self) holds NULL: read it as [\(Self.self)?]")
            }
            elements.append(try Self(postgresBinary: value, type: elementType))
        }
        return elements
    }
}

extension Optional where Wrapped: PostgresArrayElement & PostgresEncodable & PostgresDecodable {
    package static func decode(array bytes: UnsafeRawBufferPointer, type: UInt32) throws(PostgresError) -> [Wrapped?] {
        var elements: [Wrapped?] = []
        try ArrayFormat.decode(bytes, type: type) { (value, elementType) throws(PostgresError) in
            if let value {
                elements.append(try Wrapped(postgresBinary: value, type: elementType))
            } else {
                elements.append(nil)
            }
        }
        return elements
    }
}

extension ArrayFormat {
    /// Calls `element` for each element, nil for a NULL, with the elements' type.
    static func decode(
        _ bytes: UnsafeRawBufferPointer, type: UInt32,
        element: (UnsafeRawBufferPointer?, UInt32) throws(PostgresError) -> Void
    ) throws(PostgresError) {
        guard bytes.count >= 12 else { throw DecodingFailure.malformed(type) }
        let dimensions = bytes.bigEndian(at: 0, as: Int32.self)
        let elementType = bytes.bigEndian(at: 8, as: UInt32.self)
        guard dimensions != 0 else { return }
        guard dimensions == 1, bytes.count >= 20 else {
            throw PostgresError(.decoding, "an array of \(dimensions) dimensions cannot be read")
        }
        var offset = 20
        for _ in 0..<bytes.bigEndian(at: 12, as: Int32.self) {
            guard offset + 4 <= bytes.count else { throw DecodingFailure.malformed(type) }
            let length = Int(bytes.bigEndian(at: offset, as: Int32.self))
            offset += 4
            if length < 0 {
                try element(nil, elementType)
            } else {
                guard length <= bytes.count - offset else { throw DecodingFailure.malformed(type) }
                try element(UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + length]), elementType)
                offset += length
            }
        }
    }
}
