//
// YAMLReader+Scalars.swift: texts, truth values, numbers and lists of them.
//
// A null is the zero value of whatever is read, not the default: the rule of Prometheus' reader.
//

extension YAMLReader {
    /// Any scalar, as text. A number or truth value keeps the characters it was written with, unless the rules say that
    /// scalars are normalised.
    package mutating func string(_ node: YAMLNode) -> String {
        guard let scalar = node.scalar else {
            reportType(node, expected: "a text")
            return ""
        }
        return scalar.isNull ? "" : text(of: scalar, at: node.mark)
    }

    /// The same for a text that must never be shown, not even in a warning.
    package mutating func secret(_ node: YAMLNode) -> Secret {
        guard let scalar = node.scalar else {
            reportType(node, expected: "a text")
            return Secret("")
        }
        guard rules.normalisesScalars, scalar.isPlain else { return Secret(scalar.isNull ? "" : scalar.text) }
        let normalised = scalar.normalisedText
        if normalised != scalar.text, !scalar.isNull {
            warn("this unquoted text is read as a number or a truth value; put quotes around it", at: node.mark)
        }
        return Secret(normalised)
    }

    /// A list of texts.
    package mutating func strings(_ node: YAMLNode) throws(ConfigurationError) -> [String] {
        try list(node) { (reader, item) in reader.string(item) }
    }

    package mutating func bool(_ node: YAMLNode) -> Bool {
        switch node.scalar?.value {
        case .bool(let value): return value
        case .null: return false
        default:
            reportType(node, expected: "true or false", showsValue: true)
            return false
        }
    }

    /// A whole number of 0 or more; what follows a decimal point is dropped.
    package mutating func unsigned(_ node: YAMLNode) -> UInt64 {
        switch node.scalar?.value {
        case .integer(let value) where value >= 0: return UInt64(value)
        case .unsigned(let value): return value
        case .float(let value) where value > -1 && value < 0x1p64: return UInt64(value)
        case .null: return 0
        default:
            reportType(node, expected: "a whole number of 0 or more", showsValue: true)
            return 0
        }
    }

    package mutating func double(_ node: YAMLNode) -> Double {
        switch node.scalar?.value {
        case .integer(let value): return Double(value)
        case .unsigned(let value): return Double(value)
        case .float(let value) where value.isFinite: return value
        case .null: return 0
        default:
            reportType(node, expected: "a number", showsValue: true)
            return 0
        }
    }

    /// Collects that a node is not what belongs there.
    ///
    /// - Parameter showsValue: Whether a scalar's text may be shown. Not where it may be a secret.
    package mutating func reportType(_ node: YAMLNode, expected: String, showsValue: Bool = false) {
        let found: String
        switch node.content {
        case .sequence: found = "a list"
        case .mapping: found = "a mapping"
        case .scalar(let scalar) where showsValue:
            let text = scalar.text.count > 40 ? scalar.text.prefix(37) + "..." : scalar.text[...]
            found = (scalar.isPlain ? "" : "the quoted text ") + String(text).goQuoted
        case .scalar: found = "a text"
        }
        report(.wrongType, "expected \(expected), found \(found)", at: node.mark)
    }

    mutating func text(of scalar: YAMLScalar, at mark: YAMLMark) -> String {
        guard rules.normalisesScalars, scalar.isPlain else { return scalar.text }
        let normalised = scalar.normalisedText
        if normalised != scalar.text, !scalar.isNull {
            warn("\(scalar.text) is read as \(normalised); put quotes around it to keep it as written", at: mark)
        }
        return normalised
    }
}
