//
// JobDirectory.swift: the jobs of a snapshot, shared from revision to revision but for those that changed.
//

import AllocationCore
import Synchronization

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
    private var emptied = EmptiedLists()

    func job(named name: String) -> JobSnapshot? { numbers[name].flatMap { jobs[$0] } }

    /// The empty list of a collector that had targets of the job and has not been told yet that it has none.
    func emptiedList(job: String, collector: String) -> TargetList? { emptied[job, collector] }

    func hasTargets(_ collector: CollectorNumber) -> Bool { sorted.contains { $0.lists[collector] != nil } }

    /// - Parameters:
    ///   - names: Of the jobs, by number.
    ///   - collectors: Names by number.
    func applying(
        _ changes: SnapshotChanges, names: [String], collectors: [String], change: ListChange, in table: LabelTable
    ) -> JobDirectory {
        guard !changes.edits.isEmpty else { return self }
        var next = self
        let byJob = Dictionary(grouping: changes.edits, by: \.key.job)
        for (number, edits) in byJob {
            let old = jobs[number]
            var lists = old?.lists ?? [:]
            var unassigned = old?.unassigned
            for (place, edit) in edits {
                let before = place.collector.map { lists[$0] } ?? unassigned
                let after = Self.edited(before, edit, change, table)
                if let collector = place.collector { lists[collector] = after } else { unassigned = after }
            }
            let name = names[Int(number.rawValue)]
            next.emptied.note(
                job: name, lostAll: edits.compactMap { $0.key.collector }.filter { lists[$0] == nil },
                hasSome: edits.compactMap { $0.key.collector }.filter { lists[$0] != nil }, collectors, change)
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
    private static func edited(
        _ list: TargetList?, _ edit: SnapshotChanges.Edit, _ change: ListChange, _ table: LabelTable
    ) -> TargetList? {
        let edited =
            list?.replacing(removed: edit.removed, added: edit.added, change: change, in: table)
            ?? TargetList(targets: edit.added, change: change, in: table)
        return edited.targets.isEmpty ? nil : edited
    }

    /// This directory, which was loaded, with the very lists of `before` where they hold the same: what was prepared from
    /// them stays, and whether they were fetched.
    ///
    /// - Parameters:
    ///   - numbers: Of the collectors by name, here.
    ///   - oldNumbers: The same in `before`.
    func adopting(
        _ before: JobDirectory, numbers collectors: [String: CollectorNumber],
        oldNumbers: [String: CollectorNumber], change: ListChange
    ) -> JobDirectory {
        var next = self
        next.emptied = before.emptied
        let pairs = oldNumbers.map { (name: $0.key, before: $0.value, now: collectors[$0.key]) }
        for old in before.sorted {
            let number = numbers[old.name]
            var lists = number.flatMap { jobs[$0]?.lists } ?? [:]
            for pair in pairs {
                guard let list = old.lists[pair.before] else { continue }
                if let now = pair.now, let same = lists[now] {
                    if same.targets == list.targets { lists[now] = list }
                } else {
                    next.emptied.note(job: old.name, collector: pair.name, change)
                }
            }
            guard let number, let job = jobs[number] else { continue }
            next.jobs[number] = JobSnapshot(name: job.name, lists: lists, unassigned: job.unassigned)
        }
        next.sorted = next.jobs.values.sorted { ByteOrder.precedes($0.name, $1.name) }
        return next
    }
}

/// Lists that became empty, until their collectors have been told.
private struct EmptiedLists: Sendable {
    private var lists: [String: [String: TargetList]] = [:]
    private var count = 0

    /// Collectors that are gone never ask; what waits for them is let go when there is more than this.
    private static let countMax = 65_536

    subscript(job: String, collector: String) -> TargetList? {
        lists.isEmpty ? nil : lists[job]?[collector]
    }

    mutating func note(
        job: String, lostAll: [CollectorNumber], hasSome: [CollectorNumber], _ names: [String], _ change: ListChange
    ) {
        var ofJob = (lists[job] ?? [:]).filter { !$0.value.wasFetched.load(ordering: .relaxed) }
        for collector in lostAll where count < Self.countMax {
            ofJob[names[Int(collector.rawValue)]] = TargetList(sorted: [], change: change)
        }
        // Also of another incarnation of the same name.
        for collector in hasSome { ofJob[names[Int(collector.rawValue)]] = nil }
        set(ofJob, job)
    }

    mutating func note(job: String, collector: String, _ change: ListChange) {
        guard count < Self.countMax else { return }
        var ofJob = lists[job] ?? [:]
        ofJob[collector] = TargetList(sorted: [], change: change)
        set(ofJob, job)
    }

    private mutating func set(_ ofJob: [String: TargetList], _ job: String) {
        count += ofJob.count - (lists[job]?.count ?? 0)
        lists[job] = ofJob.isEmpty ? nil : ofJob
        if count >= Self.countMax { (lists, count) = ([:], 0) }
    }
}
