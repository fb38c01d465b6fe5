//
// NameSchemes.swift: which metric names a job accepts and how a server that knows no others is asked to write them.
//

/// `metric_name_escaping_scheme`.
package enum NameEscapingScheme: String, Sendable, CaseIterable {
    case allowUTF8 = "allow-utf-8"
    case underscores
    case dots
    case values

    /// What goes with a validation scheme when nothing is written.
    static func defaultScheme(for validation: NameValidationScheme) -> NameEscapingScheme {
        validation == .legacy ? .underscores : .allowUTF8
    }

    /// - Parameter section: `global` or `scrape config`, for the message.
    /// - Throws: ``ValueError``.
    init(parsing text: String, section: String) throws(ValueError) {
        guard let scheme = NameEscapingScheme(rawValue: text) else {
            throw ValueError(
                "unknown \(section) name escaping method specified, must be one of 'allow-utf-8', 'underscores', "
                    + "'dots', or 'values', got \(text.goQuoted)")
        }
        self = scheme
    }

    /// The scheme of a job.
    ///
    /// - Parameters:
    ///   - own: What the job says, or an empty text.
    ///   - ownValidation: What the job says about validation, or nil.
    ///   - validation: What holds for the job after inheritance.
    ///   - global: The `global` section.
    static func resolve(
        own: String, ownValidation: NameValidationScheme?, validation: NameValidationScheme, global: GlobalConfig
    ) throws(ValueError) -> NameEscapingScheme {
        let inherited =
            global.escapingScheme.isEmpty
            ? defaultScheme(for: global.validationScheme)
            : try NameEscapingScheme(parsing: global.escapingScheme, section: "global")
        let scheme =
            if !own.isEmpty {
                try NameEscapingScheme(parsing: own, section: "scrape config")
            } else {
                ownValidation == nil ? inherited : defaultScheme(for: validation)
            }
        if scheme == .allowUTF8, validation == .legacy {
            throw ValueError("utf8 metric names requested but validation scheme is not set to UTF8")
        }
        return scheme
    }
}

extension YAMLReader {
    /// `metric_name_validation_scheme`; nil for null and for an empty text, which inherit.
    mutating func validationScheme(_ node: YAMLNode) throws(ConfigurationError) -> NameValidationScheme? {
        try parsed(node, zero: nil) { (text) throws(ValueError) in
            if text.isEmpty { return nil }
            guard let scheme = NameValidationScheme(rawValue: text) else {
                throw ValueError("unrecognized ValidationScheme: \(text.goQuoted)")
            }
            return scheme
        }
    }
}
