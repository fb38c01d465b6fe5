//
// PrometheusConfigurationDraft.swift: the sections of a configuration as they are written.
//

/// A configuration of which every section is read and no job completed.
struct PrometheusConfigurationDraft {
    private var global = GlobalConfig()
    private var jobs: [ScrapeConfigDraft?] = []
    private var ruleFiles: [String] = []
    private var scrapeConfigFiles: [String] = []
    private let node: YAMLNode

    private enum Key: String, YAMLKey {
        case global, runtime, alerting
        case ruleFiles = "rule_files"
        case scrapeConfigFiles = "scrape_config_files"
        case scrapeConfigs = "scrape_configs"
        case storage, tracing
        case remoteWrite = "remote_write"
        case remoteRead = "remote_read"
        case otlp
    }

    init(_ node: YAMLNode, _ reader: inout YAMLReader) throws(ConfigurationError) {
        self.node = node
        try reader.fields(of: node, Key.self) { (reader, key, value) throws(ConfigurationError) in
            switch key {
            case .global: global = value.isNull ? GlobalConfig() : try GlobalConfig(value, &reader)
            case .scrapeConfigs:
                jobs = try reader.list(value) { (reader, item) throws(ConfigurationError) in
                    item.isNull ? nil : try ScrapeConfigDraft(item, &reader)
                }
            case .ruleFiles: ruleFiles = try reader.strings(value)
            case .scrapeConfigFiles:
                scrapeConfigFiles = try reader.strings(value)
                if !scrapeConfigFiles.isEmpty {
                    reader.warn(
                        "a target allocator does not read scrape_config_files; their jobs are missing", at: value.mark)
                }
            case .remoteWrite: try Self.refuseNull(in: value, "remote write", &reader)
            case .remoteRead: try Self.refuseNull(in: value, "remote read", &reader)
            // Nothing that an allocator uses.
            case .runtime, .alerting, .storage, .tracing, .otlp: break
            }
        }
    }

    /// Completes the jobs in order.
    ///
    /// - Throws: ``ConfigurationError`` for the first rule broken.
    func completed(_ reader: inout YAMLReader) throws(ConfigurationError) -> [ScrapeConfig] {
        try checkPatterns(ruleFiles, .ruleFiles, "rule file", reader)
        try checkPatterns(scrapeConfigFiles, .scrapeConfigFiles, "scrape config file", reader)
        let written = node[Key.scrapeConfigs.rawValue] ?? node
        var names: Set<String> = []
        return try reader.within(key: Key.scrapeConfigs.rawValue) { (reader) throws(ConfigurationError) in
            var configs: [ScrapeConfig] = []
            configs.reserveCapacity(jobs.count)
            for (index, job) in jobs.enumerated() {
                let config = try reader.within(index: index) { (reader) throws(ConfigurationError) in
                    guard let job else {
                        throw reader.failure(
                            "empty or null scrape config section", at: written.sequence?[index] ?? written)
                    }
                    let config = try job.completed(from: global, &reader)
                    guard names.insert(config.jobName).inserted else {
                        throw reader.failure(
                            "found multiple scrape configs with job name \(config.jobName.goQuoted)", at: job.node,
                            key: ScrapeConfigDraft.Key.jobName.rawValue)
                    }
                    return config
                }
                configs.append(config)
            }
            return configs
        }
    }

    private static func refuseNull(
        in node: YAMLNode, _ kind: String, _ reader: inout YAMLReader
    ) throws(ConfigurationError) {
        for item in node.sequence ?? [] where item.isNull {
            throw reader.failure("empty or null \(kind) config section", at: item)
        }
    }

    /// A pattern must match `^[^*]*(\*[^/]*)?$`.
    private func checkPatterns(
        _ patterns: [String], _ key: Key, _ kind: String, _ reader: YAMLReader
    ) throws(ConfigurationError) {
        for pattern in patterns {
            guard let star = pattern.firstIndex(of: "*"), pattern[star...].contains("/") else { continue }
            throw reader.failure("invalid \(kind) path \(pattern.goQuoted)", at: node, key: key.rawValue)
        }
    }
}
