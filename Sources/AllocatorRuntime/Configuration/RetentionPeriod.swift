//
// RetentionPeriod.swift: how long history is kept, and where it goes after that.
//

import PrometheusConfig

/// The setting `ledger.retention`.
package struct RetentionPeriod: Sendable, Equatable {
    /// Nil: for ever.
    package var duration: Duration?

    /// The day before today is always kept, so less than a day means nothing.
    private static let durationMin = Duration.seconds(86_400)

    /// Reads only this setting, so that days can be looked at while another part of the file is broken.
    ///
    /// - Throws: ``ConfigurationError``.
    package init(_ sources: ConfigurationSources) throws(ConfigurationError) {
        try self.init(SettingValues(sources))
    }

    /// The setting `ledger.retention_export_directory`; nil: days are dropped without a file. Reads only this.
    ///
    /// - Throws: ``ConfigurationError``.
    package static func exportDirectory(_ sources: ConfigurationSources) throws(ConfigurationError) -> String? {
        try SettingValues(sources).text(.retentionExportDirectory)
    }

    init(_ values: SettingValues) throws(ConfigurationError) {
        // The table's default is a text like any that is given.
        let given =
            try values.duration(.retention)
            ?? (try? PrometheusDuration(parsing: Setting.retention.row.initial))?.duration
        guard let given, given != .zero else { return }
        guard given >= Self.durationMin else {
            throw values.refusal(.retention, "expected at least 1d, or 0s to keep everything")
        }
        duration = given
    }
}
