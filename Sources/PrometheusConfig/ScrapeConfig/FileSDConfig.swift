//
// FileSDConfig.swift: discovery from files (`file_sd_configs`).
//

/// Which files hold target groups.
package struct FileSDConfig: Sendable, Equatable {
    /// Path patterns, each ending in a file extension of JSON or YAML.
    package var files: [String] = []
    /// How often all files are read although nothing seems to have changed; zero (a null was written) means the default.
    package var refreshInterval = Self.defaultRefreshInterval
    package static let defaultRefreshInterval = PrometheusDuration.seconds(300)

    package init(files: [String] = [], refreshInterval: PrometheusDuration = defaultRefreshInterval) {
        self.files = files
        self.refreshInterval = refreshInterval
    }

    private enum Key: String, YAMLKey {
        case files
        case refreshInterval = "refresh_interval"
    }

    init(_ node: YAMLNode, _ reader: inout YAMLReader) throws(ConfigurationError) {
        let problems = reader.problemCount
        try reader.fields(of: node, Key.self) { (reader, key, value) throws(ConfigurationError) in
            switch key {
            case .files: files = try reader.strings(value)
            case .refreshInterval: refreshInterval = try reader.prometheusDuration(value)
            }
        }
        guard reader.problemCount == problems else { return }
        guard !files.isEmpty else {
            throw reader.failure("file service discovery config must contain at least one path name", at: node)
        }
        if let wrong = files.first(where: { !Self.isValidPattern($0) }) {
            throw reader.failure(
                "path name \(wrong.goQuoted) is not valid for file discovery", at: node, key: Key.files.rawValue)
        }
        try reader.requirePositive(refreshInterval, node, key: Key.refreshInterval.rawValue)
    }

    /// Whether discovery takes such a path: `^[^*]*(\*[^/]*)?\.(json|yml|yaml|JSON|YML|YAML)$`.
    package static func isValidPattern(_ pattern: String) -> Bool {
        guard let point = pattern.lastIndex(of: "."),
            ["json", "yml", "yaml", "JSON", "YML", "YAML"].contains(pattern[pattern.index(after: point)...])
        else { return false }
        let stem = pattern[..<point]
        guard let star = stem.firstIndex(of: "*") else { return true }
        return !stem[star...].contains("/")
    }

    func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("files", ifNotEmpty: files)
            if refreshInterval != .zero { writer.member("refresh_interval", refreshInterval.description) }
        }
    }
}

extension YAMLReader {
    package mutating func prometheusDuration(_ node: YAMLNode) throws(ConfigurationError) -> PrometheusDuration {
        try parsed(node, zero: .zero) { (text) throws(ValueError) in try PrometheusDuration(parsing: text) }
    }

    /// Refuses a written interval of zero, which makes Prometheus crash. A null is zero too and is let through, because
    /// Prometheus loads it; discovery then takes the mechanism's default.
    func requirePositive(
        _ interval: PrometheusDuration, _ node: YAMLNode, key: String
    ) throws(ConfigurationError) {
        guard interval == .zero, let written = node[key], !written.isNull else { return }
        throw failure("\(key) must be greater than 0s", at: node, key: key)
    }
}
