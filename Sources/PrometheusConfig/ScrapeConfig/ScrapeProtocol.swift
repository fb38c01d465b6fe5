//
// ScrapeProtocol.swift: the formats a scrape may ask for, and how a list of them is checked.
//

/// An exposition format, by the name it has in `scrape_protocols`.
package enum ScrapeProtocol: String, Sendable, CaseIterable {
    case openMetricsText001 = "OpenMetricsText0.0.1"
    case openMetricsText100 = "OpenMetricsText1.0.0"
    case prometheusProto = "PrometheusProto"
    case prometheusText004 = "PrometheusText0.0.4"
    case prometheusText100 = "PrometheusText1.0.0"

    /// The media type that an `Accept` header names.
    package var mediaType: String {
        switch self {
        case .prometheusProto:
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
        case .prometheusText004: "text/plain;version=0.0.4"
        case .prometheusText100: "text/plain;version=1.0.0"
        case .openMetricsText001: "application/openmetrics-text;version=0.0.1"
        case .openMetricsText100: "application/openmetrics-text;version=1.0.0"
        }
    }

    /// What a job asks for that names nothing itself.
    package static func defaults(nativeHistograms: Bool) -> [ScrapeProtocol] {
        let texts: [ScrapeProtocol] = [
            .openMetricsText100, .openMetricsText001, .prometheusText100, .prometheusText004,
        ]
        return nativeHistograms ? [.prometheusProto] + texts : texts
    }

    /// - Throws: ``ValueError`` that lists the names there are.
    package init(parsing name: String) throws(ValueError) {
        guard let known = ScrapeProtocol(rawValue: name) else {
            let all = Self.allCases.map(\.rawValue).joined(separator: " ")
            throw ValueError("unknown scrape protocol \(name), supported: [\(all)]")
        }
        self = known
    }

    /// Reads a list, which must not be empty or name a format twice in any letter case.
    ///
    /// - Throws: ``ValueError`` with Prometheus' message, which ends before `for …`.
    package static func list(_ names: [String]) throws(ValueError) -> [ScrapeProtocol] {
        if names.isEmpty { throw ValueError("scrape_protocols cannot be empty") }
        var seen: Set<String> = []
        var protocols: [ScrapeProtocol] = []
        for name in names {
            guard seen.insert(name.lowercased()).inserted else {
                throw ValueError("duplicated protocol in scrape_protocols, got [\(names.joined(separator: " "))]")
            }
            do throws(ValueError) {
                protocols.append(try ScrapeProtocol(parsing: name))
            } catch {
                throw ValueError("scrape_protocols: \(error.description)")
            }
        }
        return protocols
    }
}
