import Foundation
import Testing

@testable import PrometheusConfig

/// Goal: every configuration is accepted or refused as Prometheus v3.14 does, and written as it writes it.
///
/// Method: the table in Fixtures/scrape-config.json; JSON is compared as values, except for the order of keys.
@Suite struct ScrapeConfigVectorTests {
    @Test("The whole table is read")
    func count() {
        #expect(ScrapeConfigVector.all.count == 213)
        #expect(ScrapeConfigVector.accepted.count + ScrapeConfigVector.refused.count == 212)
    }

    @Test("Accepted as Prometheus accepts it", arguments: ScrapeConfigVector.accepted)
    func accepted(vector: ScrapeConfigVector) throws {
        var configuration = try PrometheusConfiguration.decode(yaml: vector.yaml, file: "prometheus.yml")
        if let directory = vector.configDirectory { configuration.resolvePaths(relativeTo: directory) }
        let json = configuration.scrapeConfigsJSON(vector.secrets)
        #expect(try sortedJSON(json) == vector.expected)
        #expect(configuration.warnings.allSatisfy { $0.problem.contains("scrape_config_files") })
        #expect(unsortedKeys(in: json) == [])
    }

    @Test("Refused with Prometheus' message", arguments: ScrapeConfigVector.refused)
    func refused(vector: ScrapeConfigVector) throws {
        let expected = try #require(vector.error)
        let error = try #require(throws: ConfigurationError.self) {
            try PrometheusConfiguration.decode(yaml: vector.yaml, file: "prometheus.yml")
        }
        guard expected.hasPrefix("yaml: unmarshal errors:") else {
            #expect(error.problem == expected)
            #expect(error.location.mark != nil)
            return
        }
        let faults = ([error] + error.others).map { "\($0.location.mark?.line ?? 0) \($0.kind)" }
        #expect(faults == expected.split(separator: "\n").dropFirst().map { fault(of: String($0)) })
    }

    /// An empty value that was written is left out of the answer and reads back as the default.
    private static let changedByRoundTrip: Set = [
        "null scheme", "null metrics_path", "path empty", "http sd null refresh",
    ]

    @Test("What is written loads again to the same")
    func roundTrip() throws {
        for vector in ScrapeConfigVector.accepted where vector.configDirectory == nil {
            if Self.changedByRoundTrip.contains(vector.name) { continue }
            let first = try PrometheusConfiguration.decode(yaml: vector.yaml, file: "a")
            let jobs = first.scrapeConfigs.map { String(decoding: $0.canonicalJSON(.clear), as: UTF8.self) }
            let second = try PrometheusConfiguration.decode(
                yaml: "scrape_configs: [\(jobs.joined(separator: ", "))]", file: "b")
            #expect(second.scrapeConfigsJSON(.clear) == first.scrapeConfigsJSON(.clear), "\(vector.name)")
        }
    }

    /// `  line 3: field foo not found in type config.ScrapeConfig` as line and kind.
    private func fault(of line: String) -> String {
        let words = line.split(separator: " ").map(String.init)
        let number = words[1].dropLast()
        let name = words[3].trimmingCharacters(in: CharacterSet(charactersIn: "\""))
        let kind: ConfigurationError.Kind =
            if line.contains("not found in type") {
                .unknownKey(name)
            } else if line.contains("already set in") {
                .repeatedKey(name)
            } else {
                .wrongType
            }
        return "\(number) \(kind)"
    }
}

/// Keys that do not sort after the key before them in the same object. JSON without white space and without escapes in
/// keys.
func unsortedKeys(in json: [UInt8]) -> [String] {
    var wrong: [String] = []
    var last: [[UInt8]] = []
    var index = 0
    while index < json.count {
        switch json[index] {
        case UInt8(ascii: "{"): last.append([])
        case UInt8(ascii: "}"): last.removeLast()
        case UInt8(ascii: "\""):
            var end = index + 1
            while json[end] != UInt8(ascii: "\"") { end += json[end] == UInt8(ascii: "\\") ? 2 : 1 }
            if end + 1 < json.count, json[end + 1] == UInt8(ascii: ":"), let previous = last.last {
                let key = Array(json[(index + 1)..<end])
                if !previous.isEmpty, !previous.lexicographicallyPrecedes(key) {
                    wrong.append(String(decoding: key, as: UTF8.self))
                }
                last[last.count - 1] = key
            }
            index = end
        default: break
        }
        index += 1
    }
    return wrong
}
