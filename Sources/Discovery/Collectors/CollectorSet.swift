//
// CollectorSet.swift: who the collectors are, as the collector watch tells it.
//

import AllocationCore

/// Where collectors come from when not from Kubernetes. Several together are united.
package struct CollectorSource: Sendable, Equatable {
    /// Collectors written in the configuration.
    package var listed: [Collector]
    /// A file of names: one a line, or a YAML or JSON list of names or of `{name, node}`.
    package var file: String?
    /// A DNS name. One that begins with `_` is asked for SRV records, whose targets' first labels are the names (the pods
    /// of a StatefulSet behind a headless service); any other is asked for addresses, which then are the names.
    package var dns: String?

    package init(listed: [Collector] = [], file: String? = nil, dns: String? = nil) {
        self.listed = listed
        self.file = file
        self.dns = dns
    }
}

/// All collectors at one time.
package struct CollectorSet: Sendable, Equatable {
    /// Sorted by name, no name twice.
    package var collectors: [Collector]
    /// Every source has been read once with success, so whoever is not in the set is not there.
    package var isSynchronised: Bool
    /// What was observed, for the record: `file /etc/collectors: 7 collectors`.
    package var evidence: String
    /// What could not be read now; the collectors are then those of the last reading.
    package var error: String?

    package init(collectors: [Collector], isSynchronised: Bool, evidence: String, error: String? = nil) {
        self.collectors = collectors
        self.isSynchronised = isSynchronised
        self.evidence = evidence
        self.error = error
    }
}

/// Why a source of collectors cannot be taken.
package struct CollectorSourceError: Error, Sendable, Equatable, CustomStringConvertible {
    package var description: String

    init(_ description: String) { self.description = description }
}
