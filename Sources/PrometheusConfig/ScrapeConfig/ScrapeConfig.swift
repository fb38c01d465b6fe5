//
// ScrapeConfig.swift: one job, with every default filled in and everything checked.
//
// Prometheus v3.14, config.ScrapeConfig. How it is read: ScrapeConfigDraft.swift; how it is written:
// ScrapeConfig+JSON.swift.
//

/// One element of `scrape_configs`. Equal values are equal in effect and in every rendering.
package struct ScrapeConfig: Sendable, Equatable {
    /// Unique in a configuration, never empty.
    package var jobName = ""
    package var honorLabels = false
    package var honorTimestamps = true
    package var trackTimestampsStaleness = false
    /// Query parameters; a name may have an empty list.
    package var params: [String: [String]] = [:]
    package var scrapeInterval = PrometheusDuration.zero
    /// Never more than the interval.
    package var scrapeTimeout = PrometheusDuration.zero
    /// In order of preference, never empty.
    package var scrapeProtocols: [ScrapeProtocol] = []
    package var fallbackScrapeProtocol: ScrapeProtocol?
    package var scrapeNativeHistograms = false
    package var alwaysScrapeClassicHistograms = false
    package var convertClassicHistogramsToNHCB = false
    package var extraScrapeMetrics = false
    package var scrapeFailureLogFile = ""
    /// Not checked: may lack its slash or be empty.
    package var metricsPath = "/metrics"
    /// Not checked: usually `http` or `https`.
    package var scheme = "http"
    package var enableCompression = true
    package var limits = ScrapeLimits()
    package var nativeHistogramBucketLimit: UInt64 = 0
    package var nativeHistogramMinBucketFactor = 0.0
    package var validationScheme = NameValidationScheme.utf8
    package var escapingScheme = NameEscapingScheme.allowUTF8
    package var http = HTTPClientConfig()
    package var relabelConfigs: [RelabelConfig] = []
    package var metricRelabelConfigs: [RelabelConfig] = []
    package var staticConfigs: [StaticConfig] = []
    package var fileSDConfigs: [FileSDConfig] = []
    package var httpSDConfigs: [HTTPSDConfig] = []

    package init() {}
}
