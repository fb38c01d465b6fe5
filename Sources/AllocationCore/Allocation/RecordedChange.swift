//
// RecordedChange.swift: what one recorded revision changed, as it is read back: by names and values, not by numbers.
//

/// The input of ``AllocationState/apply(recorded:)``.
package struct RecordedChange: Sendable {
    /// One target's change.
    package struct Target: Sendable {
        /// Place of the job's name in ``RecordedChange/jobs``.
        package var job: Int32
        package var identity: TargetIdentity
        /// Nil: the target is new.
        package var before: Before?
        /// Nil: the target is gone.
        package var after: After?
        package var reason: Reason

        package init(job: Int32, identity: TargetIdentity, before: Before?, after: After?, reason: Reason) {
            self.job = job
            self.identity = identity
            self.before = before
            self.after = after
            self.reason = reason
        }
    }

    package struct Before: Sendable {
        /// Place in ``RecordedChange/collectors``; nil while no collector had it.
        package var collector: Int32?

        package init(collector: Int32?) { self.collector = collector }
    }

    package struct After: Sendable {
        /// Nil: those it had.
        package var labels: LabelSet?
        /// Place in ``RecordedChange/collectors``; nil while no collector has it.
        package var collector: Int32?

        package init(labels: LabelSet?, collector: Int32?) {
            self.labels = labels
            self.collector = collector
        }
    }

    /// One collector's change.
    package struct CollectorEvent: Sendable {
        package var kind: CollectorChangeKind
        /// Place in ``RecordedChange/collectors``.
        package var collector: Int32
        package var node: String?
        package var evidence: String

        package init(kind: CollectorChangeKind, collector: Int32, node: String?, evidence: String) {
            self.kind = kind
            self.collector = collector
            self.node = node
            self.evidence = evidence
        }
    }

    package var targets: ContiguousArray<Target>
    package var events: [CollectorEvent]
    /// Names that ``targets`` refer to.
    package var jobs: [String]
    /// Collectors that ``targets`` and ``events`` refer to, by name and uid.
    package var collectors: [Collector]
    /// The rule in force after this change.
    package var placement: Placement

    package init(
        targets: ContiguousArray<Target> = [], events: [CollectorEvent] = [], jobs: [String] = [],
        collectors: [Collector] = [], placement: Placement
    ) {
        self.targets = targets
        self.events = events
        self.jobs = jobs
        self.collectors = collectors
        self.placement = placement
    }
}
