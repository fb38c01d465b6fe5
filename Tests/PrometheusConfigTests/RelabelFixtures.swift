//
// RelabelFixtures.swift: reads the vectors about relabeling into the product's own types.
//

import Foundation
import PrometheusConfig

/// Vector files of this test target.
enum RelabelFixture {
    /// A file's bytes. A missing one is a fault of the checkout, so it stops the run.
    static func data(_ name: String) -> Data {
        guard let file = Bundle.module.url(forResource: name, withExtension: "json", subdirectory: "Fixtures"),
            let data = try? Data(contentsOf: file)
        else { preconditionFailure("no fixture \(name).json") }
        return data
    }

    /// All cases of a file; a malformed one stops the run as well.
    static func cases<Case: Decodable>(_ name: String) -> [Case] {
        do {
            return try JSONDecoder().decode([Case].self, from: data(name))
        } catch {
            preconditionFailure("fixture \(name).json: \(error)")
        }
    }
}

/// One rule as a vector writes it: what is absent takes its default, a null is the empty text.
struct RelabelRuleVector: Decodable, Sendable {
    var action: String?
    var sourceLabels: [String]?
    var separator: String?
    var hasRegex: Bool
    var regex: String?
    var modulus: Int128?
    var targetLabel: String?
    var replacement: String?
    var unknownFields: [String]

    private struct Key: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    private static let known = [
        "action", "source_labels", "separator", "regex", "modulus", "target_label", "replacement",
    ]

    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: Key.self)
        func text(_ name: String) throws -> String? {
            try fields.decodeIfPresent(String.self, forKey: Key(stringValue: name))
        }
        action = try text("action")
        sourceLabels = try fields.decodeIfPresent([String].self, forKey: Key(stringValue: "source_labels"))
        separator = try text("separator")
        hasRegex = fields.contains(Key(stringValue: "regex"))
        regex = try text("regex")
        // UInt64's whole range and negative numbers, of which JSONDecoder reads either.
        if let unsigned = try? fields.decodeIfPresent(UInt64.self, forKey: Key(stringValue: "modulus")) {
            modulus = Int128(unsigned)
        } else if let signed = try fields.decodeIfPresent(Int64.self, forKey: Key(stringValue: "modulus")) {
            modulus = Int128(signed)
        }
        targetLabel = try text("target_label")
        replacement = try text("replacement")
        unknownFields = fields.allKeys.map(\.stringValue).filter { !Self.known.contains($0) }
    }

    /// Nil where only a reader of the configuration can refuse the rule: a field that does not exist, or a modulus below 0.
    func config() throws(RelabelConfigError) -> RelabelConfig? {
        guard unknownFields.isEmpty, (modulus ?? 0) >= 0 else { return nil }
        var rule = RelabelConfig(sourceLabels: sourceLabels ?? [], sourceLabelsWritten: sourceLabels != nil)
        if let action { rule.action = try RelabelConfig.Action(parsing: action) }
        if let separator { rule.separator = separator }
        if hasRegex { rule.regex = regex ?? "" }
        if let modulus { rule.modulus = UInt64(modulus) }
        if let targetLabel { rule.targetLabel = targetLabel }
        if let replacement { rule.replacement = replacement }
        return rule
    }
}
