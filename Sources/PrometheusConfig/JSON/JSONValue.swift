//
// JSONValue.swift: a value of any shape, for the few settings that are passed on as they are.
//

/// Any value that JSON can express.
package indirect enum JSONValue: Sendable, Equatable {
    case null
    case bool(Bool)
    case integer(Int64)
    case unsigned(UInt64)
    /// A finite number.
    case double(Double)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])
}

extension JSONWriter {
    mutating func value(_ value: JSONValue) {
        switch value {
        case .null: null()
        case .bool(let value): bool(value)
        case .integer(let value): integer(value)
        case .unsigned(let value): integer(value)
        case .double(let value): double(value)
        case .string(let value): string(value)
        case .array(let values): array(values) { $0.value($1) }
        case .object(let members):
            object { writer in
                for (key, value) in members.sortedByKey {
                    writer.key(key)
                    writer.value(value)
                }
            }
        }
    }
}

extension YAMLReader {
    /// A value of any shape.
    mutating func anyValue(_ node: YAMLNode) throws(ConfigurationError) -> JSONValue {
        switch node.content {
        case .sequence:
            .array(try list(node) { (reader, item) throws(ConfigurationError) in try reader.anyValue(item) })
        case .mapping:
            .object(try map(node) { (reader, value) throws(ConfigurationError) in try reader.anyValue(value) })
        case .scalar(let scalar):
            switch scalar.value {
            case .null: .null
            case .bool(let value): .bool(value)
            case .integer(let value): .integer(value)
            case .unsigned(let value): .unsigned(value)
            case .float(let value) where value.isFinite: .double(value)
            case .float, .text: .string(scalar.text)
            }
        }
    }
}
