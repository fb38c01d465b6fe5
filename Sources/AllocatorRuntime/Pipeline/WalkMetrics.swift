//
// WalkMetrics.swift: what the walk reports of itself; names that users' dashboards know are upstream's.
//

import CoreMetrics
import Metrics

/// Metrics of the walk.
struct WalkMetrics: Sendable {
    /// `target_ledger_append_seconds`: from the first attempt of an append to its commit.
    let appendDuration = Timer(label: "target_ledger_append_seconds")
    /// `target_ledger_append_failures_total`: appends given up, after which the state is loaded again.
    let appendFailures = Counter(label: "target_ledger_append_failures_total")
    /// `opentelemetry_allocator_process_targets_duration_seconds`: relabelling and allocation of one batch.
    let processTargets = Timer(label: "opentelemetry_allocator_process_targets_duration_seconds")

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
