//
// ScrapeConfigDraft.swift: one job as it is written, before it inherits from `global`.
//
// Reading runs the checks that need nothing but the job itself, in Prometheus' order: types and keys, the job's name, the
// HTTP client block, static targets, null rules.
//

/// A job whose inherited settings are still open.
struct ScrapeConfigDraft {
    /// Everything that is not inherited; durations and limits of zero are open.
    var config = ScrapeConfig()
    /// Nil: not written, or null.
    var protocols: [String]?
    var fallbackProtocol = ""
    var validationScheme: NameValidationScheme?
    var escapingScheme = ""
    var nativeHistograms: Bool?
    var alwaysClassicHistograms: Bool?
    var convertClassicHistograms: Bool?
    var extraScrapeMetrics: Bool?
    /// Where the job is written, for later faults.
    let node: YAMLNode

    enum Key: String, YAMLKey {
        case jobName = "job_name"
        case honorLabels = "honor_labels"
        case honorTimestamps = "honor_timestamps"
        case trackTimestampsStaleness = "track_timestamps_staleness"
        case params
        case scrapeInterval = "scrape_interval"
        case scrapeTimeout = "scrape_timeout"
        case scrapeProtocols = "scrape_protocols"
        case fallbackScrapeProtocol = "fallback_scrape_protocol"
        case scrapeNativeHistograms = "scrape_native_histograms"
        case alwaysScrapeClassicHistograms = "always_scrape_classic_histograms"
        case convertClassicHistogramsToNHCB = "convert_classic_histograms_to_nhcb"
        case scrapeFailureLogFile = "scrape_failure_log_file"
        case metricsPath = "metrics_path"
        case scheme
        case enableCompression = "enable_compression"
        case bodySizeLimit = "body_size_limit"
        case sampleLimit = "sample_limit"
        case targetLimit = "target_limit"
        case labelLimit = "label_limit"
        case labelNameLengthLimit = "label_name_length_limit"
        case labelValueLengthLimit = "label_value_length_limit"
        case nativeHistogramBucketLimit = "native_histogram_bucket_limit"
        case nativeHistogramMinBucketFactor = "native_histogram_min_bucket_factor"
        case keepDroppedTargets = "keep_dropped_targets"
        case validationScheme = "metric_name_validation_scheme"
        case escapingScheme = "metric_name_escaping_scheme"
        case extraScrapeMetrics = "extra_scrape_metrics"
        case relabelConfigs = "relabel_configs"
        case metricRelabelConfigs = "metric_relabel_configs"
        case staticConfigs = "static_configs"
        case fileSDConfigs = "file_sd_configs"
        case httpSDConfigs = "http_sd_configs"
    }

    init(_ node: YAMLNode, _ reader: inout YAMLReader) throws(ConfigurationError) {
        self.node = node
        let problems = reader.problemCount
        var http = HTTPClientConfig.Draft()
        try reader.fields(of: node, KeyWithMechanisms.self) { (reader, key, value) throws(ConfigurationError) in
            switch key {
            case .job(.http(let key)): try http.read(key, value, &reader)
            case .job(.own(let key)): try read(key, value, &reader)
            case .unsupported(let name):
                guard !value.isNull, value.sequence?.isEmpty != true else { return }
                throw reader.unsupported(name, DiscoveryMechanisms.refusal(of: name), at: value)
            }
        }
        guard reader.problemCount == problems else { return }
        if config.jobName.isEmpty { throw reader.failure("job_name is empty", at: node, key: Key.jobName.rawValue) }
        config.http = try http.checked(reader, node)
        try checkStaticTargets(reader)
        try refuseNullRules(.relabelConfigs, "target", reader)
        try refuseNullRules(.metricRelabelConfigs, "metric", reader)
    }

    private mutating func read(
        _ key: Key, _ value: YAMLNode, _ reader: inout YAMLReader
    ) throws(ConfigurationError) {
        switch key {
        case .jobName: config.jobName = reader.string(value)
        case .honorLabels: config.honorLabels = reader.bool(value)
        case .honorTimestamps: config.honorTimestamps = reader.bool(value)
        case .trackTimestampsStaleness: config.trackTimestampsStaleness = reader.bool(value)
        case .params:
            config.params = try reader.map(value) { (reader, item) throws(ConfigurationError) in
                try reader.strings(item)
            }
        case .scrapeInterval: config.scrapeInterval = try reader.prometheusDuration(value)
        case .scrapeTimeout: config.scrapeTimeout = try reader.prometheusDuration(value)
        case .scrapeProtocols: protocols = value.isNull ? nil : try reader.strings(value)
        case .fallbackScrapeProtocol: fallbackProtocol = reader.string(value)
        case .scrapeNativeHistograms: nativeHistograms = value.isNull ? nil : reader.bool(value)
        case .alwaysScrapeClassicHistograms: alwaysClassicHistograms = value.isNull ? nil : reader.bool(value)
        case .convertClassicHistogramsToNHCB: convertClassicHistograms = value.isNull ? nil : reader.bool(value)
        case .extraScrapeMetrics: extraScrapeMetrics = value.isNull ? nil : reader.bool(value)
        case .scrapeFailureLogFile: config.scrapeFailureLogFile = reader.string(value)
        case .metricsPath: config.metricsPath = reader.string(value)
        case .scheme: config.scheme = reader.string(value)
        case .enableCompression: config.enableCompression = reader.bool(value)
        case .bodySizeLimit: config.limits.bodySize = try reader.byteSize(value)
        case .sampleLimit: config.limits.samples = reader.unsigned(value)
        case .targetLimit: config.limits.targets = reader.unsigned(value)
        case .labelLimit: config.limits.labels = reader.unsigned(value)
        case .labelNameLengthLimit: config.limits.labelNameLength = reader.unsigned(value)
        case .labelValueLengthLimit: config.limits.labelValueLength = reader.unsigned(value)
        case .keepDroppedTargets: config.limits.keepDroppedTargets = reader.unsigned(value)
        case .nativeHistogramBucketLimit: config.nativeHistogramBucketLimit = reader.unsigned(value)
        case .nativeHistogramMinBucketFactor: config.nativeHistogramMinBucketFactor = reader.double(value)
        case .validationScheme: validationScheme = try reader.validationScheme(value)
        case .escapingScheme: escapingScheme = reader.string(value)
        case .relabelConfigs:
            config.relabelConfigs = try Self.rules(value, &reader)
        case .metricRelabelConfigs:
            config.metricRelabelConfigs = try Self.rules(value, &reader)
        case .staticConfigs:
            config.staticConfigs = try Self.sections(key, value, &reader) { (item, reader) throws(ConfigurationError) in
                try StaticConfig(item, &reader)
            }
        case .fileSDConfigs:
            config.fileSDConfigs = try Self.sections(key, value, &reader) { (item, reader) throws(ConfigurationError) in
                try FileSDConfig(item, &reader)
            }
        case .httpSDConfigs:
            config.httpSDConfigs = try Self.sections(key, value, &reader) { (item, reader) throws(ConfigurationError) in
                try HTTPSDConfig(item, &reader)
            }
        }
    }

    /// A list of a mechanism's sections, none of which may be null.
    private static func sections<Section>(
        _ key: Key, _ node: YAMLNode, _ reader: inout YAMLReader,
        _ read: (YAMLNode, inout YAMLReader) throws(ConfigurationError) -> Section
    ) throws(ConfigurationError) -> [Section] {
        try reader.list(node) { (reader, item) throws(ConfigurationError) in
            if item.isNull { throw reader.failure("empty or null section in \(key.rawValue)", at: item) }
            return try read(item, &reader)
        }
    }

    private static func rules(
        _ node: YAMLNode, _ reader: inout YAMLReader
    ) throws(ConfigurationError) -> [RelabelConfig] {
        try reader.list(node) { (reader, item) throws(ConfigurationError) in try RelabelConfig(item, &reader) }
    }

    private func refuseNullRules(_ key: Key, _ kind: String, _ reader: YAMLReader) throws(ConfigurationError) {
        guard let null = node[key.rawValue]?.sequence?.first(where: \.isNull) else { return }
        throw reader.failure("empty or null \(kind) relabeling rule in scrape config", at: null)
    }

    /// Relabeling may still turn a URL into an address, so only jobs without any are checked.
    private func checkStaticTargets(_ reader: YAMLReader) throws(ConfigurationError) {
        guard config.relabelConfigs.isEmpty else { return }
        for section in config.staticConfigs {
            for target in section.targets where target.utf8.contains(UInt8(ascii: "/")) {
                throw reader.failure(
                    "\(target.goQuoted) is not a valid hostname", at: node, key: Key.staticConfigs.rawValue)
            }
        }
    }
}

/// The keys of a job, with those that are known and refused.
enum KeyWithMechanisms: YAMLKey {
    case job(KeyWithHTTP<ScrapeConfigDraft.Key>)
    case unsupported(String)

    init?(rawValue: String) {
        if let key = KeyWithHTTP<ScrapeConfigDraft.Key>(rawValue: rawValue) {
            self = .job(key)
        } else if DiscoveryMechanisms.unsupported.contains(rawValue) {
            self = .unsupported(rawValue)
        } else {
            return nil
        }
    }

    var rawValue: String {
        switch self {
        case .job(let key): key.rawValue
        case .unsupported(let name): name
        }
    }

    static var allCases: [KeyWithMechanisms] {
        KeyWithHTTP<ScrapeConfigDraft.Key>.allCases.map { .job($0) }
            + DiscoveryMechanisms.unsupported.sorted().map { .unsupported($0) }
    }
}
