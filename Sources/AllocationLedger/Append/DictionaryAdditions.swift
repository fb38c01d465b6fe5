//
// DictionaryAdditions.swift: what a revision needs that the dictionary does not have yet.
//

import AllocationCore

/// Rows to be added to the dictionaries, and the ids that the revision's events refer to.
struct DictionaryAdditions: Sendable {
    struct NewLabelSet: Sendable {
        let labels: LabelSet
        let digest: Digest32
    }

    struct NewTarget: Sendable {
        let job: Int32
        let identity: TargetIdentity
        let address: LabelID?
    }

    var labels: ContiguousArray<LabelID> = []
    /// Keyed by label set, so that two targets with equal labels share a row.
    var labelSetIDs: [LabelSetKey: Int32] = [:]
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

/// A revision's events by stored ids; parallel to `AllocationChange.targets`. 0 stands for none.
struct ResolvedChange: Sendable {
    var targets: ContiguousArray<Int32> = []
    var labelSetsBefore: ContiguousArray<Int32> = []
    var labelSetsAfter: ContiguousArray<Int32> = []
    /// By CollectorNumber; 0 for collectors that the change does not name.
    var collectors: ContiguousArray<Int32> = []
    var configuration: Int32?
    var ring: Int32 = 0
    var ringDigest: Digest32 = .zero
    /// Hash of each event, in order: target events, then collector events.
    var tree = MerkleTree()
}
