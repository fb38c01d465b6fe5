//
// CheckpointKeySetting.swift: which file holds the key that signs checkpoints, for commands that need nothing else.
//

import PrometheusConfig

package enum CheckpointKeySetting {
    /// Reads only this, so that a checkpoint can be made while another part of the file is broken.
    ///
    /// - Returns: Nil when no file is named.
    /// - Throws: ``ConfigurationError``: unreadable file, or a value of the wrong type.
    package static func file(_ sources: ConfigurationSources) throws(ConfigurationError) -> String? {
        try SettingValues(sources).text(.checkpointKeyFile)
    }
}
