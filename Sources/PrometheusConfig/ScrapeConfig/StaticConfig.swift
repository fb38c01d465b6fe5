//
// StaticConfig.swift: targets written in the configuration itself.
//

/// One element of `static_configs`.
package struct StaticConfig: Sendable, Equatable {
    /// Addresses. May be empty, and one may be an empty text.
    package var targets: [String] = []
    package var labels: [String: String] = [:]

    package init(targets: [String] = [], labels: [String: String] = [:]) {
        self.targets = targets
        self.labels = labels
    }

    private enum Key: String, YAMLKey { case targets, labels }

    init(_ node: YAMLNode, _ reader: inout YAMLReader) throws(ConfigurationError) {
        try reader.fields(of: node, Key.self) { (reader, key, value) throws(ConfigurationError) in
            switch key {
            case .targets: targets = try reader.strings(value)
            case .labels: labels = try Self.labels(value, &reader)
            }
        }
    }

    private static func labels(
        _ node: YAMLNode, _ reader: inout YAMLReader
    ) throws(ConfigurationError) -> [String: String] {
        let labels = try reader.map(node) { (reader, value) in reader.string(value) }
        // Even under the legacy scheme any other name is accepted here.
        if labels[""] != nil { throw reader.failure("\"\" is not a valid label name", at: node) }
        return labels
    }

    func write(to writer: inout JSONWriter) {
        writer.object { writer in
            if !labels.isEmpty {
                writer.key("labels")
                writer.object(labels)
            }
            writer.key("targets")
            writer.strings(targets)
        }
    }
}
