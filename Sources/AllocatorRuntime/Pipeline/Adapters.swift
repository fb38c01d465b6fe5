//
// Adapters.swift: between the values of one module and those of the next.
//

import AllocationCore
import AllocationLedger
import Discovery
import PostgresDriver
import PrometheusConfig

extension TargetBuilder {
    /// The builder of one scrape config. A parameter is seeded with its first value.
    init(scrapeConfig config: ScrapeConfig, filter: Bool, table: LabelTable) throws {
        let params = config.params.compactMap { name, values in values.first.map { (name, $0) } }
            .sorted { ByteOrder.precedes($0.0, $1.0) }
        try self.init(
            job: config.jobName, scrapeInterval: config.scrapeInterval.description,
            scrapeTimeout: config.scrapeTimeout.description, metricsPath: config.metricsPath, scheme: config.scheme,
            params: params, rules: config.relabelConfigs, filter: filter, validationScheme: config.validationScheme,
            table: table)
    }
}

extension DiscoveryReportDraft {
    /// One job's share of a provider's report.
    init(job: String, _ report: DiscoveryReport, added: Int, removed: Int, dropped: Int) {
        self.init(
            job: job, provider: report.provider.mechanism, source: report.source,
            succeeded: report.outcome == .success, targets: report.targets, added: added, removed: removed,
            droppedByRelabelling: dropped, error: report.error, durationSeconds: report.duration.inSeconds,
            at: Timestamp(microsecondsSince1970: report.at))
    }
}
