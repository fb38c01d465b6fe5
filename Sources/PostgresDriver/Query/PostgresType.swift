//
// PostgresType.swift: the fixed object identifiers of PostgreSQL's own types (pg_type.dat) that this driver reads or
// writes.
//

package enum PostgresType {
    package static let bool: UInt32 = 16
    package static let bytea: UInt32 = 17
    package static let int8: UInt32 = 20
    package static let int2: UInt32 = 21
    package static let int4: UInt32 = 23
    package static let text: UInt32 = 25
    package static let oid: UInt32 = 26
    package static let float4: UInt32 = 700
    package static let float8: UInt32 = 701
    package static let timestamp: UInt32 = 1114
    package static let timestamptz: UInt32 = 1184
    package static let numeric: UInt32 = 1700
    package static let uuid: UInt32 = 2950
    package static let jsonb: UInt32 = 3802

    package static let boolArray: UInt32 = 1000
    package static let byteaArray: UInt32 = 1001
    package static let int2Array: UInt32 = 1005
    package static let int4Array: UInt32 = 1007
    package static let textArray: UInt32 = 1009
    package static let int8Array: UInt32 = 1016
    package static let float8Array: UInt32 = 1022
    package static let timestamptzArray: UInt32 = 1185
    package static let uuidArray: UInt32 = 2951

    /// Types whose binary form is not text: a `String` is refused for them instead of being made of their bytes.
    static let notText: Set<UInt32> = [
        bool, bytea, int8, int2, int4, oid, float4, float8, timestamp, timestamptz, numeric, uuid,
        boolArray, byteaArray, int2Array, int4Array, textArray, int8Array, float8Array, timestamptzArray, uuidArray,
        1082, 1083, 1186, 1266, 600, 601, 602, 603, 628, 718, 829, 869, 650, 790, 1560, 1562, 3220, 3904, 3906, 3908,
    ]

    /// The type's name in SQL, for messages.
    package static func name(of type: UInt32) -> String {
        names[type] ?? "type \(type)"
    }

    private static let names: [UInt32: String] = [
        bool: "boolean", bytea: "bytea", int8: "bigint", int2: "smallint", int4: "integer", text: "text", oid: "oid",
        float4: "real", float8: "double precision", timestamp: "timestamp", timestamptz: "timestamptz",
        numeric: "numeric", uuid: "uuid", jsonb: "jsonb", boolArray: "boolean[]", byteaArray: "bytea[]",
        int2Array: "smallint[]", int4Array: "integer[]", textArray: "text[]", int8Array: "bigint[]",
        float8Array: "double precision[]", timestamptzArray: "timestamptz[]", uuidArray: "uuid[]",
    ]
}
