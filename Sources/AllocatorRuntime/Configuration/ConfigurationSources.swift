//
// ConfigurationSources.swift: where settings come from, and which of several sources of one setting counts.
//

import PrometheusConfig

/// What a configuration is made from: the command line and the environment; the file is named by one of them.
package struct ConfigurationSources: Sendable {
    /// Flags that were given, as text.
    package var flags: [Setting: String]
    package var environment: [String: String]
    /// Goes without a file when none is named and the default one is not there, for commands that need a database only.
    package var fileIsOptional: Bool

    package init(flags: [Setting: String] = [:], environment: [String: String] = [:], fileIsOptional: Bool = false) {
        self.flags = flags
        self.environment = environment
        self.fileIsOptional = fileIsOptional
    }
}

/// Where the value of a setting was found. A greater one wins.
package enum SettingOrigin: Int, Sendable, Comparable {
    case initial, file, environment, flag

    package static func < (a: SettingOrigin, b: SettingOrigin) -> Bool { a.rawValue < b.rawValue }
}

/// One value that was given for a setting.
struct GivenValue {
    enum Value {
        /// A flag's or a variable's.
        case text(String)
        case node(YAMLNode)
    }

    var value: Value
    var origin: SettingOrigin
    /// The place in the file; for a flag or a variable its name.
    var location: ConfigurationLocation
}
