//
// ReplicaMetrics.swift: what this process is among the replicas, read at each scrape.
//

import AllocationLedger
import AllocatorRuntime
import Telemetry

/// The `target_ledger_*` gauges of role, lag and age.
package struct ReplicaMetrics: MetricsSource {
    private let publisher: SnapshotPublisher

    package init(publisher: SnapshotPublisher) { self.publisher = publisher }

    package func families() -> [MetricFamily] {
        guard let view = publisher.replica else { return [] }
        let report = view.report
        return [
            MetricFamily(
                "target_ledger_role", .gauge, help: "1 for what this process is: starting, leading or following.",
                [.starting, .leading, .following].map { (state: ReplicaReport.State) in
                    MetricSample([MetricLabel("role", state.rawValue)], state == report.state ? 1 : 0)
                }),
            gauge("epoch", "The term that this process leads in; 0 while it does not lead.", Double(report.epoch ?? 0)),
            gauge(
                "lag_revisions", "Revisions that are recorded and not yet served by this process.",
                Double(report.behindRevisions)),
            gauge(
                "lag_seconds", "For how long something has been recorded that this process does not serve yet.",
                report.behindSeconds),
            gauge(
                "listening", "1 while this process listens for revisions, 0 while it only polls.",
                report.hearing == .listening ? 1 : 0),
        ]
            + (view.stateAge.map {
                [
                    gauge(
                        "state_age_seconds", "How long ago what is served was known to be the newest.", $0 / .seconds(1)
                    )
                ]
            } ?? [])
    }

    private func gauge(_ name: String, _ help: String, _ value: Double) -> MetricFamily {
        MetricFamily("target_ledger_" + name, .gauge, help: help, [MetricSample([], value)])
    }
}
