//
// YAMLReader.swift: reads a YAML tree into typed values and says exactly where something is not as it should be.
//
// Wrong types and unknown keys are collected, so that one run shows all of them, and the read goes on with a zero value;
// finish() throws them. A rule that a value breaks is thrown at once. Both as Prometheus' own reader does it.
//

/// The keys of one kind of mapping: an enumeration of their spellings.
package protocol YAMLKey: RawRepresentable<String>, CaseIterable, Sendable {}

/// One reading of one document.
package struct YAMLReader: Sendable {
    /// How forgiving the reader is.
    package struct Rules: Sendable, Equatable {
        /// Unknown and repeated keys are errors; else warnings, and of a repeated key the last value counts.
        package var refusesUnknownKeys = true
        /// `ListenAddr` is not `listen_addr`, but `LISTEN_ADDR` is.
        package var ignoresKeyCase = false
        /// Unquoted scalars go through YAML once before they are taken as text; see ``YAMLScalar/normalisedText``.
        package var normalisesScalars = false

        package init(refusesUnknownKeys: Bool = true, ignoresKeyCase: Bool = false, normalisesScalars: Bool = false) {
            self.refusesUnknownKeys = refusesUnknownKeys
            self.ignoresKeyCase = ignoresKeyCase
            self.normalisesScalars = normalisesScalars
        }

        /// Prometheus reading its own file.
        package static let prometheus = Rules()
        /// Upstream's allocator reading the `config` section of its file.
        package static let allocator = Rules(refusesUnknownKeys: false, normalisesScalars: true)
    }

    private enum Step: Sendable {
        case key(String)
        case index(Int)
    }

    private static let problemsMax = 50
    private static let warningsMax = 1_000

    package let file: String
    package var rules: Rules
    package private(set) var warnings: [ConfigurationWarning] = []
    private var problems: [ConfigurationError] = []
    private let basePath: String
    private var steps: [Step] = []

    /// - Parameters:
    ///   - file: The document's name in errors.
    ///   - path: The path of the node that reading starts with, when that is not the document's root.
    package init(file: String, path: String = "", rules: Rules) {
        self.file = file
        self.rules = rules
        basePath = path
    }

    /// Ends the reading.
    ///
    /// - Throws: The first fault collected, with the others in it.
    package func finish() throws(ConfigurationError) {
        guard var first = problems.first else { return }
        first.others = Array(problems.dropFirst())
        throw first
    }

    /// How many faults are collected; checks that need a value read correctly compare it before and after.
    package var problemCount: Int { problems.count }

    // MARK: Places

    /// The path of what is being read.
    package var path: String {
        steps.reduce(into: basePath) { path, step in
            switch step {
            case .index(let index): path += "[\(index)]"
            case .key(let key):
                let isPlain =
                    !key.isEmpty && key.utf8.allSatisfy { $0 > 0x20 && $0 != 0x2E && $0 != 0x5B && $0 != 0x5D }
                if isPlain { path += path.isEmpty ? key : ".\(key)" } else { path += "[\(key.goQuoted)]" }
            }
        }
    }

    package mutating func within<Result>(
        key: String, _ body: (inout YAMLReader) throws(ConfigurationError) -> Result
    ) throws(ConfigurationError) -> Result {
        steps.append(.key(key))
        defer { steps.removeLast() }
        return try body(&self)
    }

    package mutating func within<Result>(
        index: Int, _ body: (inout YAMLReader) throws(ConfigurationError) -> Result
    ) throws(ConfigurationError) -> Result {
        steps.append(.index(index))
        defer { steps.removeLast() }
        return try body(&self)
    }

    // MARK: Faults

    /// The error for a rule that the value being read breaks. The text must not contain a secret.
    package func failure(_ problem: String, at node: YAMLNode) -> ConfigurationError {
        ConfigurationError(file: file, mark: node.mark, path: path, kind: .invalid, problem: problem)
    }

    /// The same for one member of the mapping being read: the place is the member's value, if it is there.
    package func failure(_ problem: String, at node: YAMLNode, key: String) -> ConfigurationError {
        guard let member = node.mapping?[key] else { return failure(problem, at: node) }
        var inner = self
        inner.steps.append(.key(key))
        return inner.failure(problem, at: member.value)
    }

    /// The error for something that is right for Prometheus and that this program does not do.
    package func unsupported(_ key: String, _ problem: String, at node: YAMLNode) -> ConfigurationError {
        ConfigurationError(file: file, mark: node.mark, path: path, kind: .unsupported(key), problem: problem)
    }

    /// Collects a fault.
    package mutating func report(
        _ kind: ConfigurationError.Kind, _ problem: String, at mark: YAMLMark,
        nearestKey: String? = nil, allowedKeys: [String] = []
    ) {
        guard problems.count < Self.problemsMax else { return }
        problems.append(
            ConfigurationError(
                location: ConfigurationLocation(file: file, mark: mark, path: path), kind: kind, problem: problem,
                nearestKey: nearestKey, allowedKeys: allowedKeys))
    }

    package mutating func warn(_ problem: String, at mark: YAMLMark) {
        guard warnings.count < Self.warningsMax else { return }
        warnings.append(
            ConfigurationWarning(
                location: ConfigurationLocation(file: file, mark: mark, path: path), problem: problem))
    }

    /// Takes over what another reading of the same document found.
    package mutating func adopt(_ other: [ConfigurationWarning]) {
        warnings += other.prefix(Self.warningsMax - warnings.count)
    }

    // MARK: Mappings and lists

    /// Reads a mapping member by member. A null has no members.
    ///
    /// - Parameter read: Gets each member whose key is known, in the order of the text.
    package mutating func fields<Key: YAMLKey>(
        of node: YAMLNode, _ keys: Key.Type,
        _ read: (inout YAMLReader, Key, YAMLNode) throws(ConfigurationError) -> Void
    ) throws(ConfigurationError) {
        guard let mapping = mapping(node) else { return }
        for repeated in mapping.repeats { reportRepeat(repeated) }
        for member in mapping.members {
            guard let key = key(keys, member.key.text) else {
                reportUnknown(member, keys)
                continue
            }
            steps.append(.key(key.rawValue))
            defer { steps.removeLast() }
            try read(&self, key, member.value)
        }
    }

    /// Reads a mapping whose keys are names of the user's choice.
    package mutating func map<Value>(
        _ node: YAMLNode, _ read: (inout YAMLReader, YAMLNode) throws(ConfigurationError) -> Value
    ) throws(ConfigurationError) -> [String: Value] {
        guard let mapping = mapping(node) else { return [:] }
        for repeated in mapping.repeats { reportRepeat(repeated) }
        var values = [String: Value](minimumCapacity: mapping.members.count)
        for member in mapping.members {
            let key = text(of: member.key, at: member.keyMark)
            steps.append(.key(key))
            defer { steps.removeLast() }
            values[key] = try read(&self, member.value)
        }
        return values
    }

    /// Reads a list element by element. A null is an empty list.
    package mutating func list<Element>(
        _ node: YAMLNode, _ read: (inout YAMLReader, YAMLNode) throws(ConfigurationError) -> Element
    ) throws(ConfigurationError) -> [Element] {
        var elements: [Element] = []
        switch node.content {
        case .sequence(let items):
            elements.reserveCapacity(items.count)
            for (index, item) in items.enumerated() {
                steps.append(.index(index))
                defer { steps.removeLast() }
                elements.append(try read(&self, item))
            }
        case .scalar(let scalar) where scalar.isNull: break
        case .scalar, .mapping: reportType(node, expected: "a list")
        }
        return elements
    }

    /// The members of a node; nil for null and, reported, for anything that is not a mapping.
    package mutating func mapping(_ node: YAMLNode) -> YAMLMapping? {
        switch node.content {
        case .mapping(let mapping): return mapping
        case .scalar(let scalar) where scalar.isNull: return nil
        case .scalar, .sequence:
            reportType(node, expected: "a mapping of keys to values")
            return nil
        }
    }

    private func key<Key: YAMLKey>(_ keys: Key.Type, _ text: String) -> Key? {
        if let key = Key(rawValue: text) { return key }
        guard rules.ignoresKeyCase else { return nil }
        let lowered = text.lowercased()
        return keys.allCases.first { $0.rawValue.lowercased() == lowered }
    }

    private mutating func reportUnknown<Key: YAMLKey>(_ member: YAMLMapping.Member, _ keys: Key.Type) {
        let name = member.key.text
        let known = keys.allCases.map(\.rawValue).sorted()
        let nearest = NearestKey.find(name, among: known)
        if rules.refusesUnknownKeys {
            report(
                .unknownKey(name), "unknown key \(name.goQuoted)", at: member.keyMark, nearestKey: nearest,
                allowedKeys: known)
        } else {
            let hint = nearest.map { "; did you mean \($0.goQuoted)?" } ?? ""
            warn("unknown key \(name.goQuoted) is ignored\(hint)", at: member.keyMark)
        }
    }

    private mutating func reportRepeat(_ repeated: YAMLMapping.Repeat) {
        if rules.refusesUnknownKeys {
            report(.repeatedKey(repeated.key), "key \(repeated.key.goQuoted) is set twice", at: repeated.mark)
        } else {
            warn("key \(repeated.key.goQuoted) is set twice; the last value counts", at: repeated.mark)
        }
    }
}
