//
// SettingValues+Reading.swift: what the given text or node of a setting means.
//
// A setting is read by its form, whether it came from a flag, a variable or the file, so that each form has one set of
// messages. Values are shown in messages only where a password cannot be.
//

import AllocationCore
import PrometheusConfig

/// A setting's value, understood.
enum SettingMeaning: Equatable {
    case text(String)
    case boolean(Bool)
    case number(Int)
    case duration(Duration)
    case address(ListenAddress)
    case texts([String])
    case collectors([Collector])
    /// A mapping, a list or a selector: read further by whoever needs it.
    case tree
}

extension SettingValues {
    /// Reads every value that was given, so that a mistake in one that has no effect is found too.
    ///
    /// - Throws: The first mistake, with the others in it.
    func checkForms() throws(ConfigurationError) {
        var mistakes = problems
        for (setting, value) in all {
            do { _ = try meaning(setting, value) } catch { mistakes.append(error) }
        }
        guard var first = mistakes.first else { return }
        first.others = Array(mistakes.dropFirst())
        throw first
    }

    // MARK: By form

    /// The text; the default's when none was given, nil when that is empty.
    func text(_ setting: Setting) throws(ConfigurationError) -> String? {
        guard let value = self[setting] else {
            let initial = setting.row.initial
            return initial.isEmpty ? nil : initial
        }
        guard case .text(let text) = try meaning(setting, value) else { return nil }
        return text
    }

    func boolean(_ setting: Setting) throws(ConfigurationError) -> Bool {
        guard let value = self[setting] else { return setting.row.initial == "true" }
        return try meaning(setting, value) == .boolean(true)
    }

    /// The number; the default's when none was given.
    func number(_ setting: Setting) throws(ConfigurationError) -> Int? {
        guard let value = self[setting] else { return Int(setting.row.initial) }
        guard case .number(let number) = try meaning(setting, value) else { return nil }
        return number
    }

    /// nil when it was not given; the caller knows the default.
    func duration(_ setting: Setting) throws(ConfigurationError) -> Duration? {
        guard let value = self[setting], case .duration(let duration) = try meaning(setting, value) else { return nil }
        return duration
    }

    func address(_ setting: Setting) throws(ConfigurationError) -> ListenAddress? {
        guard let value = self[setting] else { return ListenAddress(setting.row.initial) }
        guard case .address(let address) = try meaning(setting, value) else { return nil }
        return address
    }

    func texts(_ setting: Setting) throws(ConfigurationError) -> [String] {
        guard let value = self[setting], case .texts(let texts) = try meaning(setting, value) else { return [] }
        return texts
    }

    func collectors(_ setting: Setting) throws(ConfigurationError) -> [Collector] {
        guard let value = self[setting], case .collectors(let collectors) = try meaning(setting, value) else {
            return []
        }
        return collectors
    }

    /// What a given value means under its setting's form.
    func meaning(_ setting: Setting, _ given: GivenValue) throws(ConfigurationError) -> SettingMeaning {
        func refusal(_ problem: String, _ kind: ConfigurationError.Kind = .invalid) -> ConfigurationError {
            ConfigurationError(location: given.location, kind: kind, problem: problem)
        }
        switch setting.row.form {
        case .text, .path: return .text(try scalar(given))
        case .listenAddress:
            guard let address = ListenAddress(try scalar(given)) else {
                throw refusal("expected an address such as \":8080\", \"localhost:8080\" or \"[::1]:8080\"")
            }
            return .address(address)
        case .boolean: return .boolean(try boolean(given))
        case .number(let least):
            guard let number = try number(given), number >= least else {
                throw refusal("expected a whole number from \(least) on")
            }
            return .number(number)
        case .goDuration: return .duration(try goDuration(given))
        case .duration:
            let text = try scalar(given)
            guard let duration = try? PrometheusDuration(parsing: text) else {
                throw refusal("expected a duration such as \"10s\", \"1h30m\" or \"90d\"")
            }
            return .duration(duration.duration)
        case .choice(let choices, let later):
            let text = try scalar(given)
            if choices.contains(text) { return .text(text) }
            let allowed = choices.map { String(reflecting: $0) }.joined(separator: ", ")
            if later.contains(text) {
                throw refusal(
                    "\(String(reflecting: text)) is not supported yet; allowed: \(allowed)", .unsupported(text))
            }
            throw refusal("expected one of \(allowed)")
        case .texts: return .texts(try texts(given).map(\.text))
        case .collectors: return .collectors(try collectors(given))
        case .labelSelector:
            try LabelSelectorForm.check(try tree(given), refusal: given.location)
            return .tree
        case .mapping:
            guard try tree(given).mapping != nil else {
                throw refusal("expected a mapping of keys to values", .wrongType)
            }
            return .tree
        case .list:
            guard try tree(given).sequence != nil else { throw refusal("expected a list", .wrongType) }
            return .tree
        }
    }

    // MARK: Parts

    private func scalar(_ given: GivenValue) throws(ConfigurationError) -> String {
        switch given.value {
        case .text(let text): return text
        case .node(let node): return try text(node, given.location)
        }
    }

    /// A number or a truth value in a text's place is a slip that upstream refuses too.
    private func text(_ node: YAMLNode, _ location: ConfigurationLocation) throws(ConfigurationError) -> String {
        guard let scalar = node.scalar else { throw wrongType("a text", node, location) }
        switch scalar.value {
        case .text, .null: return scalar.text
        default: throw wrongType("a text, found a number or a truth value; put quotes around it", nil, location)
        }
    }

    private func boolean(_ given: GivenValue) throws(ConfigurationError) -> Bool {
        switch given.value {
        case .node(let node):
            guard case .bool(let value) = node.scalar?.value else {
                throw wrongType("true or false", node, given.location)
            }
            return value
        case .text(let text):
            // What Go's flags take.
            if ["1", "t", "T", "TRUE", "true", "True"].contains(text) { return true }
            if ["0", "f", "F", "FALSE", "false", "False"].contains(text) { return false }
            throw wrongType("true or false", nil, given.location)
        }
    }

    /// Nil when it is none.
    private func number(_ given: GivenValue) throws(ConfigurationError) -> Int? {
        switch given.value {
        case .text(let text): return Int(text)
        case .node(let node):
            guard let scalar = node.scalar else { throw wrongType("a whole number", node, given.location) }
            guard case .integer(let number) = scalar.value else { return nil }
            return Int(exactly: number)
        }
    }

    private func goDuration(_ given: GivenValue) throws(ConfigurationError) -> Duration {
        if case .node(let node) = given.value, case .integer(let nanoseconds) = node.scalar?.value {
            return .nanoseconds(nanoseconds)
        }
        let text = try scalar(given)
        guard let duration = try? GoDuration(parsing: text) else {
            throw ConfigurationError(
                location: given.location, kind: .invalid,
                problem: "expected a duration such as \"300ms\", \"30s\" or \"1h30m\"")
        }
        return duration.duration
    }

    private func tree(_ given: GivenValue) throws(ConfigurationError) -> YAMLNode {
        switch given.value {
        case .node(let node): return node
        case .text:
            throw ConfigurationError(
                location: given.location, kind: .wrongType, problem: "can only be set in the file")
        }
    }

    /// Elements with where each stands.
    private func texts(
        _ given: GivenValue
    ) throws(ConfigurationError) -> [(text: String, location: ConfigurationLocation)] {
        switch given.value {
        case .text(let list):
            return list.split(separator: ",").map { (String($0.trimmingSpaces), given.location) }
        case .node(let node):
            guard let items = node.sequence else { throw wrongType("a list of texts", node, given.location) }
            var texts: [(text: String, location: ConfigurationLocation)] = []
            for (index, item) in items.enumerated() {
                let location = given.location.element(index, at: item.mark)
                texts.append((try text(item, location), location))
            }
            return texts
        }
    }

    private func collectors(_ given: GivenValue) throws(ConfigurationError) -> [Collector] {
        var found: [(collector: Collector, location: ConfigurationLocation)] = []
        if case .node(let node) = given.value, let items = node.sequence {
            for (index, item) in items.enumerated() {
                let location = given.location.element(index, at: item.mark)
                found.append((try collector(item, location), location))
            }
        } else {
            found = try texts(given).map { (Collector(name: $0.text), $0.location) }
        }
        var names: Set<String> = []
        for (collector, location) in found {
            guard !collector.name.isEmpty else {
                throw ConfigurationError(location: location, kind: .invalid, problem: "a collector's name is empty")
            }
            guard names.insert(collector.name).inserted else {
                throw ConfigurationError(
                    location: location, kind: .invalid,
                    problem: "the collector \(String(reflecting: collector.name)) is named twice")
            }
        }
        return found.map(\.collector)
    }

    private func collector(
        _ node: YAMLNode, _ location: ConfigurationLocation
    ) throws(ConfigurationError) -> Collector {
        guard let mapping = node.mapping else { return Collector(name: try text(node, location)) }
        var collector = Collector(name: "")
        for member in mapping.members {
            switch member.key.text {
            case "name": collector.name = try text(member.value, location)
            case "node": collector.nodeName = try text(member.value, location)
            default:
                throw ConfigurationError(
                    location: location, kind: .unknownKey(member.key.text),
                    problem: "unknown key \(String(reflecting: member.key.text))",
                    nearestKey: NearestKey.find(member.key.text, among: ["name", "node"]),
                    allowedKeys: ["name", "node"])
            }
        }
        return collector
    }

    private func wrongType(
        _ expected: String, _ found: YAMLNode?, _ location: ConfigurationLocation
    ) -> ConfigurationError {
        let problem =
            switch found?.content {
            case .sequence: "expected \(expected), found a list"
            case .mapping: "expected \(expected), found a mapping"
            case .scalar: "expected \(expected), found a text"
            case nil: "expected \(expected)"
            }
        return ConfigurationError(location: location, kind: .wrongType, problem: problem)
    }
}

extension ConfigurationLocation {
    /// The place of one element of the list that stands here.
    func element(_ index: Int, at mark: YAMLMark) -> ConfigurationLocation {
        ConfigurationLocation(file: file, mark: mark, path: "\(path)[\(index)]")
    }
}

extension Substring {
    fileprivate var trimmingSpaces: Substring {
        var text = drop { $0 == " " }
        while text.last == " " { text.removeLast() }
        return text
    }
}
