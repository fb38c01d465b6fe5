//
// MetricSeries.swift: one counted series, written from anywhere and read at the scrape.
//

import CoreMetrics
import Synchronization

/// What the registry keeps per series.
protocol MetricSeries: AnyObject, Sendable {
    var name: String { get }
    var labels: [MetricLabel] { get }
    /// Nil until the first value.
    var sample: MetricSample? { get }
}

/// A counter or a gauge: one number, changed without a lock.
package final class NumberSeries: MetricSeries {
    let name: String
    let labels: [MetricLabel]
    /// Bit pattern of the value; a gauge that was never set holds ``neverSet``.
    private let bits: Atomic<UInt64>

    /// A NaN that no arithmetic yields.
    private static let neverSet = Double(nan: 0x7465, signaling: false).bitPattern

    init(name: String, labels: [MetricLabel], kind: MetricKind) {
        self.name = name
        self.labels = labels
        bits = Atomic(kind == .counter ? 0 : Self.neverSet)
    }

    var sample: MetricSample? {
        let bits = bits.load(ordering: .relaxed)
        return bits == Self.neverSet ? nil : MetricSample(labels, Double(bitPattern: bits))
    }

    package func set(to value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }

    package func add(_ amount: Double) {
        var current = bits.load(ordering: .relaxed)
        while true {
            let value = current == Self.neverSet ? 0 : Double(bitPattern: current)
            let (exchanged, original) = bits.weakCompareExchange(
                expected: current, desired: (value + amount).bitPattern, ordering: .relaxed)
            if exchanged { return }
            current = original
        }
    }
}

extension NumberSeries: CounterHandler, FloatingPointCounterHandler {
    package func increment(by amount: Int64) { add(Double(amount)) }
    package func increment(by amount: Double) { add(amount) }
    package func reset() { set(to: 0) }
}

extension NumberSeries: RecorderHandler, MeterHandler {
    package func record(_ value: Int64) { set(to: Double(value)) }
    package func record(_ value: Double) { set(to: value) }
    package func set(_ value: Int64) { set(to: Double(value)) }
    package func set(_ value: Double) { set(to: value) }
    package func decrement(by amount: Double) { add(-amount) }
}

/// A histogram. A timer's observations are seconds.
package final class HistogramSeries: MetricSeries {
    let name: String
    let labels: [MetricLabel]
    private let value: Mutex<HistogramValue>

    init(name: String, labels: [MetricLabel], bounds: [Double]) {
        self.name = name
        self.labels = labels
        value = Mutex(HistogramValue(bounds: bounds))
    }

    var sample: MetricSample? { MetricSample(labels, value.withLock { $0 }) }

    package func observe(_ observation: Double) { value.withLock { $0.observe(observation) } }
}

extension HistogramSeries: RecorderHandler, TimerHandler {
    package func record(_ value: Int64) { observe(Double(value)) }
    package func record(_ value: Double) { observe(value) }
    package func recordNanoseconds(_ duration: Int64) { observe(Double(duration) / 1e9) }
    package func preferDisplayUnit(_ unit: TimeUnit) {}
}
