//
// JobDiscovery.swift: what a job wants discovered.
//

import HTTPTransport
import PrometheusConfig

/// The discovery sections of one job.
package struct JobDiscovery: Sendable {
    package var job: String
    package var `static`: [StaticConfig]
    package var file: [FileSDConfig]
    package var http: [HTTPSDConfig]

    package init(
        job: String, static: [StaticConfig] = [], file: [FileSDConfig] = [], http: [HTTPSDConfig] = []
    ) {
        self.job = job
        self.static = `static`
        self.file = file
        self.http = http
    }

    package init(_ config: ScrapeConfig) {
        self.init(
            job: config.jobName, static: config.staticConfigs, file: config.fileSDConfigs, http: config.httpSDConfigs)
    }

    /// The sections that need a running discoverer, each once.
    var providers: [ProviderConfiguration] {
        var found: [ProviderConfiguration] = []
        let sections = file.map(ProviderConfiguration.file) + http.map(ProviderConfiguration.http)
        for section in sections where !found.contains(section) { found.append(section) }
        return found
    }
}

/// A section that needs a running discoverer. Equal ones, secrets included, are run once.
enum ProviderConfiguration: Sendable, Equatable {
    case file(FileSDConfig)
    case http(HTTPSDConfig)

    var mechanism: String {
        switch self {
        case .file: "file"
        case .http: "http"
        }
    }

    /// Whether every round must fail, whatever is there to be found.
    var isRefused: Bool {
        switch self {
        case .file: false
        case .http(let config): config.http.refusal != nil
        }
    }

    /// What is read, without secrets.
    var source: String {
        switch self {
        case .file(let config): config.files.joined(separator: ", ")
        case .http(let config): RequestURL.redacted(config.url)
        }
    }
}
