//
// JobDirectory.swift: the jobs of a snapshot, shared from revision to revision but for those that changed.
//

import AllocationCore

/// What a revision takes out of and puts into the lists.
struct SnapshotChanges {
    struct Place: Hashable {
        let job: JobNumber
        /// Nil: the targets that no collector has.
        let collector: CollectorNumber?
    }

    struct Edit {
        var removed: Set<TargetIdentity> = []
        var added: ContiguousArray<IdentifiedTarget> = []
    }

    private(set) var edits: [Place: Edit] = [:]

    mutating func add(_ job: JobNumber, _ collector: CollectorNumber?, _ target: IdentifiedTarget) {
        edits[Place(job: job, collector: collector), default: Edit()].added.append(target)
    }

    mutating func remove(_ job: JobNumber, _ collector: CollectorNumber?, _ identity: TargetIdentity) {
        edits[Place(job: job, collector: collector), default: Edit()].removed.insert(identity)
    }
}

/// Jobs by number and by name. Jobs without a target are absent.
struct JobDirectory: Sendable {
    private var jobs: [JobNumber: JobSnapshot] = [:]
    private var numbers: [String: JobNumber] = [:]
    /// Sorted bytewise by name.
    private(set) var sorted: [JobSnapshot] = []

    func job(named name: String) -> JobSnapshot? { numbers[name].flatMap { jobs[$0] } }

    func hasTargets(_ collector: CollectorNumber) -> Bool { sorted.contains { $0.lists[collector] != nil } }

    func applying(_ changes: SnapshotChanges, names: [String], in table: LabelTable) -> JobDirectory {
        guard !changes.edits.isEmpty else { return self }
        var next = self
        let byJob = Dictionary(grouping: changes.edits, by: \.key.job)
        for (number, edits) in byJob {
            let old = jobs[number]
            var lists = old?.lists ?? [:]
            var unassigned = old?.unassigned
            for (place, edit) in edits {
                let before = place.collector.map { lists[$0] } ?? unassigned
                let after = Self.edited(before, edit, table)
                if let collector = place.collector { lists[collector] = after } else { unassigned = after }
            }
            let name = names[Int(number.rawValue)]
            if lists.isEmpty, unassigned == nil {
                next.jobs[number] = nil
                next.numbers[name] = nil
            } else {
                next.jobs[number] = JobSnapshot(name: name, lists: lists, unassigned: unassigned)
                next.numbers[name] = number
            }
        }
        next.sorted = next.jobs.values.sorted { ByteOrder.precedes($0.name, $1.name) }
        return next
    }

    /// Nil when nothing is left.
    private static func edited(_ list: TargetList?, _ edit: SnapshotChanges.Edit, _ table: LabelTable) -> TargetList? {
        let edited =
            list?.replacing(removed: edit.removed, added: edit.added, in: table)
            ?? TargetList(targets: edit.added, in: table)
        return edited.targets.isEmpty ? nil : edited
    }
}
