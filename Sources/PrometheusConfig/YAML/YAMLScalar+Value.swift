//
// YAMLScalar+Value.swift: what an unquoted scalar means under YAML 1.1, as Prometheus' YAML library reads it.
//
// `yes`, `on`, `y` are true; `010` is octal; `_` separates digits; there are no sexagesimal numbers, and a date is text.
//

/// The meaning of a scalar.
package enum YAMLScalarValue: Sendable, Equatable {
    case null
    case bool(Bool)
    case integer(Int64)
    /// An integer above `Int64.max`.
    case unsigned(UInt64)
    case float(Double)
    case text
}

extension YAMLScalar {
    package var isNull: Bool {
        guard isPlain, tag == nil else { return tag == .null }
        return Self.isNull(text)
    }

    package var value: YAMLScalarValue {
        switch tag {
        case .string: .text
        case .null: .null
        case nil where !isPlain: .text
        default: Self.value(of: text)
        }
    }

    /// The text after a round through YAML: `yes` becomes `true`, `1.50` becomes `1.5`, `010` becomes `8`, null becomes
    /// empty; what is quoted stays. So does upstream's allocator treat its file before Prometheus' rules apply.
    package var normalisedText: String {
        switch value {
        case .text: text
        case .null: ""
        case .bool(let value): value ? "true" : "false"
        case .integer(let value): String(value)
        case .unsigned(let value): String(value)
        case .float(let value): GoNumber.shortest(value)
        }
    }

    private static func isNull(_ text: String) -> Bool {
        switch text.utf8.first {
        case nil: true
        case UInt8(ascii: "~"): text == "~"
        case UInt8(ascii: "n"): text == "null"
        case UInt8(ascii: "N"): text == "Null" || text == "NULL"
        default: false
        }
    }

    private static func value(of text: String) -> YAMLScalarValue {
        guard let first = text.utf8.first else { return .null }
        switch first {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."):
            return number(text) ?? .text
        case UInt8(ascii: "~"), UInt8(ascii: "n"), UInt8(ascii: "N"), UInt8(ascii: "y"), UInt8(ascii: "Y"),
            UInt8(ascii: "t"), UInt8(ascii: "T"), UInt8(ascii: "f"), UInt8(ascii: "F"), UInt8(ascii: "o"),
            UInt8(ascii: "O"):
            guard text.utf8.count <= 5 else { return .text }
        default: return .text
        }
        switch text {
        case "y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON": return .bool(true)
        case "n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF": return .bool(false)
        default: return isNull(text) ? .null : .text
        }
    }

    private static func number(_ text: String) -> YAMLScalarValue? {
        switch text {
        case ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF": return .float(.infinity)
        case "-.inf", "-.Inf", "-.INF": return .float(-.infinity)
        case ".nan", ".NaN", ".NAN": return .float(.nan)
        default: break
        }
        let digits = text.utf8.contains(UInt8(ascii: "_")) ? text.filter { $0 != "_" } : text
        if let integer = integer(digits) { return integer }
        guard isDecimalFloat(digits), let float = Double(digits) else { return nil }
        return .float(float)
    }

    private static func integer(_ text: String) -> YAMLScalarValue? {
        var rest = Substring(text).utf8
        let isNegative = rest.first == UInt8(ascii: "-")
        if isNegative || rest.first == UInt8(ascii: "+") { rest.removeFirst() }
        var radix = 10
        if rest.first == UInt8(ascii: "0"), let second = rest.dropFirst().first {
            switch second | 0x20 {
            case UInt8(ascii: "x"): radix = 16
            case UInt8(ascii: "b"): radix = 2
            default: radix = 8
            }
            let isLetter = second >= UInt8(ascii: "A")
            if isLetter, radix == 8, second | 0x20 != UInt8(ascii: "o") { return nil }
            rest = rest.dropFirst(isLetter ? 2 : 1)
        }
        // Swift would take a second sign here.
        guard let first = rest.first, first != UInt8(ascii: "-"), first != UInt8(ascii: "+"),
            let magnitude = UInt64(Substring(rest), radix: radix)
        else { return nil }
        if isNegative {
            guard magnitude <= Int64.min.magnitude else { return nil }
            return .integer(Int64(truncatingIfNeeded: 0 &- magnitude))
        }
        return Int64(exactly: magnitude).map { .integer($0) } ?? .unsigned(magnitude)
    }

    /// Whether the text is `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`.
    private static func isDecimalFloat(_ text: String) -> Bool {
        var rest = Substring(text).utf8
        func dropDigits() -> Int {
            let count = rest.prefix { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }.count
            rest = rest.dropFirst(count)
            return count
        }
        func dropSign() {
            if rest.first == UInt8(ascii: "-") || rest.first == UInt8(ascii: "+") { rest.removeFirst() }
        }
        dropSign()
        let whole = dropDigits()
        var fraction = 0
        if rest.first == UInt8(ascii: ".") {
            rest.removeFirst()
            fraction = dropDigits()
        }
        guard whole > 0 || fraction > 0 else { return false }
        if let letter = rest.first, letter | 0x20 == UInt8(ascii: "e") {
            rest.removeFirst()
            dropSign()
            guard dropDigits() > 0 else { return false }
        }
        return rest.isEmpty
    }
}
