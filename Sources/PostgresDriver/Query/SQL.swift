//
// SQL.swift: a statement whose interpolated values become binds, so that no value is ever part of a statement's text.
//
// What is not a value (a table's name, a sort order) is spelled `\(unsafeSQL:)`, which is easy to search for.
//

/// A value on its way to the server.
package struct PostgresBind: Sendable, Hashable {
    package enum Format: Int32, Sendable {
        case text = 0
        case binary = 1
    }

    /// As in ``PostgresType``; 0 lets the server infer it.
    package let type: UInt32
    package let format: Format
    /// nil is NULL.
    package let bytes: [UInt8]?

    package init(type: UInt32, format: Format, bytes: [UInt8]?) {
        self.type = type
        self.format = format
        self.bytes = bytes
    }

    package init(_ value: some PostgresEncodable) {
        var bytes: [UInt8] = []
        value.encode(into: &bytes)
        self.init(type: Swift.type(of: value).postgresType, format: .binary, bytes: bytes)
    }
}

/// One statement and its binds.
///
///     let sql: SQL = "SELECT address FROM ledger.target WHERE identity = \(identity) AND job = ANY(\(jobs))"
///     // text: … identity = $1 AND job = ANY($2)
package struct SQL: Sendable, ExpressibleByStringInterpolation, CustomStringConvertible {
    // One more than binds: what stands before, between and after them. Kept so that fragments can be joined.
    private let pieces: [String]
    /// What the server is sent: binds stand in it as $1, $2 and so on.
    package let text: String
    package let binds: [PostgresBind]

    private init(pieces: [String], binds: [PostgresBind]) {
        self.pieces = pieces
        self.binds = binds
        var text = pieces[0]
        for index in binds.indices { text += "$\(index + 1)\(pieces[index + 1])" }
        self.text = text
    }

    /// A statement from text alone. Never from text that came from outside.
    package init(unsafeSQL: String) { self.init(pieces: [unsafeSQL], binds: []) }

    package init(stringLiteral value: String) { self.init(pieces: [value], binds: []) }

    package init(stringInterpolation: StringInterpolation) {
        self.init(pieces: stringInterpolation.pieces, binds: stringInterpolation.binds)
    }

    /// Without the binds' values.
    package var description: String { text }

    package static func + (left: SQL, right: SQL) -> SQL { "\(left)\(right)" }

    package struct StringInterpolation: StringInterpolationProtocol {
        fileprivate var pieces: [String] = [""]
        fileprivate var binds: [PostgresBind] = []

        package init(literalCapacity: Int, interpolationCount: Int) {}

        package mutating func appendLiteral(_ literal: String) { pieces[pieces.count - 1] += literal }

        package mutating func appendInterpolation(_ value: some PostgresEncodable) { append(PostgresBind(value)) }

        package mutating func appendInterpolation<T: PostgresEncodable>(_ value: T?) {
            append(value.map { PostgresBind($0) } ?? PostgresBind(type: T.postgresType, format: .binary, bytes: nil))
        }

        package mutating func appendInterpolation(_ bind: PostgresBind) { append(bind) }

        /// Another statement's text and binds; its binds are numbered on.
        package mutating func appendInterpolation(_ fragment: SQL) {
            appendLiteral(fragment.pieces[0])
            binds += fragment.binds
            pieces += fragment.pieces.dropFirst()
        }

        /// Text as it is. Never text that came from outside.
        package mutating func appendInterpolation(unsafeSQL: String) { appendLiteral(unsafeSQL) }

        private mutating func append(_ bind: PostgresBind) {
            binds.append(bind)
            pieces.append("")
        }
    }
}
