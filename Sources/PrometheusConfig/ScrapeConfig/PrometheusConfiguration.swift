//
// PrometheusConfiguration.swift: a whole Prometheus configuration, of which an allocator uses the jobs.
//
// The order of reading and checking is that of Prometheus v3.14, config.Load: all of the text, then patterns of files,
// then job by job.
//

/// The jobs of one configuration, checked and with every default filled in.
package struct PrometheusConfiguration: Sendable {
    /// In the order of the file; names are unique.
    package var scrapeConfigs: [ScrapeConfig] = []
    /// What was accepted and is probably not meant.
    package var warnings: [ConfigurationWarning] = []

    /// A configuration without jobs.
    package init() {}

    /// Reads a Prometheus configuration file, as strictly as Prometheus does. Relative paths stay relative.
    ///
    /// - Parameter file: Its name for errors.
    /// - Throws: ``ConfigurationError``: the first rule broken, or all unknown keys and wrong types together.
    package static func decode(yaml: String, file: String) throws(ConfigurationError) -> PrometheusConfiguration {
        try read(try YAMLNode(parsing: yaml, file: file), YAMLReader(file: file, rules: .prometheus))
    }

    /// Reads the `config` section of an allocator's file as upstream does: unknown and repeated keys are warnings, and
    /// unquoted scalars are normalised.
    ///
    /// - Parameters:
    ///   - node: The section; a null is a configuration without jobs.
    ///   - path: Its place in the file, `config`.
    /// - Throws: ``ConfigurationError``.
    package static func decode(
        _ node: YAMLNode, file: String, path: String
    ) throws(ConfigurationError) -> PrometheusConfiguration {
        try read(node, YAMLReader(file: file, path: path, rules: .allocator))
    }

    private static func read(
        _ node: YAMLNode, _ reader: YAMLReader
    ) throws(ConfigurationError) -> PrometheusConfiguration {
        var reader = reader
        let draft = try PrometheusConfigurationDraft(node, &reader)
        try reader.finish()
        var configuration = PrometheusConfiguration()
        configuration.scrapeConfigs = try draft.completed(&reader)
        configuration.warnings = reader.warnings
        return configuration
    }

    /// The body of `/scrape_configs`: an object from job name to job, sorted bytewise, without a newline at its end.
    package func scrapeConfigsJSON(_ secrets: SecretRendering) -> [UInt8] {
        var writer = JSONWriter(capacity: scrapeConfigs.count * 1_024)
        writer.object { writer in
            let sorted = scrapeConfigs.sorted { $0.jobName.utf8.lexicographicallyPrecedes($1.jobName.utf8) }
            for config in sorted {
                writer.key(config.jobName)
                config.write(to: &writer, secrets)
            }
        }
        return writer.bytes
    }
}
