//
// ScrapeConfigVectors.swift: the cases of Fixtures/scrape-config.json, made by running the loader of Prometheus v3.14.
//

import Foundation
import Testing

@testable import PrometheusConfig

/// One configuration with what Prometheus makes of it.
struct ScrapeConfigVector: Sendable, CustomTestStringConvertible {
    var name: String
    var yaml: String
    /// The jobs as JSON with sorted keys; nil when the configuration is refused.
    var expected: String?
    var error: String?
    var configDirectory: String?
    var secrets: SecretRendering

    var testDescription: String { name }

    /// Cases that are not compared, each with its reason.
    static let differences = [
        "http sd": "needs eureka_sd_configs, a mechanism that is not supported yet; refusal is tested by name"
    ]

    static let all: [ScrapeConfigVector] = load()
    static var accepted: [ScrapeConfigVector] { compared.filter { $0.error == nil } }
    static var refused: [ScrapeConfigVector] { compared.filter { $0.error != nil } }
    private static var compared: [ScrapeConfigVector] { all.filter { differences[$0.name] == nil } }

    private static func load() -> [ScrapeConfigVector] {
        guard
            let url = Bundle.module.url(forResource: "scrape-config", withExtension: "json", subdirectory: "Fixtures"),
            let data = try? Data(contentsOf: url),
            let cases = try? JSONSerialization.jsonObject(with: data) as? [[String: Any]]
        else { return [] }
        return cases.compactMap { item in
            guard let name = item["name"] as? String, let yaml = item["yaml"] as? String else { return nil }
            return ScrapeConfigVector(
                name: name, yaml: yaml, expected: item["expected"].map(sortedJSON), error: item["error"] as? String,
                configDirectory: item["config_dir"] as? String,
                secrets: item["reveal_secrets"] as? Bool == true ? .clear : .redacted)
        }
    }
}

/// A JSON value as text that is equal for equal values.
func sortedJSON(_ value: Any) -> String {
    guard let data = try? JSONSerialization.data(withJSONObject: value, options: [.sortedKeys, .fragmentsAllowed])
    else {
        return "not JSON"
    }
    return String(decoding: data, as: UTF8.self)
}

func sortedJSON(_ bytes: [UInt8]) throws -> String {
    sortedJSON(try JSONSerialization.jsonObject(with: Data(bytes), options: [.fragmentsAllowed]))
}
