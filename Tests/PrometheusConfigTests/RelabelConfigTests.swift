import Foundation
import PrometheusConfig
import Testing

/// Goal: a rule is accepted or refused, and with the same words, as Prometheus 3.14 does.
///
/// Method: every rule of relabel-validation.json, which was run through Prometheus, under both name schemes: as a rule of
/// a job in a whole configuration, which is YAML since JSON is, and by itself.
@Suite struct RelabelConfigTests {
    struct Case: Decodable, Sendable, CustomTestStringConvertible {
        var name: String
        var validUTF8: Bool
        var validLegacy: Bool
        var message: String
        var rule: RelabelRuleVector

        private enum CodingKeys: String, CodingKey {
            case name
            case validUTF8 = "valid_utf8"
            case validLegacy = "valid_legacy"
            case message = "message_3_14"
            case rule = "relabel_config"
        }

        var testDescription: String { name }
    }

    static let cases: [Case] = RelabelFixture.cases("relabel-validation")

    /// The two whose fault is in the reading. Prometheus' message is its YAML library's, which counts lines of the file
    /// it was given; ours names the field (see YAMLReadingTests).
    static let messageIsTheReaders: Set<String> = ["unknown-field", "modulus-negative"]

    @Test("All 49 rules are here")
    func count() {
        #expect(Self.cases.count == 49)
    }

    @Test("As a rule of a configuration", arguments: cases)
    func inConfiguration(_ vector: Case) throws {
        let raw = try Self.rawRules()[vector.name].map { try JSONSerialization.data(withJSONObject: $0) }
        let rule = String(decoding: try #require(raw), as: UTF8.self)
        let utf8 = Self.problem(rule, scheme: "utf8")
        let legacy = Self.problem(rule, scheme: "legacy")
        #expect((utf8 == nil) == vector.validUTF8, "utf8: \(utf8 ?? "accepted")")
        #expect((legacy == nil) == vector.validLegacy, "legacy: \(legacy ?? "accepted")")
        if !vector.message.isEmpty, !Self.messageIsTheReaders.contains(vector.name) {
            #expect((utf8 ?? legacy) == vector.message)
        }
    }

    @Test("By itself", arguments: cases)
    func byItself(_ vector: Case) throws {
        let utf8 = outcome(vector, .utf8)
        let legacy = outcome(vector, .legacy)
        if Self.messageIsTheReaders.contains(vector.name) { return }
        #expect((utf8 == nil) == vector.validUTF8, "utf8: \(utf8 ?? "accepted")")
        #expect((legacy == nil) == vector.validLegacy, "legacy: \(legacy ?? "accepted")")
        if !vector.message.isEmpty { #expect((utf8 ?? legacy) == vector.message) }
    }

    /// The rules as they stand in the file.
    private static func rawRules() throws -> [String: Any] {
        let cases = try JSONSerialization.jsonObject(with: RelabelFixture.data("relabel-validation"))
        return try #require(cases as? [[String: Any]]).reduce(into: [:]) { rules, vector in
            if let name = vector["name"] as? String { rules[name] = vector["relabel_config"] }
        }
    }

    /// Nil: accepted.
    private static func problem(_ rule: String, scheme: String) -> String? {
        let yaml = """
            scrape_configs:
            - job_name: j
              metric_name_validation_scheme: \(scheme)
              relabel_configs:
              - \(rule)
            """
        do {
            _ = try PrometheusConfiguration.decode(yaml: yaml, file: "f.yaml")
            return nil
        } catch {
            return error.problem
        }
    }

    /// Nil: accepted.
    private func outcome(_ vector: Case, _ scheme: NameValidationScheme) -> String? {
        do {
            try vector.rule.config()?.validate(scheme: scheme)
            return nil
        } catch {
            return error.description
        }
    }
}
