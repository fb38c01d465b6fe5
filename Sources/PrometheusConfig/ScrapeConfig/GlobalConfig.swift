//
// GlobalConfig.swift: the `global` section: what jobs inherit.
//
// Prometheus v3.14, config.GlobalConfig. `evaluation_interval` and the like are checked and go no further; so do
// `external_labels`, which an allocator hands to nobody.
//

/// The defaults of all jobs.
struct GlobalConfig: Sendable {
    var scrapeInterval = PrometheusDuration.zero
    var scrapeTimeout = PrometheusDuration.zero
    /// Nil: not written.
    var scrapeProtocols: [ScrapeProtocol]?
    var scrapeFailureLogFile = ""
    var limits = ScrapeLimits()
    var validationScheme = NameValidationScheme.utf8
    /// As written; checked when the first job is.
    var escapingScheme = ""
    var scrapeNativeHistograms = false
    var convertClassicHistogramsToNHCB = false
    var alwaysScrapeClassicHistograms = false
    var extraScrapeMetrics = false

    static let defaultInterval = PrometheusDuration.seconds(60)
    static let defaultTimeout = PrometheusDuration.seconds(10)

    private enum Key: String, YAMLKey {
        case scrapeInterval = "scrape_interval"
        case scrapeTimeout = "scrape_timeout"
        case scrapeProtocols = "scrape_protocols"
        case evaluationInterval = "evaluation_interval"
        case ruleQueryOffset = "rule_query_offset"
        case queryLogFile = "query_log_file"
        case scrapeFailureLogFile = "scrape_failure_log_file"
        case externalLabels = "external_labels"
        case validationScheme = "metric_name_validation_scheme"
        case escapingScheme = "metric_name_escaping_scheme"
        case scrapeNativeHistograms = "scrape_native_histograms"
        case convertClassicHistogramsToNHCB = "convert_classic_histograms_to_nhcb"
        case alwaysScrapeClassicHistograms = "always_scrape_classic_histograms"
        case extraScrapeMetrics = "extra_scrape_metrics"
        case bodySizeLimit = "body_size_limit"
        case sampleLimit = "sample_limit"
        case targetLimit = "target_limit"
        case labelLimit = "label_limit"
        case labelNameLengthLimit = "label_name_length_limit"
        case labelValueLengthLimit = "label_value_length_limit"
        case keepDroppedTargets = "keep_dropped_targets"
    }

    init() {
        scrapeInterval = Self.defaultInterval
        scrapeTimeout = Self.defaultTimeout
    }

    init(_ node: YAMLNode, _ reader: inout YAMLReader) throws(ConfigurationError) {
        let problems = reader.problemCount
        var protocols: [String]?
        var externalLabels: [String: String] = [:]
        try reader.fields(of: node, Key.self) { (reader, key, value) throws(ConfigurationError) in
            switch key {
            case .scrapeInterval: scrapeInterval = try reader.prometheusDuration(value)
            case .scrapeTimeout: scrapeTimeout = try reader.prometheusDuration(value)
            case .scrapeProtocols: protocols = value.isNull ? nil : try reader.strings(value)
            case .evaluationInterval, .ruleQueryOffset: _ = try reader.prometheusDuration(value)
            case .queryLogFile: _ = reader.string(value)
            case .scrapeFailureLogFile: scrapeFailureLogFile = reader.string(value)
            case .externalLabels: externalLabels = try reader.map(value) { (reader, item) in reader.string(item) }
            case .validationScheme: validationScheme = try reader.validationScheme(value) ?? .utf8
            case .escapingScheme: escapingScheme = reader.string(value)
            case .scrapeNativeHistograms: scrapeNativeHistograms = reader.bool(value)
            case .convertClassicHistogramsToNHCB: convertClassicHistogramsToNHCB = reader.bool(value)
            case .alwaysScrapeClassicHistograms: alwaysScrapeClassicHistograms = reader.bool(value)
            case .extraScrapeMetrics: extraScrapeMetrics = reader.bool(value)
            case .bodySizeLimit: limits.bodySize = try reader.byteSize(value)
            case .sampleLimit: limits.samples = reader.unsigned(value)
            case .targetLimit: limits.targets = reader.unsigned(value)
            case .labelLimit: limits.labels = reader.unsigned(value)
            case .labelNameLengthLimit: limits.labelNameLength = reader.unsigned(value)
            case .labelValueLengthLimit: limits.labelValueLength = reader.unsigned(value)
            case .keepDroppedTargets: limits.keepDroppedTargets = reader.unsigned(value)
            }
        }
        guard reader.problemCount == problems else { return }
        for name in externalLabels.keys.sorted() where !validationScheme.isValidLabelName(name) {
            throw reader.failure(
                "\(name.goQuoted) is not a valid label name", at: node, key: Key.externalLabels.rawValue)
        }
        if scrapeInterval == .zero { scrapeInterval = Self.defaultInterval }
        if scrapeTimeout > scrapeInterval {
            throw reader.failure(
                "global scrape timeout greater than scrape interval", at: node, key: Key.scrapeTimeout.rawValue)
        }
        if scrapeTimeout == .zero { scrapeTimeout = min(Self.defaultTimeout, scrapeInterval) }
        guard let protocols else { return }
        do throws(ValueError) {
            scrapeProtocols = try ScrapeProtocol.list(protocols)
        } catch {
            throw reader.failure("\(error) for global config", at: node, key: Key.scrapeProtocols.rawValue)
        }
    }
}

/// Limits that a job takes from `global` where it has none; zero means no limit.
package struct ScrapeLimits: Sendable, Equatable {
    package var bodySize = ByteSize.zero
    package var samples: UInt64 = 0
    package var targets: UInt64 = 0
    package var labels: UInt64 = 0
    package var labelNameLength: UInt64 = 0
    package var labelValueLength: UInt64 = 0
    package var keepDroppedTargets: UInt64 = 0

    package init() {}

    /// Takes over each limit that is zero here.
    mutating func inherit(from global: ScrapeLimits) {
        if bodySize == .zero { bodySize = global.bodySize }
        if samples == 0 { samples = global.samples }
        if targets == 0 { targets = global.targets }
        if labels == 0 { labels = global.labels }
        if labelNameLength == 0 { labelNameLength = global.labelNameLength }
        if labelValueLength == 0 { labelValueLength = global.labelValueLength }
        if keepDroppedTargets == 0 { keepDroppedTargets = global.keepDroppedTargets }
    }
}

extension YAMLReader {
    mutating func byteSize(_ node: YAMLNode) throws(ConfigurationError) -> ByteSize {
        try parsed(node, zero: .zero) { (text) throws(ValueError) in try ByteSize(parsing: text) }
    }
}
