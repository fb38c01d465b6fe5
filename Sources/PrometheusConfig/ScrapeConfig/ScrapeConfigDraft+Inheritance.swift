//
// ScrapeConfigDraft+Inheritance.swift: completes a job from `global` and runs the checks that need both.
//
// The order is that of Prometheus v3.14, ScrapeConfig.Validate: of several faults the same one is reported.
//

extension ScrapeConfigDraft {
    /// - Throws: ``ConfigurationError`` for the first rule that the job breaks.
    func completed(from global: GlobalConfig, _ reader: inout YAMLReader) throws(ConfigurationError) -> ScrapeConfig {
        var config = config
        let suffix = " for scrape config with job name \(config.jobName.goQuoted)"
        if config.scrapeInterval == .zero { config.scrapeInterval = global.scrapeInterval }
        if config.scrapeTimeout > config.scrapeInterval {
            throw reader.failure(
                "scrape timeout greater than scrape interval" + suffix, at: node, key: Key.scrapeTimeout.rawValue)
        }
        if config.scrapeTimeout == .zero { config.scrapeTimeout = min(global.scrapeTimeout, config.scrapeInterval) }
        config.limits.inherit(from: global.limits)
        if config.scrapeFailureLogFile.isEmpty { config.scrapeFailureLogFile = global.scrapeFailureLogFile }
        config.scrapeNativeHistograms = nativeHistograms ?? global.scrapeNativeHistograms
        config.extraScrapeMetrics = extraScrapeMetrics ?? global.extraScrapeMetrics
        try completeProtocols(of: &config, from: global, suffix, reader)
        config.validationScheme = validationScheme ?? global.validationScheme
        do throws(ValueError) {
            config.escapingScheme = try NameEscapingScheme.resolve(
                own: escapingScheme, ownValidation: validationScheme, validation: config.validationScheme,
                global: global)
        } catch {
            throw reader.failure(error.description, at: node, key: Key.escapingScheme.rawValue)
        }
        config.convertClassicHistogramsToNHCB = convertClassicHistograms ?? global.convertClassicHistogramsToNHCB
        config.alwaysScrapeClassicHistograms = alwaysClassicHistograms ?? global.alwaysScrapeClassicHistograms
        try check(config.relabelConfigs, .relabelConfigs, config.validationScheme, &reader)
        try check(config.metricRelabelConfigs, .metricRelabelConfigs, config.validationScheme, &reader)
        return config
    }

    private func completeProtocols(
        of config: inout ScrapeConfig, from global: GlobalConfig, _ suffix: String, _ reader: YAMLReader
    ) throws(ConfigurationError) {
        if let protocols {
            do throws(ValueError) {
                config.scrapeProtocols = try ScrapeProtocol.list(protocols)
            } catch {
                throw reader.failure(error.description + suffix, at: node, key: Key.scrapeProtocols.rawValue)
            }
        } else {
            config.scrapeProtocols =
                global.scrapeProtocols ?? ScrapeProtocol.defaults(nativeHistograms: config.scrapeNativeHistograms)
        }
        guard !fallbackProtocol.isEmpty else { return }
        do throws(ValueError) {
            config.fallbackScrapeProtocol = try ScrapeProtocol(parsing: fallbackProtocol)
        } catch {
            throw reader.failure(
                "invalid fallback_scrape_protocol\(suffix): \(error)", at: node,
                key: Key.fallbackScrapeProtocol.rawValue)
        }
    }

    private func check(
        _ rules: [RelabelConfig], _ key: Key, _ scheme: NameValidationScheme, _ reader: inout YAMLReader
    ) throws(ConfigurationError) {
        for (index, rule) in rules.enumerated() {
            do throws(RelabelConfigError) {
                try rule.validate(scheme: scheme)
            } catch {
                let written = node[key.rawValue]?.sequence?[index] ?? node
                throw try reader.within(key: key.rawValue) { (reader) throws(ConfigurationError) in
                    try reader.within(index: index) { (reader) in
                        if case .invalidRegex = error {
                            return reader.failure(error.description, at: written, key: "regex")
                        }
                        return reader.failure(error.description, at: written)
                    }
                }
            }
        }
    }
}
