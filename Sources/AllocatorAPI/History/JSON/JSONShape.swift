//
// JSONShape.swift: one definition for how a value is written and for how OpenAPI describes it.
//
// Whatever a route answers is written by a shape, and the description is made from the same shape; so the description
// cannot say anything else than what is sent.
//

import PostgresDriver

/// The members of a JSON object, made from a value.
struct JSONShape<Value>: Sendable {
    /// As a component of the description.
    let name: String
    let description: String
    let fields: [JSONField<Value>]

    init(_ name: String, _ description: String, _ fields: [JSONField<Value>]) {
        self.name = name
        self.description = description
        self.fields = fields
    }

    func write(_ value: Value, to json: inout JSONWriter) {
        json.object { json in
            for field in fields {
                json.name(field.name)
                field.write(value, &json)
            }
        }
    }

    var schema: Schema {
        .object(fields.map { .init(name: $0.name, schema: $0.schema, description: $0.description) })
    }

    var reference: Schema { .reference(name) }

    /// This shape and all that it refers to, by name.
    var components: [String: SchemaComponent] {
        fields.reduce(into: [name: SchemaComponent(schema: schema, description: description)]) { all, field in
            all.merge(field.components) { first, _ in first }
        }
    }

    /// The same members for something that holds such a value, with further ones.
    func lifted<Other>(_ value: @escaping @Sendable (Other) -> Value) -> [JSONField<Other>] {
        fields.map { field in
            JSONField<Other>(
                name: field.name, schema: field.schema, description: field.description,
                components: field.components
            ) { field.write(value($0), &$1) }
        }
    }
}

/// A schema that others refer to.
struct SchemaComponent: Sendable {
    var schema: Schema
    var description: String
}

/// One member of an object.
struct JSONField<Value>: Sendable {
    let name: String
    let schema: Schema
    let description: String
    var components: [String: SchemaComponent] = [:]
    let write: @Sendable (Value, inout JSONWriter) -> Void

    static func text(
        _ name: String, _ description: String, allowed: [String] = [], _ value: @escaping @Sendable (Value) -> String
    ) -> JSONField {
        JSONField(name: name, schema: .text(allowed: allowed), description: description) { $1.text(value($0)) }
    }

    static func optionalText(
        _ name: String, _ description: String, _ value: @escaping @Sendable (Value) -> String?
    ) -> JSONField {
        JSONField(name: name, schema: .nullable(.text()), description: description) { item, json in
            if let text = value(item) { json.text(text) } else { json.null() }
        }
    }

    static func time(
        _ name: String, _ description: String, _ value: @escaping @Sendable (Value) -> Timestamp
    ) -> JSONField {
        JSONField(name: name, schema: .time, description: description) { $1.time(value($0)) }
    }

    static func optionalTime(
        _ name: String, _ description: String, _ value: @escaping @Sendable (Value) -> Timestamp?
    ) -> JSONField {
        JSONField(name: name, schema: .nullable(.time), description: description) { item, json in
            if let time = value(item) { json.time(time) } else { json.null() }
        }
    }

    static func integer(
        _ name: String, _ description: String, _ value: @escaping @Sendable (Value) -> Int64
    ) -> JSONField {
        JSONField(name: name, schema: .integer(), description: description) { $1.integer(value($0)) }
    }

    static func optionalInteger(
        _ name: String, _ description: String, _ value: @escaping @Sendable (Value) -> Int64?
    ) -> JSONField {
        JSONField(name: name, schema: .nullable(.integer()), description: description) { item, json in
            if let number = value(item) { json.integer(number) } else { json.null() }
        }
    }

    static func number(
        _ name: String, _ description: String, _ value: @escaping @Sendable (Value) -> Double
    ) -> JSONField {
        JSONField(name: name, schema: .number, description: description) { $1.number(value($0)) }
    }

    static func optionalNumber(
        _ name: String, _ description: String, _ value: @escaping @Sendable (Value) -> Double?
    ) -> JSONField {
        JSONField(name: name, schema: .nullable(.number), description: description) { item, json in
            if let number = value(item) { json.number(number) } else { json.null() }
        }
    }

    static func boolean(
        _ name: String, _ description: String, _ value: @escaping @Sendable (Value) -> Bool
    ) -> JSONField {
        JSONField(name: name, schema: .boolean, description: description) { $1.boolean(value($0)) }
    }

    static func texts(
        _ name: String, _ description: String, _ value: @escaping @Sendable (Value) -> [String]
    ) -> JSONField {
        JSONField(name: name, schema: .list(.text()), description: description) { item, json in
            json.list(value(item)) { $1.text($0) }
        }
    }

    static func object<Inner>(
        _ name: String, _ description: String, _ shape: JSONShape<Inner>,
        _ value: @escaping @Sendable (Value) -> Inner
    ) -> JSONField {
        JSONField(
            name: name, schema: shape.reference, description: description, components: shape.components
        ) { shape.write(value($0), to: &$1) }
    }

    static func optionalObject<Inner>(
        _ name: String, _ description: String, _ shape: JSONShape<Inner>,
        _ value: @escaping @Sendable (Value) -> Inner?
    ) -> JSONField {
        JSONField(
            name: name, schema: .nullable(shape.reference), description: description,
            components: shape.components
        ) { item, json in
            if let inner = value(item) { shape.write(inner, to: &json) } else { json.null() }
        }
    }

    static func objects<Inner>(
        _ name: String, _ description: String, _ shape: JSONShape<Inner>,
        _ value: @escaping @Sendable (Value) -> [Inner]
    ) -> JSONField {
        JSONField(
            name: name, schema: .list(shape.reference), description: description,
            components: shape.components
        ) { item, json in json.list(value(item)) { shape.write($0, to: &$1) } }
    }
}
