//
// DatabaseSource.swift: decides which database holds the ledger.
//
// The one that is named by the strongest source counts: a flag before the environment before the file. Naming both a
// database and a data folder in one source is a contradiction and refused. libpq's own environment counts where nothing
// of ours names either, and the private cluster where nothing names anything.
//

import PrometheusConfig

/// Where the ledger is.
package enum DatabaseSource: Sendable, Equatable {
    /// A private PostgreSQL cluster; its binaries are searched for when no folder is given.
    case embedded(dataDirectory: String, binariesDirectory: String?)
    /// A URL or libpq's `key=value` text. May hold a password: never shown.
    case url(String)
    /// What libpq finds in its environment and service file.
    case environment

    /// libpq's variables that say which server or database is meant.
    private static let libpqVariables = ["PGHOST", "PGHOSTADDR", "PGSERVICE", "PGDATABASE"]

    /// Reads only what names the database, so that history can be read while another part of the file is broken.
    ///
    /// - Throws: ``ConfigurationError``: unreadable file, a value of the wrong type, or a contradiction.
    package init(_ sources: ConfigurationSources) throws(ConfigurationError) {
        try self.init(SettingValues(sources), environment: sources.environment)
    }

    init(_ values: SettingValues, environment: [String: String]) throws(ConfigurationError) {
        let url = values.origin(of: .databaseURL)
        let folder = max(values.origin(of: .dataDirectory), values.sectionOrigin("ledger.embedded"))
        if url != .initial, url == folder, let given = values[.databaseURL] {
            throw ConfigurationError(
                location: given.location, kind: .invalid,
                problem: "a database and the embedded one are both named; keep one of them")
        }
        if url > folder, let text = try values.text(.databaseURL) {
            self = .url(text)
        } else if folder == .initial, Self.libpqVariables.contains(where: { environment[$0]?.isEmpty == false }) {
            self = .environment
        } else {
            self = .embedded(
                dataDirectory: try values.text(.dataDirectory) ?? Setting.dataDirectory.row.initial,
                binariesDirectory: try values.text(.binariesDirectory))
        }
    }
}

extension SettingValues {
    /// Where a section of ours was opened, even an empty one.
    fileprivate func sectionOrigin(_ name: String) -> SettingOrigin { sections[name] == nil ? .initial : .file }
}
