//
// SettingValues+Support.swift: refuses what is not done yet, and says what has no effect.
//

import PrometheusConfig

extension SettingValues {
    /// - Throws: The first setting that asks for something not supported yet, with what is allowed.
    func refuseUnsupported() throws(ConfigurationError) {
        for (setting, given) in all {
            guard case .notYet(let allowed) = setting.row.support, !isAtRest(given) else { continue }
            throw ConfigurationError(
                location: given.location, kind: .unsupported(setting.rawValue),
                problem: "not supported yet; allowed: \(allowed)")
        }
    }

    /// One warning for each top-level setting that was given and changes nothing. What belongs to a part that is off
    /// (`https`, `prometheus_cr`) is written by the operator in any case and not worth a line.
    func warningsOfNoEffect() -> [ConfigurationWarning] {
        all.compactMap { setting, given in
            guard case .withoutEffect(let why) = setting.row.support, given.origin == .file || given.origin == .flag,
                setting.place?.count == 1 || setting.place == nil
            else { return nil }
            return ConfigurationWarning(location: given.location, problem: "has no effect: \(why)")
        }
    }

    /// Upstream refuses both lists together.
    func checkNamespaceLists() throws(ConfigurationError) {
        guard let allow = self[.crAllowNamespaces], let deny = self[.crDenyNamespaces],
            !isAtRest(allow), !isAtRest(deny)
        else { return }
        throw ConfigurationError(
            location: deny.location, kind: .invalid,
            problem: "only one of allowNamespaces or denyNamespaces can be set")
    }

    /// The value of a setting that cannot be done without.
    func required<Value>(_ setting: Setting, _ value: Value?) throws(ConfigurationError) -> Value {
        guard let value else { throw refusal(setting, "has no value") }
        return value
    }

    /// The refusal of what was given, or of the default, with its place.
    func refusal(_ setting: Setting, _ problem: String) -> ConfigurationError {
        let location =
            self[setting]?.location ?? ConfigurationLocation(file: file ?? "", path: setting.rawValue)
        return ConfigurationError(location: location, kind: .invalid, problem: problem)
    }

    /// A value that asks for nothing: `false`, an empty text, an empty list or mapping.
    private func isAtRest(_ given: GivenValue) -> Bool {
        switch given.value {
        case .text(let text): text.isEmpty || ["0", "f", "F", "FALSE", "false", "False"].contains(text)
        case .node(let node):
            switch node.content {
            case .sequence(let items): items.isEmpty
            case .mapping(let mapping): mapping.members.isEmpty
            case .scalar(let scalar): scalar.text.isEmpty || scalar.value == .bool(false) || scalar.isNull
            }
        }
    }
}
