//
// MetricsText.swift: writes metric families in the Prometheus text format 0.0.4.
//
// Families are sorted by name and series by their labels, so that two scrapes differ only where values do.
//

/// Prometheus text exposition.
package enum MetricsText {
    package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// Families of the same name are joined when they are of one kind; a second kind under a name would make a scraper
    /// refuse the whole text, so its series are left out.
    package static func render(_ families: [MetricFamily]) -> [UInt8] {
        var output: [UInt8] = []
        var joined: [String: MetricFamily] = [:]
        for family in families where !family.samples.isEmpty {
            guard let known = joined[family.name] else {
                joined[family.name] = family
                continue
            }
            if known.kind == family.kind { joined[family.name]?.samples += family.samples }
        }
        for name in joined.keys.sorted() {
            if let family = joined[name] { append(family, to: &output) }
        }
        return output
    }

    private static func append(_ family: MetricFamily, to output: inout [UInt8]) {
        output += "# HELP \(family.name) ".utf8
        appendEscaped(family.help, quotes: false, to: &output)
        output += "\n# TYPE \(family.name) \(family.kind.rawValue)\n".utf8
        let series = family.samples.map { (labels: labelText($0.labels), value: $0.value) }
        for (labels, value) in series.sorted(by: { $0.labels.lexicographicallyPrecedes($1.labels) }) {
            switch value {
            case .number(let number): appendLine(family.name, "", labels, number, to: &output)
            case .histogram(let histogram): append(histogram, family.name, labels, to: &output)
            }
        }
    }

    private static func append(
        _ histogram: HistogramValue, _ name: String, _ labels: [UInt8], to output: inout [UInt8]
    ) {
        var below: UInt64 = 0
        for (bound, count) in zip(histogram.bounds + [.infinity], histogram.counts) {
            below += count
            let separator = labels.isEmpty ? "" : ","
            let bucketLabels = labels + "\(separator)le=\"\(numberText(bound))\"".utf8
            appendLine(name, "_bucket", bucketLabels, Double(below), to: &output)
        }
        appendLine(name, "_sum", labels, histogram.sum, to: &output)
        appendLine(name, "_count", labels, Double(below), to: &output)
    }

    private static func appendLine(
        _ name: String, _ suffix: String, _ labels: [UInt8], _ value: Double, to output: inout [UInt8]
    ) {
        output += name.utf8
        output += suffix.utf8
        if !labels.isEmpty {
            output.append(UInt8(ascii: "{"))
            output += labels
            output.append(UInt8(ascii: "}"))
        }
        output.append(UInt8(ascii: " "))
        output += numberText(value).utf8
        output.append(UInt8(ascii: "\n"))
    }

    private static func labelText(_ labels: [MetricLabel]) -> [UInt8] {
        var text: [UInt8] = []
        for label in labels.sorted(by: { $0.name < $1.name }) {
            if !text.isEmpty { text.append(UInt8(ascii: ",")) }
            text += label.name.utf8
            text += #"=""#.utf8
            appendEscaped(label.value, quotes: true, to: &text)
            text.append(UInt8(ascii: "\""))
        }
        return text
    }

    private static func appendEscaped(_ text: String, quotes: Bool, to output: inout [UInt8]) {
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\\"): output += #"\\"#.utf8
            case UInt8(ascii: "\n"): output += #"\n"#.utf8
            case UInt8(ascii: "\"") where quotes: output += #"\""#.utf8
            default: output.append(byte)
            }
        }
    }

    private static func numberText(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        if let whole = Int64(exactly: value) { return String(whole) }
        return "\(value)"
    }
}
