//
// ScrapeTargetSettings.swift: what a job's scrape configuration contributes to its targets.
//

/// The part of a scrape configuration that ends up in labels and URLs, with inheritance and defaults applied.
package struct ScrapeTargetSettings: Sendable {
    package var job: String
    package var scrapeInterval: PrometheusDuration
    package var scrapeTimeout: PrometheusDuration
    package var metricsPath: String
    package var scheme: String
    /// All values of each URL parameter.
    package var params: [String: [String]]
    package var scrapesNativeHistograms: Bool
    package var scrapesClassicHistogramsAlways: Bool
    package var convertsClassicHistograms: Bool
    package var rules: [RelabelConfig]
    package var validationScheme: NameValidationScheme

    package init(
        job: String, scrapeInterval: PrometheusDuration, scrapeTimeout: PrometheusDuration,
        metricsPath: String = "/metrics",
        scheme: String = "http", params: [String: [String]] = [:], scrapesNativeHistograms: Bool = false,
        scrapesClassicHistogramsAlways: Bool = false, convertsClassicHistograms: Bool = false,
        rules: [RelabelConfig] = [], validationScheme: NameValidationScheme = .utf8
    ) {
        self.job = job
        self.scrapeInterval = scrapeInterval
        self.scrapeTimeout = scrapeTimeout
        self.metricsPath = metricsPath
        self.scheme = scheme
        self.params = params
        self.scrapesNativeHistograms = scrapesNativeHistograms
        self.scrapesClassicHistogramsAlways = scrapesClassicHistogramsAlways
        self.convertsClassicHistograms = convertsClassicHistograms
        self.rules = rules
        self.validationScheme = validationScheme
    }

    /// What is set where a target has no label of that name, or an empty one, in the order in which it is set.
    var seeds: [(name: String, value: String)] {
        let fixed = [
            ("job", job), ("__scrape_interval__", scrapeInterval.description),
            ("__scrape_timeout__", scrapeTimeout.description), ("__metrics_path__", metricsPath),
            ("__scheme__", scheme),
            (Self.convertLabel, String(convertsClassicHistograms)), (Self.nativeLabel, String(scrapesNativeHistograms)),
            (Self.alwaysLabel, String(scrapesClassicHistogramsAlways)),
        ]
        let params = params.sorted { $0.key < $1.key }.compactMap { name, values in
            values.first.map { ("__param_\(name)", $0) }
        }
        return fixed + params
    }

    static let convertLabel = "__convert_classic_histograms_to_nhcb__"
    static let alwaysLabel = "__always_scrape_classic_histograms__"
    static let nativeLabel = "__scrape_native_histograms__"
}
