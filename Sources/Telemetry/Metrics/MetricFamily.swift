//
// MetricFamily.swift: metrics as they are exposed, whoever counted them.
//
// Shapes after the Prometheus text format 0.0.4.
//

/// One label of a series. Its name must match `[a-zA-Z_][a-zA-Z0-9_]*`.
package struct MetricLabel: Hashable, Sendable {
    package let name: String
    package let value: String

    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

package enum MetricKind: String, Sendable, Hashable {
    case counter, gauge, histogram
}

/// Observations by size.
package struct HistogramValue: Sendable, Hashable {
    /// Upper bounds of the buckets, ascending, without the last one, which is infinite.
    package let bounds: [Double]
    /// Observations per bucket, not cumulative; one more than `bounds`.
    package private(set) var counts: [UInt64]
    package private(set) var sum: Double

    package init(bounds: [Double]) {
        precondition(zip(bounds, bounds.dropFirst()).allSatisfy(<), "bucket bounds must ascend: \(bounds)")
        self.bounds = bounds
        counts = Array(repeating: 0, count: bounds.count + 1)
        sum = 0
    }

    package var count: UInt64 { counts.reduce(0, +) }

    /// Counts one observation in the first bucket whose bound is not below it.
    package mutating func observe(_ value: Double) {
        counts[bounds.firstIndex { value <= $0 } ?? bounds.count] += 1
        sum += value
    }

    /// Adds what was counted elsewhere with the same bounds.
    package mutating func add(_ other: HistogramValue) {
        precondition(bounds == other.bounds, "histograms with different bounds cannot be added")
        for index in counts.indices { counts[index] += other.counts[index] }
        sum += other.sum
    }
}

/// One series at the instant of a scrape.
package struct MetricSample: Sendable {
    package enum Value: Sendable {
        case number(Double)
        case histogram(HistogramValue)
    }

    /// In any order; written sorted by name.
    package let labels: [MetricLabel]
    package let value: Value

    package init(_ labels: [MetricLabel] = [], _ value: Double) {
        self.labels = labels
        self.value = .number(value)
    }

    package init(_ labels: [MetricLabel] = [], _ value: HistogramValue) {
        self.labels = labels
        self.value = .histogram(value)
    }
}

/// All series of one name.
package struct MetricFamily: Sendable {
    package let name: String
    package let kind: MetricKind
    package let help: String
    package var samples: [MetricSample]

    package init(_ name: String, _ kind: MetricKind, help: String, _ samples: [MetricSample]) {
        self.name = name
        self.kind = kind
        self.help = help
        self.samples = samples
    }
}

/// Something whose metrics are read at the scrape instead of being pushed beforehand, so that series vanish with what
/// they describe.
package protocol MetricsSource: Sendable {
    func families() -> [MetricFamily]
}
