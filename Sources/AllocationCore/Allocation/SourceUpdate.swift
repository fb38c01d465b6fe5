//
// SourceUpdate.swift: the input of the allocation: what one source of one job has now.
//

/// A target group's place: the provider that found it and the name that provider gave it.
package struct SourceKey: Hashable, Sendable {
    package var provider: String
    package var source: String

    package init(provider: String, source: String) {
        self.provider = provider
        self.source = source
    }
}

/// All targets that one source has now, after relabelling. None: the source is gone.
package struct SourceUpdate: Sendable {
    package var key: SourceKey
    package var targets: ContiguousArray<IdentifiedTarget>

    package init(key: SourceKey, targets: ContiguousArray<IdentifiedTarget>) {
        self.key = key
        self.targets = targets
    }
}

/// The sources of one job that changed.
package struct JobUpdate: Sendable {
    package var job: String
    package var sources: [SourceUpdate]
    /// Every provider of the job has completed a first synchronisation, so what none of them has is gone. Until then
    /// nothing of the job counts as vanished.
    package var isSynchronised: Bool

    package init(job: String, sources: [SourceUpdate], isSynchronised: Bool) {
        self.job = job
        self.sources = sources
        self.isSynchronised = isSynchronised
    }
}
