//
// WalkMetrics.swift: what the walk reports of itself; names that users' dashboards know are upstream's.
//

import CoreMetrics
import Metrics

/// Metrics of the walk.
struct WalkMetrics: Sendable {
    /// `target_ledger_configuration_reload_failures_total`: changed files that were refused.
    let reloadFailures = Counter(label: "target_ledger_configuration_reload_failures_total")
    /// `target_ledger_configuration_last_reload_successful`: 1 when the file as it is now is in force.
    let lastReloadSuccessful = Gauge(label: "target_ledger_configuration_last_reload_successful")
    /// `opentelemetry_allocator_process_targets_duration_seconds`: relabelling and allocation of one batch.
    let processTargets = Timer(label: "opentelemetry_allocator_process_targets_duration_seconds")

    /// A process starts with the file as it is.
    init() { lastReloadSuccessful.record(1) }

    /// Times `body` as `opentelemetry_allocator_time_to_allocate`, in seconds.
    func timeToAllocate<T>(method: String, strategy: String, _ body: () -> T) -> T {
        let started = ContinuousClock.now
        defer {
            Timer(
                label: "opentelemetry_allocator_time_to_allocate",
                dimensions: [("method", method), ("strategy", strategy)]
            ).record(started.duration(to: .now))
        }
        return body()
    }
}

extension Timer {
    /// Records a duration.
    func record(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        recordNanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
    }
}

extension Duration {
    /// Seconds with milliseconds, for logs.
    var inSeconds: Double {
        let (seconds, attoseconds) = components
        return Double(seconds) + (Double(attoseconds) / 1e15).rounded() / 1e3
    }
}
