import PrometheusConfig
import Testing

/// Goal: a rule is accepted or refused, and with the same words, as Prometheus 3.14 does.
///
/// Method: every rule of relabel-validation.json, which was run through Prometheus, under both name schemes.
@Suite struct RelabelConfigTests {
    struct Case: Decodable, Sendable, CustomTestStringConvertible {
        var name: String
        var relabel_config: RelabelRuleVector
        var valid_utf8: Bool
        var valid_legacy: Bool
        var message_3_14: String

        var testDescription: String { name }
    }

    static let cases: [Case] = RelabelFixture.cases("relabel-validation")

    /// What a rule cannot even be read with; the reader of the configuration refuses these.
    static let refusedByTheReader: Set<String> = ["unknown-field", "modulus-negative"]

    @Test("All 49 rules are here")
    func count() {
        #expect(Self.cases.count == 49)
    }

    @Test("Accepted and refused as Prometheus does", arguments: cases)
    func accepts(_ vector: Case) throws {
        let utf8 = outcome(vector, .utf8)
        let legacy = outcome(vector, .legacy)
        if Self.refusedByTheReader.contains(vector.name) {
            #expect(!vector.valid_utf8 && !vector.valid_legacy)
            #expect(try vector.relabel_config.config() == nil)
            return
        }
        #expect((utf8 == nil) == vector.valid_utf8, "utf8: \(utf8 ?? "accepted")")
        #expect((legacy == nil) == vector.valid_legacy, "legacy: \(legacy ?? "accepted")")
        if !vector.message_3_14.isEmpty { #expect((utf8 ?? legacy) == vector.message_3_14) }
    }

    /// Nil: accepted.
    private func outcome(_ vector: Case, _ scheme: NameValidationScheme) -> String? {
        do {
            try vector.relabel_config.config()?.validate(scheme: scheme)
            return nil
        } catch {
            return error.description
        }
    }
}
