//
// SettingValues.swift: finds the value of every setting in flags, environment and file.
//
// Flag before environment before file before default. Upstream's part of the file is read as upstream reads it: keys in
// any case, unknown ones accepted, the last of equal ones wins. Our section is strict: a typing error in it must not
// silently leave a default in place. Every key that the settings table does not know is named with the nearest that
// it does.
//

import PrometheusConfig

/// The given values of settings, not yet understood.
struct SettingValues {
    /// The file that was read; nil when the program goes without.
    let file: String?
    /// What is wrong with the file's keys, in the file's order.
    private(set) var problems: [ConfigurationError] = []
    private(set) var warnings: [ConfigurationWarning] = []

    private var given: [Setting: GivenValue] = [:]
    /// The sections that our part of the file holds, empty ones too.
    private(set) var sections: [String: YAMLMark] = [:]

    /// - Throws: The file cannot be read or is not YAML.
    init(_ sources: ConfigurationSources) throws(ConfigurationError) {
        let path = sources.flags[.configFile] ?? Setting.configFile.row.initial
        let isNamed = sources.flags[.configFile] != nil
        if let text = try ConfigurationFile.read(path, mayBeMissing: sources.fileIsOptional && !isNamed) {
            file = path
            let root = try YAMLNode(parsing: text, file: path)
            take(root, in: [], at: root.mark)
        } else {
            file = nil
        }
        for setting in Setting.allCases {
            for variable in setting.row.environment.reversed() {
                guard let text = sources.environment[variable] else { continue }
                // Upstream's two variables have rules of their own; an empty one of ours is as good as none.
                if setting == .allowInsecureAuthSecrets, text != "true" { continue }
                if setting.isOurs, text.isEmpty { continue }
                given[setting] = GivenValue(
                    value: .text(text), origin: .environment, location: ConfigurationLocation(file: variable))
            }
        }
        for (setting, text) in sources.flags {
            given[setting] = GivenValue(
                value: .text(text), origin: .flag,
                location: ConfigurationLocation(file: "--\(setting.row.flag ?? setting.rawValue)"))
        }
    }

    /// The value that counts; nil where the default does.
    subscript(setting: Setting) -> GivenValue? { given[setting] }

    func origin(of setting: Setting) -> SettingOrigin { given[setting]?.origin ?? .initial }

    /// The settings that were given, in the table's order.
    var all: [(setting: Setting, value: GivenValue)] {
        Setting.allCases.compactMap { setting in given[setting].map { (setting, $0) } }
    }

    // MARK: The file

    private mutating func take(_ node: YAMLNode, in place: [String], at mark: YAMLMark) {
        if node.isNull { return }
        let isOurs = place.first == "ledger"
        guard let mapping = node.mapping else {
            problem(.wrongType, "expected a mapping of settings to values", in: place, at: node.mark)
            return
        }
        if isOurs { sections[place.joined(separator: ".")] = mark }
        for repeated in mapping.repeats {
            let inner = place + [repeated.key]
            if isOurs {
                problem(.repeatedKey(repeated.key), "set twice", in: inner, at: repeated.mark)
            } else {
                warn("set twice; the last value counts", in: inner, at: repeated.mark)
            }
        }
        for member in mapping.members {
            let inner = place + [isOurs ? member.key.text : member.key.text.lowercased()]
            if let setting = Setting(place: inner) {
                // A null leaves the default, as upstream has it.
                guard !member.value.isNull else { continue }
                given[setting] = GivenValue(
                    value: .node(member.value), origin: .file,
                    location: location(inner, at: member.value.mark))
            } else if Setting.sectionNames.contains(inner.joined(separator: ".")) {
                take(member.value, in: inner, at: member.keyMark)
            } else {
                unknown(member.key.text, in: place, at: member.keyMark)
            }
        }
    }

    private mutating func unknown(_ key: String, in place: [String], at mark: YAMLMark) {
        let known = Setting.keys(in: place).sorted()
        let nearest = NearestKey.find(key, among: known)
        if place.first == "ledger" {
            problems.append(
                ConfigurationError(
                    location: location(place, at: mark), kind: .unknownKey(key),
                    problem: "unknown key \(String(reflecting: key))", nearestKey: nearest, allowedKeys: known))
        } else {
            let hint = nearest.map { "; did you mean \(String(reflecting: $0))?" } ?? ""
            warn("unknown key \(String(reflecting: key)) is ignored\(hint)", in: place, at: mark)
        }
    }

    private mutating func problem(
        _ kind: ConfigurationError.Kind, _ text: String, in place: [String], at mark: YAMLMark
    ) {
        problems.append(ConfigurationError(location: location(place, at: mark), kind: kind, problem: text))
    }

    private mutating func warn(_ text: String, in place: [String], at mark: YAMLMark) {
        warnings.append(ConfigurationWarning(location: location(place, at: mark), problem: text))
    }

    private func location(_ place: [String], at mark: YAMLMark) -> ConfigurationLocation {
        ConfigurationLocation(file: file ?? "", mark: mark, path: place.joined(separator: "."))
    }
}

extension Setting {
    /// Every level of the file that holds settings but is none: `https`, `ledger`, `ledger.lease`, …
    static let sectionNames: Set<String> = {
        var names: Set<String> = []
        for place in allCases.compactMap(\.place) {
            for depth in 1..<max(place.count, 1) { names.insert(place.prefix(depth).joined(separator: ".")) }
        }
        return names
    }()

    /// The keys that the file may hold in one section, in the table's order.
    static func keys(in section: [String]) -> [String] {
        var keys: [String] = []
        for place in allCases.compactMap(\.place) where place.count > section.count && place.starts(with: section) {
            if !keys.contains(place[section.count]) { keys.append(place[section.count]) }
        }
        return keys
    }
}
