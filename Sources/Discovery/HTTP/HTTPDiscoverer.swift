//
// HTTPDiscoverer.swift: `http_sd_configs` (spec/prometheus-sd.md 7).
//
// A round asks the server and compares its answer with the last one. Whatever goes wrong (no answer in time, another
// status, no JSON, too much of it) fails the round, and the targets stay.
//

import AllocationCore
import HTTPTransport
import Logging
import Metrics
import PrometheusConfig

/// Asks one server for target groups, again and again.
actor HTTPDiscoverer: Discoverer {
    /// Limit of an answer. It is held in memory whole, beside those of other sections: 64 MiB are 60,000 targets with 20
    /// labels each or 700,000 bare ones, and sixteen of them at once still fit in 1 GiB.
    static let bodyBytesMax = 64 << 20
    /// Servers tell clients apart by it, and this is the protocol that is spoken.
    static let userAgent = "Prometheus/3.14.0"

    nonisolated let executor: BlockingExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private let config: HTTPSDConfig
    private let interval: Duration
    /// The URL without user and password: part of sources and labels, which are recorded.
    private let name: String
    private let table: LabelTable
    private let http: HTTPClient
    private let metrics: DiscoveryMetrics
    private let logger: Logger

    private var reader: GroupDocumentReader
    private var isSynchronised = false
    private var lastError: String?

    init(
        _ config: HTTPSDConfig, table: LabelTable, http: HTTPClient, executor: BlockingExecutor,
        metrics: DiscoveryMetrics, logger: Logger
    ) {
        self.config = config
        // A written null is zero and means the default.
        interval =
            (config.refreshInterval > .zero ? config.refreshInterval : HTTPSDConfig.defaultRefreshInterval).duration
        name = RequestURL.redacted(config.url)
        self.table = table
        self.http = http
        self.executor = executor
        self.metrics = metrics
        self.logger = logger
        reader = GroupDocumentReader(name: name, originLabel: "__meta_url")
    }

    func run(_ deliver: @escaping @Sendable (DiscoveryRound) -> Void) async {
        await RefreshLoop(interval: interval).run { deliver(await self.refresh()) }
    }

    // MARK: One round

    private func refresh() async -> DiscoveryRound {
        let started = ContinuousClock.now
        var changes: [DocumentChange] = []
        var failure: String?
        do {
            let response = try await http.send(request(), deadline: interval, bodyBytesMax: Self.bodyBytesMax)
            try HTTPAnswer.check(response.head)
            let change = try response.body.withUnsafeBytes { try reader.read($0, .json, table: table) }
            if !change.isEmpty { changes = [change] }
            isSynchronised = true
        } catch let error as GroupSyntaxError {
            failure = "\(name): \(error)"
        } catch let error as HTTPTransportError {
            failure = "\(error)"
        } catch {
            failure = "GET \(name): \(error)"
        }
        note(failure)
        let duration = started.duration(to: .now)
        if failure != nil { metrics.httpFailures.increment() }
        metrics.refreshed(mechanism: "http", config: name, duration: duration, failed: failure != nil)
        return DiscoveryRound(
            changes: changes, outcome: failure.map { .failure(message: $0) } ?? .success,
            targetCount: reader.targetCount, duration: duration, finishedAt: WallClock.microseconds(),
            isSynchronised: isSynchronised)
    }

    private func request() throws(HTTPConfigurationError) -> HTTPRequest {
        var request = try config.http.request(url: config.url)
        request.fields.append(.init("User-Agent", Self.userAgent))
        request.fields.append(.init("Accept", "application/json"))
        request.fields.append(.init("X-Prometheus-Refresh-Interval-Seconds", Self.seconds(interval)))
        return request
    }

    /// `60`, `90.5`.
    static func seconds(_ interval: Duration) -> String {
        let (seconds, attoseconds) = interval.components
        let milliseconds = attoseconds / 1_000_000_000_000_000
        guard milliseconds > 0 else { return "\(seconds)" }
        let padded = String(repeating: "0", count: 3 - "\(milliseconds)".count) + "\(milliseconds)"
        return "\(seconds).\(padded[...(padded.lastIndex { $0 != "0" } ?? padded.startIndex)])"
    }

    private func note(_ failure: String?) {
        guard failure != lastError else { return }
        lastError = failure
        if let failure {
            logger.error("a server's targets cannot be taken; the last ones stay", metadata: ["error": "\(failure)"])
        } else {
            logger.notice("a server's targets can be taken again", metadata: ["url": "\(name)"])
        }
    }
}
