//
// IdentifiedTarget.swift: a target after relabelling, before it has a collector.
//

/// The 64-bit hash by which the standard API names a target (spec/target-allocator.md 6.4). Shown in decimal.
package struct TargetIdentity: Hashable, Sendable, Comparable {
    package let rawValue: UInt64

    package init(rawValue: UInt64) { self.rawValue = rawValue }

    package static func < (a: TargetIdentity, b: TargetIdentity) -> Bool { a.rawValue < b.rawValue }
}

/// A target that relabelling kept.
package struct IdentifiedTarget: Sendable, Hashable {
    package var identity: TargetIdentity
    /// Merged, un-relabelled: what is served, since the collector relabels again itself.
    package var labels: LabelSet
    /// The `__address__` pair of `labels`; nil when they have none.
    package var address: LabelID?

    package init(identity: TargetIdentity, labels: LabelSet, address: LabelID?) {
        self.identity = identity
        self.labels = labels
        self.address = address
    }
}
