//
// ConfigurationSources+Process.swift: the sources of settings that this process was started with.
//

import AllocatorRuntime
import Foundation
import PrometheusConfig

extension ConfigurationSources {
    /// The given flags and this process's environment.
    init(process flags: [Setting: String], fileIsOptional: Bool = false) {
        self.init(
            flags: flags, environment: ProcessInfo.processInfo.environment, fileIsOptional: fileIsOptional)
    }
}

extension AllocatorConfiguration {
    /// - Throws: ``CommandFailure`` with every mistake, a line each.
    static func load(_ flags: SettingFlags) throws(CommandFailure) -> AllocatorConfiguration {
        do {
            return try AllocatorConfiguration(ConfigurationSources(process: flags.given))
        } catch {
            throw CommandFailure(.answerIsNo, error.description)
        }
    }
}

extension DatabaseSource {
    /// The database that a reading command is to read.
    ///
    /// - Throws: ``CommandFailure`` with the mistake.
    static func load(_ flags: DatabaseFlags) throws(CommandFailure) -> DatabaseSource {
        do {
            return try DatabaseSource(ConfigurationSources(process: flags.given, fileIsOptional: true))
        } catch {
            throw CommandFailure(.answerIsNo, error.description)
        }
    }
}
