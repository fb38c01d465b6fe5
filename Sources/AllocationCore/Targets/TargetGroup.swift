//
// TargetGroup.swift: what a discoverer hands over.
//

/// Targets that share labels, known by the source they came from. A group without targets removes its source.
package struct TargetGroup: Sendable, Hashable {
    /// Names the group within its provider, for instance a file and an index.
    package var source: String
    /// Labels that all its targets have, unless a target has its own value.
    package var labels: LabelSet
    /// Each target's own labels, `__address__` included.
    package var targets: [LabelSet]

    package init(source: String, labels: LabelSet, targets: [LabelSet]) {
        self.source = source
        self.labels = labels
        self.targets = targets
    }
}
