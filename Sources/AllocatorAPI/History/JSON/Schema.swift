//
// Schema.swift: JSON Schema, as far as the history API's description needs it.
//
// OpenAPI 3.1 takes JSON Schema 2020-12 as it is: what may be null says so in its type.
//

/// What a JSON value may be.
indirect enum Schema: Sendable {
    case text(format: String? = nil, pattern: String? = nil, allowed: [String] = [])
    case integer(minimum: Int64? = nil, maximum: Int64? = nil)
    case number
    case boolean
    case list(Schema)
    /// An object with any names.
    case map(Schema)
    /// A named one among the document's components.
    case reference(String)
    case nullable(Schema)
    case either([Schema])
    /// These members and no other.
    case object([Member])

    struct Member: Sendable {
        var name: String
        var schema: Schema
        var description: String
        var isOptional = false
    }

    /// Instants as RFC 3339 in UTC, with microseconds.
    static let time = Schema.text(format: "date-time")
    static let count = Schema.integer(minimum: 0)

    /// - Parameter description: Goes into the same object; empty for none.
    func write(to json: inout JSONWriter, description: String = "") {
        json.object { writeMembers(to: &$0, description) }
    }

    private func writeMembers(to json: inout JSONWriter, _ description: String) {
        switch self {
        case .reference(let name):
            json.name("$ref")
            json.text("#/components/schemas/\(name)")
        case .either(let schemas):
            json.name("anyOf")
            json.list(schemas) { $0.write(to: &$1) }
        case .nullable(let schema):
            if let type = schema.typeName {
                schema.writeConstraints(to: &json, types: [type, "null"])
            } else {
                json.name("anyOf")
                json.list([schema, nil]) { schema, json in
                    if let schema {
                        schema.write(to: &json)
                    } else {
                        json.object {
                            $0.name("type")
                            $0.text("null")
                        }
                    }
                }
            }
        default: writeConstraints(to: &json, types: typeName.map { [$0] } ?? [])
        }
        if !description.isEmpty {
            json.name("description")
            json.text(description)
        }
    }

    /// Nil for what has no type of its own.
    private var typeName: String? {
        switch self {
        case .text: "string"
        case .integer: "integer"
        case .number: "number"
        case .boolean: "boolean"
        case .list: "array"
        case .map, .object: "object"
        case .reference, .nullable, .either: nil
        }
    }

    private func writeConstraints(to json: inout JSONWriter, types: [String]) {
        json.name("type")
        if types.count == 1 { json.text(types[0]) } else { json.list(types) { $1.text($0) } }
        switch self {
        case .text(let format, let pattern, let allowed):
            if let format { json.member("format", format) }
            if let pattern { json.member("pattern", pattern) }
            if !allowed.isEmpty {
                json.name("enum")
                json.list(allowed) { $1.text($0) }
            }
        case .integer(let minimum, let maximum):
            if let minimum {
                json.name("minimum")
                json.integer(minimum)
            }
            if let maximum {
                json.name("maximum")
                json.integer(maximum)
            }
        case .list(let element):
            json.name("items")
            element.write(to: &json)
        case .map(let value):
            json.name("additionalProperties")
            value.write(to: &json)
        case .object(let members):
            json.name("properties")
            json.object { json in
                for member in members {
                    json.name(member.name)
                    member.schema.write(to: &json, description: member.description)
                }
            }
            json.name("required")
            json.list(members.filter { !$0.isOptional }) { $1.text($0.name) }
            json.name("additionalProperties")
            json.boolean(false)
        case .number, .boolean, .reference, .nullable, .either: break
        }
    }
}

extension JSONWriter {
    /// A member whose value is a text.
    mutating func member(_ name: String, _ value: String) {
        self.name(name)
        text(value)
    }
}
