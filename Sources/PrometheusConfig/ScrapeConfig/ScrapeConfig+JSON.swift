//
// ScrapeConfig+JSON.swift: writes a job the way `/scrape_configs` shows it.
//
// The effect of Prometheus' YAML writer and a conversion to JSON, with keys in alphabetical order. What is always there
// and what is left out when empty is upstream's choice, key by key.
//

extension ScrapeConfig {
    /// Appends the job as a JSON object, keys sorted, without white space.
    package func json(secrets: SecretRendering, into bytes: inout [UInt8]) {
        bytes += canonicalJSON(secrets)
    }

    /// The same on its own. Equal jobs have equal texts, and jobs that differ in more than a hidden secret have
    /// different ones.
    package func canonicalJSON(_ secrets: SecretRendering) -> [UInt8] {
        var writer = JSONWriter(capacity: 1_024)
        write(to: &writer, secrets)
        return writer.bytes
    }

    func write(to writer: inout JSONWriter, _ secrets: SecretRendering) {
        writer.object { writer in
            writeAToF(to: &writer, secrets)
            writeHToN(to: &writer, secrets)
            writeOToS(to: &writer, secrets)
            writer.key("static_configs", ifNotEmpty: staticConfigs) { $1.write(to: &$0) }
            writer.member("target_limit", ifNotZero: limits.targets)
            writer.tlsConfig(http.tls, secrets)
            writer.member("track_timestamps_staleness", trackTimestampsStaleness)
        }
    }

    private func writeAToF(to writer: inout JSONWriter, _ secrets: SecretRendering) {
        writer.member("always_scrape_classic_histograms", alwaysScrapeClassicHistograms)
        writer.authorization(http.authorization, secrets)
        writer.basicAuth(http.basicAuth, secrets)
        if limits.bodySize != .zero { writer.member("body_size_limit", limits.bodySize.description) }
        writer.member("convert_classic_histograms_to_nhcb", convertClassicHistogramsToNHCB)
        writer.member("enable_compression", enableCompression)
        writer.member("enable_http2", http.enableHTTP2)
        writer.member("extra_scrape_metrics", extraScrapeMetrics)
        writer.member("fallback_scrape_protocol", ifNotEmpty: fallbackScrapeProtocol?.rawValue ?? "")
        writer.key("file_sd_configs", ifNotEmpty: fileSDConfigs) { $1.write(to: &$0) }
        writer.member("follow_redirects", http.followRedirects)
    }

    private func writeHToN(to writer: inout JSONWriter, _ secrets: SecretRendering) {
        writer.member("honor_labels", ifTrue: honorLabels)
        writer.member("honor_timestamps", honorTimestamps)
        writer.httpHeaders(http.headers, secrets)
        writer.key("http_sd_configs", ifNotEmpty: httpSDConfigs) { $1.write(to: &$0, secrets) }
        writer.member("job_name", jobName)
        writer.member("keep_dropped_targets", ifNotZero: limits.keepDroppedTargets)
        writer.member("label_limit", ifNotZero: limits.labels)
        writer.member("label_name_length_limit", ifNotZero: limits.labelNameLength)
        writer.member("label_value_length_limit", ifNotZero: limits.labelValueLength)
        writer.member("metric_name_escaping_scheme", escapingScheme.rawValue)
        writer.member("metric_name_validation_scheme", validationScheme.rawValue)
        writer.key("metric_relabel_configs", ifNotEmpty: metricRelabelConfigs) { $1.write(to: &$0) }
        writer.member("metrics_path", ifNotEmpty: metricsPath)
        writer.member("native_histogram_bucket_limit", ifNotZero: nativeHistogramBucketLimit)
        if nativeHistogramMinBucketFactor != 0 {
            writer.key("native_histogram_min_bucket_factor")
            writer.double(nativeHistogramMinBucketFactor)
        }
        writer.noProxy(http.proxy)
    }

    private func writeOToS(to writer: inout JSONWriter, _ secrets: SecretRendering) {
        writer.oauth2(http.oauth2, secrets)
        if !params.isEmpty {
            writer.key("params")
            writer.object { writer in
                for (name, values) in params.sortedByKey {
                    writer.key(name)
                    writer.strings(values)
                }
            }
        }
        writer.proxy(http.proxy, secrets)
        writer.key("relabel_configs", ifNotEmpty: relabelConfigs) { $1.write(to: &$0) }
        writer.member("sample_limit", ifNotZero: limits.samples)
        writer.member("scheme", ifNotEmpty: scheme)
        writer.member("scrape_failure_log_file", ifNotEmpty: scrapeFailureLogFile)
        writer.member("scrape_interval", scrapeInterval.description)
        writer.member("scrape_native_histograms", scrapeNativeHistograms)
        writer.member("scrape_protocols", ifNotEmpty: scrapeProtocols.map(\.rawValue))
        writer.member("scrape_timeout", scrapeTimeout.description)
    }
}

extension JSONWriter {
    /// A member that is a list of objects, left out when there are none.
    mutating func key<Element>(
        _ key: StaticString, ifNotEmpty elements: [Element], _ write: (inout JSONWriter, Element) -> Void
    ) {
        guard !elements.isEmpty else { return }
        self.key(key)
        array(elements, write)
    }
}
