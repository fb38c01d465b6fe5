//
// DictionaryAdditions.swift: what a revision needs that the dictionary does not have yet.
//

import AllocationCore

/// Rows to be added to the dictionaries, in the order in which they get their ids.
///
/// New label sets are in the order of their digests and new targets in that of their identities, so that a million of
/// them are appended to the index on it and not scattered over it.
struct DictionaryAdditions: Sendable {
    struct NewLabelSet: Sendable {
        let labels: LabelSet
        let digest: Digest32
        /// How many of the new labels must be there for this one and those before it.
        var labelsThrough: Int32 = 0
    }

    struct NewTarget: Sendable {
        let job: Int32
        let identity: TargetIdentity
        let address: LabelID?

        static func precedes(_ a: NewTarget, _ b: NewTarget) -> Bool {
            // As the index compares them: identities as signed numbers.
            (a.job, Int64(bitPattern: a.identity.rawValue)) < (b.job, Int64(bitPattern: b.identity.rawValue))
        }
    }

    var labels: ContiguousArray<LabelID> = []
    var labelSets: ContiguousArray<NewLabelSet> = []
    var targets: ContiguousArray<NewTarget> = []
    var jobs: [String] = []
    var collectors: [Collector] = []
    var configuration: ConfigurationRecord?
    var ring: (placement: Placement, digest: Digest32)?

    var isEmpty: Bool {
        labels.isEmpty && labelSets.isEmpty && targets.isEmpty && jobs.isEmpty && collectors.isEmpty
            && configuration == nil && ring == nil
    }
}
