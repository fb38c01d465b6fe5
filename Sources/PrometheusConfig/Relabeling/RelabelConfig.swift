//
// RelabelConfig.swift: one relabel rule as it was written, and which label names a job allows.
//
// Field names, defaults and actions are those of Prometheus v3.14, model/relabel. Decoding belongs to the reader of the
// scrape configuration, the checks to RelabelConfig+Validation.swift, running to CompiledRelabeling.
//

/// Which label names relabeling may make: a job's `metric_name_validation_scheme`.
package enum NameValidationScheme: String, Sendable {
    /// Any non-empty text.
    case utf8
    /// `[a-zA-Z_][a-zA-Z0-9_]*`.
    case legacy
}

/// One rule of `relabel_configs` or `metric_relabel_configs`, with the defaults of the fields left out.
package struct RelabelConfig: Sendable, Equatable {
    /// What a rule does; the raw value is the name in its written, lower-case form.
    package enum Action: String, Sendable, CaseIterable {
        case replace, keep, drop, keepequal, dropequal, hashmod, labelmap, labeldrop, labelkeep, lowercase, uppercase

        /// Reads an action's name in any letter case.
        ///
        /// - Throws: ``RelabelConfigError/unknownAction(_:)``.
        package init(parsing text: String) throws(RelabelConfigError) {
            guard let action = Action(rawValue: text.lowercased()) else { throw .unknownAction(text) }
            self = action
        }
    }

    package var sourceLabels: [String]
    /// Whether the rule had a `source_labels` field at all: `labeldrop` and `labelkeep` refuse even an empty list.
    package var sourceLabelsWritten: Bool
    package var separator: String
    /// The regular expression as written. Nil: not written, which means `(.*)` and is left out of what is rendered.
    /// A null in YAML is the empty expression, which is not the same.
    package var regex: String?
    package var modulus: UInt64
    package var targetLabel: String
    package var replacement: String
    package var action: Action

    /// What an unwritten `regex` means.
    package static let defaultRegex = "(.*)"
    package static let defaultSeparator = ";"
    package static let defaultReplacement = "$1"

    /// - Parameter sourceLabelsWritten: Nil: written when `sourceLabels` is not empty.
    package init(
        sourceLabels: [String] = [],
        sourceLabelsWritten: Bool? = nil,
        separator: String = RelabelConfig.defaultSeparator,
        regex: String? = nil,
        modulus: UInt64 = 0,
        targetLabel: String = "",
        replacement: String = RelabelConfig.defaultReplacement,
        action: Action = .replace
    ) {
        self.sourceLabels = sourceLabels
        self.sourceLabelsWritten = sourceLabelsWritten ?? !sourceLabels.isEmpty
        self.separator = separator
        self.regex = regex
        self.modulus = modulus
        self.targetLabel = targetLabel
        self.replacement = replacement
        self.action = action
    }
}
