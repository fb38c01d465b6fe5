//
// MetricsRegistry+Factory.swift: the registry as swift-metrics' backend.
//

import CoreMetrics

extension MetricsRegistry: MetricsFactory {
    package func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        counter(Self.name(label), Self.labels(dimensions))
    }

    package func makeFloatingPointCounter(
        label: String, dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        counter(Self.name(label), Self.labels(dimensions))
    }

    package func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        gauge(Self.name(label), Self.labels(dimensions))
    }

    package func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        if aggregate { return histogram(Self.name(label), Self.labels(dimensions)) }
        return gauge(Self.name(label), Self.labels(dimensions))
    }

    package func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        histogram(Self.name(label), Self.labels(dimensions))
    }

    package func destroyCounter(_ handler: any CounterHandler) { destroy(handler) }
    package func destroyMeter(_ handler: any MeterHandler) { destroy(handler) }
    package func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) { destroy(handler) }
    package func destroyRecorder(_ handler: any RecorderHandler) { destroy(handler) }
    package func destroyTimer(_ handler: any TimerHandler) { destroy(handler) }

    private func destroy(_ handler: any AnyObject) {
        if let series = handler as? any MetricSeries { remove(series) }
    }

    private static func labels(_ dimensions: [(String, String)]) -> [MetricLabel] {
        dimensions.map { MetricLabel(name($0.0, allowsColon: false), $0.1) }
    }

    /// Libraries name metrics with dots and dashes; Prometheus takes letters, digits, `_` and, in metric names, `:`.
    private static func name(_ text: String, allowsColon: Bool = true) -> String {
        var name = ""
        for character in text.unicodeScalars {
            let isLetter = ("a"..."z").contains(character) || ("A"..."Z").contains(character) || character == "_"
            let isLaterOnly = ("0"..."9").contains(character) && !name.isEmpty
            let isPlain = isLetter || isLaterOnly || (character == ":" && allowsColon)
            name.unicodeScalars.append(isPlain ? character : "_")
        }
        return name
    }
}
