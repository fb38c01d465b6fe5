//
// DiscoveryBatch.swift: what the discovery manager hands to the walk.
//

import AllocationCore

/// Everything that became known since the last batch, the latest state of each source.
package struct DiscoveryBatch: Sendable {
    package var jobs: [String: JobDelta] = [:]
    package var reports: [DiscoveryReport] = []
    /// Which full hand-over this comes after, counted from 1; 0: before any was asked for. Who has let go of what it was
    /// given must not take what was made before it asked: that lacks all that did not change.
    package var handOver = 0

    package init(jobs: [String: JobDelta] = [:], reports: [DiscoveryReport] = [], handOver: Int = 0) {
        self.jobs = jobs
        self.reports = reports
        self.handOver = handOver
    }

    package var isEmpty: Bool { jobs.isEmpty && reports.isEmpty }
}

/// What changed for one job.
package struct JobDelta: Sendable {
    /// The groups that changed; one without targets says that its source is gone.
    package var changed: [SourceKey: TargetGroup]
    /// Every provider of the job has completed a first successful round, so what none of them has is gone.
    package var isSynchronised: Bool

    package init(changed: [SourceKey: TargetGroup] = [:], isSynchronised: Bool) {
        self.changed = changed
        self.isSynchronised = isSynchronised
    }
}

/// The result of one round of one provider, or of several equal ones in a row.
package struct DiscoveryReport: Sendable, Equatable {
    /// Whether a round brought a result. A failed one never counts as an empty one.
    package enum Outcome: Sendable, Equatable {
        case success
        case failure(message: String)
    }

    /// The jobs that the provider feeds, sorted.
    package var jobs: [String]
    package var provider: ProviderID
    /// What was read, fit to be shown: patterns, or a URL without its password.
    package var source: String
    package var outcome: Outcome
    /// Targets that the provider has now, kept ones included.
    package var targets: Int
    /// How long the last of the rounds took.
    package var duration: Duration
    /// When the first of the rounds ended, in microseconds since 1970.
    package var firstAt: Int64
    /// When the last of the rounds ended, in microseconds since 1970.
    package var at: Int64
    /// Rounds in a row with this outcome and this number of targets.
    package var rounds: Int

    package init(
        jobs: [String], provider: ProviderID, source: String, outcome: Outcome, targets: Int, duration: Duration,
        firstAt: Int64, at: Int64, rounds: Int = 1
    ) {
        self.jobs = jobs
        self.provider = provider
        self.source = source
        self.outcome = outcome
        self.targets = targets
        self.duration = duration
        self.firstAt = firstAt
        self.at = at
        self.rounds = rounds
    }

    /// The failure's message.
    package var error: String? {
        if case .failure(let message) = outcome { message } else { nil }
    }
}
