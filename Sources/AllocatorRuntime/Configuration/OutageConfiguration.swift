//
// OutageConfiguration.swift: what a process does while the database is away, and where it keeps what it needs for that.
//

import AllocationLedger
import PrometheusConfig

/// `ledger.on_database_outage` and `ledger.state_directory`.
package struct OutageConfiguration: Sendable, Equatable {
    package var mode: OutagePolicy.Mode
    /// Nil: nothing is kept.
    package var stateDirectory: String?

    /// - Throws: A journal that has no place.
    init(_ values: SettingValues, database: DatabaseSource) throws(ConfigurationError) {
        mode = OutagePolicy.Mode(rawValue: try values.text(.onDatabaseOutage) ?? "") ?? .hold
        stateDirectory = try values.text(.stateDirectory)
        if stateDirectory == nil, case .embedded(let folder, _) = database { stateDirectory = folder + "/state" }
        guard mode == .hold || stateDirectory != nil else {
            throw values.refusal(
                .onDatabaseOutage, "`continue` keeps a journal; name a folder for it by `state_directory`")
        }
    }
}
