//
// HTTPMetrics.swift: how long requests took, counted without one thread waiting for another.
//
// Each event loop counts into an accumulator of its own, whose lock nobody else takes except the scrape. Requests that
// the router answers share one more.
//

import NIOCore
import Synchronization
import Telemetry

/// `opentelemetry_allocator_http_duration_seconds`.
package final class HTTPMetrics: MetricsSource {
    /// Counts of one event loop.
    final class Accumulator: Sendable {
        private let durations: Mutex<[HistogramValue]>

        init() {
            durations = Mutex(
                RoutePattern.allCases.map { _ in HistogramValue(bounds: HTTPMetrics.description.bounds) })
        }

        func record(_ route: RoutePattern, _ duration: TimeAmount) {
            durations.withLock { $0[route.index].observe(Double(duration.nanoseconds) / 1e9) }
        }

        fileprivate func add(to total: inout [HistogramValue]) {
            let own = durations.withLock { $0 }
            for index in own.indices { total[index].add(own[index]) }
        }
    }

    static let description = MetricDescription(
        "opentelemetry_allocator_http_duration_seconds",
        help: "Time from a request's head to its answer's end, by route.",
        bounds: [0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5])

    /// Shared by the requests that the router answers.
    let routed = Accumulator()
    private let perLoop = Mutex<[ObjectIdentifier: Accumulator]>([:])

    package init() {}

    /// The accumulator of an event loop.
    func accumulator(of eventLoop: any EventLoop) -> Accumulator {
        perLoop.withLock { accumulators in
            let key = ObjectIdentifier(eventLoop)
            if let known = accumulators[key] { return known }
            let made = Accumulator()
            accumulators[key] = made
            return made
        }
    }

    package func families() -> [MetricFamily] {
        var total = RoutePattern.allCases.map { _ in HistogramValue(bounds: Self.description.bounds) }
        for accumulator in perLoop.withLock({ Array($0.values) }) + [routed] { accumulator.add(to: &total) }
        let samples = zip(RoutePattern.allCases, total).filter { $1.count > 0 }.map { route, histogram in
            MetricSample([MetricLabel("path", route.rawValue)] + AllocatorMetrics.scope, histogram)
        }
        return [MetricFamily(Self.description.name, .histogram, help: Self.description.help, samples)]
    }
}

extension RoutePattern {
    fileprivate var index: Int {
        switch self {
        case .none: 0
        case .index: 1
        case .scrapeConfigs: 2
        case .jobs: 3
        case .targets: 4
        case .metrics: 5
        case .livez: 6
        case .readyz: 7
        case .debugJobs: 8
        case .debugJob: 9
        case .debugTargets: 10
        case .debugTarget: 11
        case .debugCollector: 12
        case .debugScrapeConfigs: 13
        case .asset: 14
        }
    }
}
