import AllocationCore
import Testing

@testable import PrometheusConfig

/// Goal: rules do to a label set what they do in Prometheus 3.14.
///
/// Method: every case of relabel.json, through the compiled rules and, so that the reference of the property tests is
/// worth comparing to, through that as well.
@Suite struct RelabelVectorTests {
    struct Case: Decodable, Sendable, CustomTestStringConvertible {
        var name: String
        var labels: [String: String]
        var rules: [RelabelRuleVector]
        var expected: [String: String]?
        var validationScheme: String?

        private enum CodingKeys: String, CodingKey {
            case name, labels, expected
            case rules = "relabel_configs"
            case validationScheme = "validation_scheme"
        }

        var testDescription: String { name }
        var scheme: NameValidationScheme { validationScheme.flatMap(NameValidationScheme.init) ?? .utf8 }
    }

    static let cases: [Case] = RelabelFixture.cases("relabel")

    @Test("All 117 cases are here")
    func count() {
        #expect(Self.cases.count == 117)
    }

    @Test("Compiled rules", arguments: cases)
    func compiled(_ vector: Case) throws {
        let rules = try vector.rules.compactMap { try $0.config() }
        #expect(rules.count == vector.rules.count)
        let table = LabelTable()
        let relabeling = try CompiledRelabeling(rules, scheme: vector.scheme, table: table)
        let labels = LabelSet(vector.labels, in: table)
        var scratch = RelabelScratch()
        let droppedBy = relabeling.run(on: labels, scratch: &scratch)
        let result = scratch.labels(over: labels, in: table)
        #expect((droppedBy == nil) == (vector.expected != nil))
        if let expected = vector.expected {
            #expect(Dictionary(uniqueKeysWithValues: result.map { ($0.name, $0.value) }) == expected)
        }
    }

    @Test("The tests' reference", arguments: cases)
    func reference(_ vector: Case) throws {
        let rules = try vector.rules.compactMap { try $0.config() }
        var reference = ReferenceLabels(vector.labels)
        let isKept = try reference.run(rules, scheme: vector.scheme)
        #expect(isKept == (vector.expected != nil))
        if let expected = vector.expected {
            #expect(Dictionary(uniqueKeysWithValues: reference.labels.map { ($0.name, $0.value) }) == expected)
        }
    }
}
