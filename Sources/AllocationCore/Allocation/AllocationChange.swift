//
// AllocationChange.swift: what one step of the walk changed, before and after, ready to be recorded.
//

/// What is known of one target at one revision.
package struct TargetState: Sendable, Hashable {
    /// Merged, un-relabelled: what is served.
    package var labels: LabelSet
    /// The `__address__` pair of `labels`.
    package var address: LabelID?
    /// Nil while no collector has it.
    package var collector: CollectorNumber?

    package init(labels: LabelSet, address: LabelID?, collector: CollectorNumber?) {
        self.labels = labels
        self.address = address
        self.collector = collector
    }
}

/// One target's change. Readable in both directions: it holds the state before and after.
package struct TargetChange: Sendable, Hashable {
    package var job: JobNumber
    package var identity: TargetIdentity
    /// Nil: the target is new.
    package var before: TargetState?
    /// Nil: the target is gone.
    package var after: TargetState?
    package var reason: Reason

    package init(
        job: JobNumber, identity: TargetIdentity, before: TargetState?, after: TargetState?, reason: Reason
    ) {
        self.job = job
        self.identity = identity
        self.before = before
        self.after = after
        self.reason = reason
    }

    /// Whether another collector has it now.
    package var isMove: Bool { before?.collector != after?.collector }
}

/// What happened to a collector. The codes are stable.
package enum CollectorChangeKind: Int16, Sendable, CaseIterable {
    case joined = 1
    case left = 2
    case ready = 3
    case notReady = 4
    case nodeChanged = 5

    package var code: String {
        switch self {
        case .joined: "joined"
        case .left: "left"
        case .ready: "ready"
        case .notReady: "not_ready"
        case .nodeChanged: "node_changed"
        }
    }
}

/// One collector's change with what was observed.
package struct CollectorChange: Sendable, Hashable {
    package var kind: CollectorChangeKind
    package var collector: CollectorNumber
    /// Where this was seen, in words: `static list`, `file collectors.yaml`, …
    package var evidence: String

    package init(kind: CollectorChangeKind, collector: CollectorNumber, evidence: String) {
        self.kind = kind
        self.collector = collector
        self.evidence = evidence
    }
}

/// The rule by which targets were placed, complete enough to be computed again.
package struct Placement: Sendable, Hashable {
    /// `consistent-hashing`, `least-weighted`, `sticky`.
    package var strategy: String
    /// `v1` or `v0`; nil for strategies without a ring.
    package var ringVersion: String?
    /// The collectors, sorted bytewise.
    package var members: [String]
    /// For each partition the index of its owner in `members`; empty without a ring.
    package var partitionOwners: [UInt16]
    /// Anything a reader must know, for instance where upstream's library would have given up, or settings of `sticky`.
    package var note: String?

    package init(
        strategy: String, ringVersion: String?, members: [String], partitionOwners: [UInt16], note: String? = nil
    ) {
        self.strategy = strategy
        self.ringVersion = ringVersion
        self.members = members
        self.partitionOwners = partitionOwners
        self.note = note
    }
}

extension Placement {
    /// Strategy, version and settings, for people.
    package var name: String {
        StrategyConfiguration(self)?.description ?? [strategy, ringVersion].compactMap(\.self).joined(separator: " ")
    }

    /// Whether this is a rule of that strategy, version and settings.
    package func isMade(by configuration: StrategyConfiguration) -> Bool {
        StrategyConfiguration(self) == configuration
    }
}

/// Everything that one revision changes.
package struct AllocationChange: Sendable {
    package var targets: ContiguousArray<TargetChange>
    package var collectors: [CollectorChange]
    /// Job names by ``JobNumber``.
    package var jobs: [String]
    /// Collectors by ``CollectorNumber``, those that left included.
    package var collectorTable: [Collector]
    /// The rule in force after this change.
    package var placement: Placement

    package init(
        targets: ContiguousArray<TargetChange> = [], collectors: [CollectorChange] = [], jobs: [String] = [],
        collectorTable: [Collector] = [], placement: Placement
    ) {
        self.targets = targets
        self.collectors = collectors
        self.jobs = jobs
        self.collectorTable = collectorTable
        self.placement = placement
    }

    /// Nothing to record. A changed placement alone is something.
    package var isEmpty: Bool { targets.isEmpty && collectors.isEmpty }
}
