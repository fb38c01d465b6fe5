//
// JobDiscovery.swift: what a job wants discovered.
//

import AllocationCore

/// One element of `static_configs`.
package struct StaticTargets: Sendable, Hashable {
    package var targets: [String]
    package var labels: [String: String]

    package init(targets: [String], labels: [String: String] = [:]) {
        self.targets = targets
        self.labels = labels
    }
}

/// One element of `file_sd_configs`.
package struct FileSDConfig: Sendable, Hashable {
    package var files: [String]
    package var refreshInterval: Duration

    package init(files: [String], refreshInterval: Duration = .seconds(300)) {
        self.files = files
        self.refreshInterval = refreshInterval
    }
}

/// The discovery sections of one job.
package struct JobDiscovery: Sendable {
    package var job: String
    package var `static`: [StaticTargets]
    package var file: [FileSDConfig]

    package init(job: String, static: [StaticTargets] = [], file: [FileSDConfig] = []) {
        self.job = job
        self.static = `static`
        self.file = file
    }

    /// The sections that need a running discoverer, each once.
    var providers: [ProviderConfiguration] {
        var found: [ProviderConfiguration] = []
        for section in file.map(ProviderConfiguration.file) where !found.contains(section) { found.append(section) }
        return found
    }
}

/// A section that needs a running discoverer. Equal ones are run once.
enum ProviderConfiguration: Sendable, Equatable {
    case file(FileSDConfig)

    var mechanism: String {
        switch self {
        case .file: "file"
        }
    }

    /// What is read, without secrets.
    var source: String {
        switch self {
        case .file(let config): config.files.joined(separator: ", ")
        }
    }
}
