//
// RelabelConfig+YAML.swift: reads a relabel rule from the configuration and writes it into the answer.
//

extension RelabelConfig {
    private enum Key: String, YAMLKey {
        case sourceLabels = "source_labels"
        case separator, regex, modulus
        case targetLabel = "target_label"
        case replacement, action
    }

    init(_ node: YAMLNode, _ reader: inout YAMLReader) throws(ConfigurationError) {
        self.init()
        try reader.fields(of: node, Key.self) { (reader, key, value) throws(ConfigurationError) in
            switch key {
            case .sourceLabels:
                sourceLabels = try reader.strings(value)
                sourceLabelsWritten = !value.isNull
            case .separator: separator = reader.string(value)
            // A null is the empty expression, as Prometheus has it.
            case .regex: regex = reader.string(value)
            case .modulus: modulus = reader.unsigned(value)
            case .targetLabel: targetLabel = reader.string(value)
            case .replacement: replacement = reader.string(value)
            case .action: action = try Self.action(value, &reader)
            }
        }
    }

    private static func action(_ node: YAMLNode, _ reader: inout YAMLReader) throws(ConfigurationError) -> Action {
        let problems = reader.problemCount
        let text = reader.string(node)
        guard reader.problemCount == problems else { return .replace }
        do throws(RelabelConfigError) {
            return try Action(parsing: text)
        } catch {
            throw reader.failure(error.description, at: node)
        }
    }

    func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("action", action.rawValue)
            if modulus != 0 { writer.member("modulus", ifNotZero: modulus) }
            if let regex { writer.member("regex", regex) }
            writer.member("replacement", replacement)
            writer.member("separator", separator)
            writer.member("source_labels", ifNotEmpty: sourceLabels)
            writer.member("target_label", ifNotEmpty: targetLabel)
        }
    }
}
