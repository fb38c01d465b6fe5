//
// AllocatorMetrics.swift: what the allocation looks like, read from the snapshot at each scrape.
//
// Nothing is pushed, so a job or a collector that is gone has no series and the unassigned count returns to 0
// (spec/target-allocator.md 12 and quirk 21). Names and labels are upstream's.
//

import AllocationLedger
import AllocatorRuntime
import Telemetry

/// The `opentelemetry_allocator_*` gauges.
package struct AllocatorMetrics: MetricsSource {
    /// Targets that discovery found for a job, before relabelling dropped any.
    package typealias DiscoveredTargets = @Sendable () -> [(job: String, targets: Int)]

    /// The instrumentation scope that upstream's exporter writes on every one of its series.
    package static let scope = [
        MetricLabel("otel_scope_name", "targetallocator"), MetricLabel("otel_scope_schema_url", ""),
        MetricLabel("otel_scope_version", ""),
    ]

    private let publisher: SnapshotPublisher
    private let discovered: DiscoveredTargets?

    /// - Parameter discovered: Nil where no discovery runs; then a job's targets are those that relabelling kept.
    package init(publisher: SnapshotPublisher, discovered: DiscoveredTargets? = nil) {
        self.publisher = publisher
        self.discovered = discovered
    }

    package func families() -> [MetricFamily] {
        guard let snapshot = publisher.current else { return [] }
        let load = CollectorLoad(snapshot)
        let strategy = MetricLabel("strategy", snapshot.strategy)
        let perJob = discovered?() ?? snapshot.jobs.map { ($0.name, $0.targetCount) }
        return [
            gauge(
                "targets", "Targets discovered per job, before filtering.",
                perJob.map { sample($0.targets, [MetricLabel("job_name", $0.job)]) }),
            gauge("targets_remaining", "Targets after filtering.", [sample(load.targetCount)]),
            gauge(
                "targets_per_collector", "Targets assigned per collector.",
                load.collectors.map { sample($0.targetCount, [MetricLabel("collector_name", $0.name), strategy]) }),
            gauge("targets_unassigned", "Targets that no collector has.", [sample(load.unassignedCount)]),
            gauge(
                "collectors_allocatable", "Collectors that targets are given to.",
                [sample(load.collectors.count, [strategy])]),
            gauge("collectors_discovered", "Collectors found.", [sample(load.collectors.count)]),
            MetricFamily(
                "target_ledger_served_revision", .gauge, help: "Revision of the ledger that is served.",
                [MetricSample([], Double(snapshot.head.revision.number))]),
            MetricFamily(
                "target_ledger_journal_entries", .gauge,
                help: "Changes that are served from the journal because the database takes none.",
                [MetricSample([], Double(snapshot.journal?.ordinal ?? 0))]),
        ]
    }

    private func gauge(_ name: String, _ help: String, _ samples: [MetricSample]) -> MetricFamily {
        MetricFamily("opentelemetry_allocator_" + name, .gauge, help: help, samples)
    }

    private func sample(_ count: Int, _ labels: [MetricLabel] = []) -> MetricSample {
        MetricSample(labels + Self.scope, Double(count))
    }
}
