//
// MetricsRegistry.swift: all metrics of the process, behind swift-metrics and `/metrics`.
//
// Names are Prometheus names as written by whoever counts; a timer's name ends in `_seconds`. A series that is removed
// is gone from the next scrape on, so that a job or collector that left does not stay at its last value.
//

import CoreMetrics
import Synchronization

/// What a metric is, said once and shown with it.
package struct MetricDescription: Sendable {
    package let name: String
    package let help: String
    /// Upper bounds of a histogram's buckets; ignored for other kinds.
    package let bounds: [Double]
    /// Labels that every series of this name has besides its own.
    package let constantLabels: [MetricLabel]

    package init(
        _ name: String, help: String, bounds: [Double] = MetricDescription.secondsBounds,
        constantLabels: [MetricLabel] = []
    ) {
        self.name = name
        self.help = help
        self.bounds = bounds
        self.constantLabels = constantLabels
    }

    /// Buckets for durations from 0.1 ms to 10 s.
    package static let secondsBounds: [Double] = [
        0.0001, 0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
    ]
}

/// Creates, finds, removes and exposes series.
///
/// Invariant: a name has one kind and a set of labels one series; asking again yields the same object until it is
/// removed. A removed series may still be written to; nobody sees it.
package final class MetricsRegistry: Sendable {
    private struct Family {
        let kind: MetricKind
        var series: [Set<MetricLabel>: any MetricSeries] = [:]
    }

    private struct State {
        var descriptions: [String: MetricDescription]
        var families: [String: Family] = [:]
        var sources: [any MetricsSource] = []
    }

    private let state: Mutex<State>

    package init(descriptions: [MetricDescription] = []) {
        state = Mutex(
            State(descriptions: Dictionary(descriptions.map { ($0.name, $0) }, uniquingKeysWith: { _, last in last })))
    }

    /// Says what metrics are. Call before their first series: buckets are fixed when a series is made.
    package func describe(_ descriptions: [MetricDescription]) {
        state.withLock { state in
            for description in descriptions { state.descriptions[description.name] = description }
        }
    }

    /// Adds metrics that are read at each scrape.
    package func add(_ source: any MetricsSource) { state.withLock { $0.sources.append(source) } }

    // MARK: Series

    package func counter(_ name: String, _ labels: [MetricLabel] = []) -> NumberSeries {
        series(name, .counter, labels) { NumberSeries(name: name, labels: $0, kind: .counter) }
    }

    package func gauge(_ name: String, _ labels: [MetricLabel] = []) -> NumberSeries {
        series(name, .gauge, labels) { NumberSeries(name: name, labels: $0, kind: .gauge) }
    }

    package func histogram(_ name: String, _ labels: [MetricLabel] = []) -> HistogramSeries {
        let bounds = state.withLock { $0.descriptions[name]?.bounds } ?? MetricDescription.secondsBounds
        return series(name, .histogram, labels) { HistogramSeries(name: name, labels: $0, bounds: bounds) }
    }

    /// Removes every series that carries `label`, of one name or of all.
    package func removeSeries(of name: String? = nil, with label: MetricLabel) {
        state.withLock { state in
            for family in name.map({ [$0] }) ?? Array(state.families.keys) {
                guard let series = state.families[family]?.series else { continue }
                state.families[family]?.series = series.filter { !$0.key.contains(label) }
            }
        }
    }

    func remove(_ series: any MetricSeries) {
        let key = Set(series.labels)
        state.withLock { state in
            // A handler that outlived its series must not remove the one that took its place.
            guard state.families[series.name]?.series[key] === series else { return }
            state.families[series.name]?.series[key] = nil
        }
    }

    private func series<Series: MetricSeries>(
        _ name: String, _ kind: MetricKind, _ labels: [MetricLabel], make: ([MetricLabel]) -> Series
    ) -> Series {
        state.withLock { state in
            let all = labels + (state.descriptions[name]?.constantLabels ?? [])
            let key = Set(all)
            var family = state.families[name] ?? Family(kind: kind)
            precondition(family.kind == kind, "metric \(name) is a \(family.kind), not a \(kind)")
            if let known = family.series[key] as? Series { return known }
            let made = make(all)
            family.series[key] = made
            state.families[name] = family
            return made
        }
    }

    // MARK: Reading

    /// Everything counted so far, sources included.
    package func families() -> [MetricFamily] {
        // Sources are asked outside the lock: they may count something themselves.
        let (counted, sources) = state.withLock { state in
            let counted = state.families.map { name, family in
                MetricFamily(
                    name, family.kind, help: state.descriptions[name]?.help ?? name,
                    family.series.values.compactMap(\.sample))
            }
            return (counted, state.sources)
        }
        return counted + sources.flatMap { $0.families() }
    }

    /// The body of `/metrics`.
    package func exposition() -> [UInt8] { MetricsText.render(families()) }
}
