//
// MetricsRegistryTests.swift
//

import CoreMetrics
import Metrics
import Synchronization
import Telemetry
import Testing

/// Goal: what a scraper reads is exactly what was counted, in an order that does not change.
///
/// Method: series made by hand and through swift-metrics; the whole text is compared.
@Suite struct MetricsRegistryTests {
    private func text(_ registry: MetricsRegistry) -> String {
        String(decoding: registry.exposition(), as: UTF8.self)
    }

    @Test func countersAndGaugesAreSortedByNameAndLabels() {
        let registry = MetricsRegistry(descriptions: [MetricDescription("b_total", help: "Second.")])
        registry.counter("b_total", [MetricLabel("zone", "z"), MetricLabel("job", "b")]).add(2)
        registry.counter("b_total", [MetricLabel("job", "a")]).add(0.5)
        registry.gauge("a_bytes").set(to: 1e10)
        #expect(
            text(registry) == """
                # HELP a_bytes a_bytes
                # TYPE a_bytes gauge
                a_bytes 10000000000
                # HELP b_total Second.
                # TYPE b_total counter
                b_total{job="a"} 0.5
                b_total{job="b",zone="z"} 2

                """)
    }

    @Test func histogramBucketsAreCumulativeAndEndInInfinity() {
        let registry = MetricsRegistry(
            descriptions: [MetricDescription("t_seconds", help: "Time.", bounds: [0.5, 1])])
        let histogram = registry.histogram("t_seconds", [MetricLabel("m", "x")])
        for value in [0.25, 0.5, 0.75, 7] { histogram.observe(value) }
        #expect(
            text(registry) == """
                # HELP t_seconds Time.
                # TYPE t_seconds histogram
                t_seconds_bucket{m="x",le="0.5"} 2
                t_seconds_bucket{m="x",le="1"} 3
                t_seconds_bucket{m="x",le="+Inf"} 4
                t_seconds_sum{m="x"} 8.5
                t_seconds_count{m="x"} 4

                """)
    }

    @Test func labelValuesAndHelpAreEscaped() {
        let registry = MetricsRegistry(descriptions: [MetricDescription("g", help: "a\\b\n\"c\"")])
        registry.gauge("g", [MetricLabel("l", "q\"\\\nü")]).set(to: -.infinity)
        #expect(
            text(registry) == """
                # HELP g a\\\\b\\n"c"
                # TYPE g gauge
                g{l="q\\"\\\\\\nü"} -Inf

                """)
    }

    @Test func removedSeriesAreGone() {
        let registry = MetricsRegistry()
        let gone = MetricLabel("job_name", "gone")
        registry.gauge("targets", [gone]).set(to: 3)
        registry.gauge("targets", [MetricLabel("job_name", "kept")]).set(to: 4)
        registry.counter("events_total", [gone, MetricLabel("source", "s")]).add(1)
        registry.removeSeries(of: "targets", with: gone)
        #expect(text(registry).contains("events_total{job_name=\"gone\",source=\"s\"} 1"))
        #expect(!text(registry).contains("targets{job_name=\"gone\"}"))
        registry.removeSeries(with: gone)
        #expect(text(registry) == "# HELP targets targets\n# TYPE targets gauge\ntargets{job_name=\"kept\"} 4\n")
    }

    @Test func gaugesAppearWithTheirFirstValue() {
        let registry = MetricsRegistry()
        let gauge = registry.gauge("g")
        #expect(text(registry) == "")
        gauge.add(2)
        #expect(text(registry).hasSuffix("\ng 2\n"))
    }

    @Test func constantLabelsStandOnEverySeries() {
        let registry = MetricsRegistry(
            descriptions: [MetricDescription("g", help: "G.", constantLabels: [MetricLabel("scope", "s")])])
        registry.gauge("g", [MetricLabel("a", "1")]).set(to: 1)
        #expect(registry.gauge("g", [MetricLabel("a", "1")]) === registry.gauge("g", [MetricLabel("a", "1")]))
        #expect(text(registry).hasSuffix("g{a=\"1\",scope=\"s\"} 1\n"))
    }

    @Test func sourcesAreReadAtTheScrape() {
        final class Source: MetricsSource {
            let value = Mutex(1.0)
            func families() -> [MetricFamily] {
                [MetricFamily("s", .gauge, help: "S.", [MetricSample([], value.withLock { $0 })])]
            }
        }
        let registry = MetricsRegistry()
        let source = Source()
        registry.add(source)
        #expect(text(registry).hasSuffix("s 1\n"))
        source.value.withLock { $0 = 2 }
        #expect(text(registry).hasSuffix("s 2\n"))
    }

    @Test func swiftMetricsWritesHere() {
        let registry = MetricsRegistry(descriptions: [MetricDescription("d_seconds", help: "D.", bounds: [1])])
        let counter = Counter(label: "http.requests-total", dimensions: [("status-code", "200")], factory: registry)
        counter.increment(by: 3)
        Timer(label: "d_seconds", factory: registry).recordNanoseconds(1_500_000_000)
        Gauge(label: "g", factory: registry).record(7)
        let meter = Meter(label: "m", factory: registry)
        meter.increment(by: 5)
        meter.decrement(by: 1)
        let all = text(registry)
        #expect(all.contains("http_requests_total{status_code=\"200\"} 3\n"))
        #expect(all.contains("d_seconds_bucket{le=\"1\"} 0\nd_seconds_bucket{le=\"+Inf\"} 1\nd_seconds_sum 1.5\n"))
        #expect(all.contains("\ng 7\n") && all.contains("\nm 4\n"))
        counter.destroy()
        #expect(!text(registry).contains("http_requests_total"))
    }

    @Test func destroyingAnOldHandlerKeepsItsSuccessor() {
        let registry = MetricsRegistry()
        let old = Gauge(label: "g", factory: registry)
        old.record(1)
        old.destroy()
        Gauge(label: "g", factory: registry).record(2)
        old.destroy()
        #expect(text(registry).hasSuffix("\ng 2\n"))
    }

    @Test func concurrentIncrementsAreAllCounted() async {
        let registry = MetricsRegistry()
        await withTaskGroup { group in
            for _ in 0..<8 {
                group.addTask { for _ in 0..<10_000 { registry.counter("c_total").add(1) } }
            }
        }
        #expect(text(registry).hasSuffix("c_total 80000\n"))
    }

    @Test func processMetricsAreThere() {
        let families = Dictionary(uniqueKeysWithValues: ProcessMetrics().families().map { ($0.name, $0) })
        func value(_ name: String) -> Double? {
            guard case .number(let number) = families[name]?.samples.first?.value else { return nil }
            return number
        }
        #expect((value("process_resident_memory_bytes") ?? 0) > 1e6)
        #expect((value("process_open_fds") ?? 0) >= 3)
        #expect((value("process_cpu_seconds_total") ?? -1) >= 0)
        let start = value("process_start_time_seconds") ?? 0
        #expect(abs(start - Double(UTCTime.now().secondsSince1970)) < 86_400)
    }
}
