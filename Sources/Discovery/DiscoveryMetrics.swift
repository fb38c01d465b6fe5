//
// DiscoveryMetrics.swift: what discovery reports of itself, under upstream's names (spec/target-allocator.md 12).
//

import Metrics

/// Metrics of the discovery manager and its mechanisms.
struct DiscoveryMetrics: Sendable {
    /// Upstream's manager has a name, which is empty in the allocator.
    private static let manager = [("name", "")]

    /// `prometheus_sd_received_updates_total`: rounds that ended.
    let receivedUpdates = Counter(label: "prometheus_sd_received_updates_total", dimensions: manager)
    /// `prometheus_sd_updates_total`: batches handed over.
    let updates = Counter(label: "prometheus_sd_updates_total", dimensions: manager)
    /// `prometheus_sd_updates_delayed_total`: changes that came while others still waited to be taken.
    let updatesDelayed = Counter(label: "prometheus_sd_updates_delayed_total", dimensions: manager)
    /// `prometheus_sd_failed_configs`: sections that cannot work as they are written.
    let failedConfigs = Gauge(label: "prometheus_sd_failed_configs", dimensions: manager)
    /// `prometheus_sd_file_read_errors_total`: files that were there and could not be taken.
    let fileReadErrors = Counter(label: "prometheus_sd_file_read_errors_total")
    /// `prometheus_sd_file_scan_duration_seconds`: one round over all files of a section.
    let fileScanDuration = Timer(label: "prometheus_sd_file_scan_duration_seconds")
    /// `prometheus_sd_file_watcher_errors_total`: watches that could not be set; the refresh interval is left.
    let fileWatcherErrors = Counter(label: "prometheus_sd_file_watcher_errors_total")
    /// `prometheus_sd_http_failures_total`: rounds of `http_sd_configs` without a result.
    let httpFailures = Counter(label: "prometheus_sd_http_failures_total")

    /// `prometheus_sd_discovered_targets` and `prometheus_sd_last_update_timestamp_seconds`, by job.
    func discovered(_ targets: [String: Int]) {
        let now = Double(WallClock.microseconds()) / 1e6
        for (job, count) in targets {
            let dimensions = Self.manager + [("config", job)]
            Gauge(label: "prometheus_sd_discovered_targets", dimensions: dimensions).record(count)
            Gauge(label: "prometheus_sd_last_update_timestamp_seconds", dimensions: dimensions).record(now)
        }
    }

    /// `prometheus_sd_file_mtime_seconds`: when a file that was taken had been written.
    func fileTaken(_ path: String, modifiedSeconds: Double) {
        Gauge(label: "prometheus_sd_file_mtime_seconds", dimensions: [("filename", path)]).record(modifiedSeconds)
    }

    /// Forgets a file that is gone.
    func fileGone(_ path: String) {
        Gauge(label: "prometheus_sd_file_mtime_seconds", dimensions: [("filename", path)]).destroy()
    }

    /// `prometheus_sd_refresh_duration_seconds`, `…_histogram_seconds` and `prometheus_sd_refresh_failures_total`.
    func refreshed(mechanism: String, config: String, duration: Duration, failed: Bool) {
        let dimensions = [("mechanism", mechanism), ("config", config)]
        Timer(label: "prometheus_sd_refresh_duration_seconds", dimensions: dimensions).record(duration)
        Timer(
            label: "prometheus_sd_refresh_duration_histogram_seconds", dimensions: [("mechanism", mechanism)]
        ).record(duration)
        if failed { Counter(label: "prometheus_sd_refresh_failures_total", dimensions: dimensions).increment() }
    }
}

extension Timer {
    /// Records a duration.
    func record(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        recordNanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
    }
}
