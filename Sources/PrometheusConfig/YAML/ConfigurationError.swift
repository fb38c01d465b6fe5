//
// ConfigurationError.swift: what is wrong in a configuration and where, in one line that a person can act on.
//
// No secret gets in here: values are quoted in a problem only where the field cannot hold one.
//

/// A place in a configuration file.
package struct ConfigurationLocation: Sendable, Equatable, CustomStringConvertible {
    package var file: String
    /// Nil when the fault is not in one place of a text, for example an unreadable file.
    package var mark: YAMLMark?
    /// The keys that lead there, as in `scrape_configs[2].relabel_configs[0].regex`; empty at the top.
    package var path: String

    package init(file: String, mark: YAMLMark? = nil, path: String = "") {
        self.file = file
        self.mark = mark
        self.path = path
    }

    /// `file:line:column: path: `, as compilers write it, so that editors find the place.
    package var description: String {
        var text = file
        if let mark { text += ":\(mark.line):\(mark.column)" }
        return path.isEmpty ? text : "\(text): \(path)"
    }
}

/// A configuration that is refused.
package struct ConfigurationError: Error, Sendable, Equatable, CustomStringConvertible {
    package enum Kind: Sendable, Equatable {
        /// The text is not YAML, or exceeds the limits of a sane document.
        case syntax
        case unknownKey(String)
        case repeatedKey(String)
        /// A list where a text belongs, a text where a number belongs, and so on.
        case wrongType
        /// The value has the right type and is refused by a rule.
        case invalid
        /// Right for Prometheus, but not something this program does; the name of the key.
        case unsupported(String)
    }

    package var location: ConfigurationLocation
    package var kind: Kind
    /// What is wrong, without the place. Where Prometheus has a message for it, that message.
    package var problem: String
    /// For an unknown key: the known key that is most like it.
    package var nearestKey: String?
    /// For an unknown key: what would have been accepted there, in alphabetical order.
    package var allowedKeys: [String]
    /// The further faults of the same reading, in the order of the text.
    package var others: [ConfigurationError] = []

    package init(
        location: ConfigurationLocation,
        kind: Kind,
        problem: String,
        nearestKey: String? = nil,
        allowedKeys: [String] = []
    ) {
        self.location = location
        self.kind = kind
        self.problem = problem
        self.nearestKey = nearestKey
        self.allowedKeys = allowedKeys
    }

    package init(file: String, mark: YAMLMark? = nil, path: String = "", kind: Kind, problem: String) {
        self.init(location: ConfigurationLocation(file: file, mark: mark, path: path), kind: kind, problem: problem)
    }

    /// One line for each fault.
    package var description: String {
        ([self] + others).map { "\($0.location): \($0.problem)\($0.hint)" }.joined(separator: "\n")
    }

    private var hint: String {
        if let nearestKey { return "; did you mean \(nearestKey.goQuoted)?" }
        guard !allowedKeys.isEmpty, allowedKeys.count <= 12 else { return "" }
        return "; known here: \(allowedKeys.joined(separator: ", "))"
    }
}

/// Something in a configuration that is accepted and probably not meant.
package struct ConfigurationWarning: Sendable, Equatable, CustomStringConvertible {
    package var location: ConfigurationLocation
    package var problem: String

    package init(location: ConfigurationLocation, problem: String) {
        self.location = location
        self.problem = problem
    }

    package var description: String { "\(location): \(problem)" }
}
