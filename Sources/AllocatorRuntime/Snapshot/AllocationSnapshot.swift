//
// AllocationSnapshot.swift: what is served: the allocation of exactly one committed revision.
//
// Published whole and never changed. A revision that touches few targets shares everything else with the snapshot
// before it, so publishing costs what changed plus one pass over the touched lists.
//

import AllocationCore
import AllocationLedger

/// The committed allocation at one revision.
package final class AllocationSnapshot: Sendable {
    /// The revision that this is the content of.
    package let head: LedgerHead
    /// The last change that it has beyond that revision, of those that the journal holds while the database is away; nil
    /// when it is that revision's content.
    package let journal: JournalPosition?
    /// The collectors as they were observed, and the rule by which targets are placed.
    package let roster: Roster
    package let table: LabelTable
    /// Names of the collectors: those present, and those that left but keep targets because none is present. Sorted
    /// bytewise.
    package let collectors: [String]
    /// Jobs that have at least one target, sorted bytewise by name.
    package let jobs: [JobSnapshot]
    package let scrapeConfigs: ScrapeConfigDocument
    /// Configured jobs without a target whose discovery has not shown yet that they are empty: asked for, they are
    /// unknown, not empty.
    package let pendingJobs: Set<String>
    /// Name of the strategy in force.
    package let strategy: String

    private let directory: JobDirectory
    private let collectorNumbers: [String: CollectorNumber]

    /// Tells snapshots of other contents apart.
    package struct Edition: Sendable, Hashable {
        let head: LedgerHead
        let journal: JournalPosition?
    }

    package var edition: Edition { Edition(head: head, journal: journal) }

    /// Who can be given targets, and by what rule.
    package struct Roster: Sendable {
        /// By ``CollectorNumber``, those that left included.
        package var collectors: [Collector]
        /// Names of those that are present.
        package var present: [String]
        package var placement: Placement

        init(_ state: AllocationState, _ placement: Placement? = nil) {
            collectors = state.collectorTable
            present = state.collectorNames
            self.placement = placement ?? state.placement
        }
    }

    private init(
        head: LedgerHead, journal: JournalPosition? = nil, roster: Roster, table: LabelTable, directory: JobDirectory,
        collectorNumbers: [String: CollectorNumber],
        scrapeConfigs: ScrapeConfigDocument, pendingJobs: Set<String>, strategy: String
    ) {
        self.pendingJobs = pendingJobs.filter { directory.job(named: $0) == nil }
        self.head = head
        self.journal = journal
        self.roster = roster
        self.table = table
        self.directory = directory
        self.collectorNumbers = collectorNumbers
        self.scrapeConfigs = scrapeConfigs
        self.strategy = strategy
        collectors = collectorNumbers.keys.sorted(by: ByteOrder.precedes)
        jobs = directory.sorted
    }

    // MARK: Looking up

    /// The job of this name, if it has a target.
    package func job(named name: String) -> JobSnapshot? { directory.job(named: name) }

    /// The number of a collector's name; nil for a collector that nobody has seen.
    package func number(ofCollector name: String) -> CollectorNumber? { collectorNumbers[name] }

    /// What a collector is told of a job; nil is an empty list by committed state, never a lack of state.
    package func targetList(job: String, collector: String) -> TargetList? {
        guard let number = collectorNumbers[collector] else { return nil }
        return directory.job(named: job)?.lists[number]
    }

    /// The empty answer of a collector that had targets of the job and has not been told yet that it has none.
    package func emptiedList(job: String, collector: String) -> TargetList? {
        directory.emptiedList(job: job, collector: collector)
    }

    // MARK: Making

    /// The snapshot of a whole state: after loading, or for tests.
    ///
    /// - Parameter previous: What was served before; lists that hold the same are shared with it.
    package convenience init(
        state: AllocationState, head: LedgerHead, journal: JournalPosition? = nil,
        scrapeConfigs: ScrapeConfigDocument, pendingJobs: Set<String> = [], after previous: AllocationSnapshot? = nil
    ) {
        var changes = SnapshotChanges()
        state.forEachTarget { job, identity, target in
            changes.add(
                job, target.collector,
                IdentifiedTarget(
                    identity: identity, labels: target.labels, address: target.address))
        }
        let (revision, before) = (head.revision.number, previous?.head.revision.number ?? -1)
        let change = ListChange(revisions: min(before + 1, revision)...revision, at: head.at)
        var directory = JobDirectory().applying(
            changes, names: state.jobNames, collectors: state.collectorTable.map(\.name), change: change,
            in: state.table)
        let numbers = Self.collectorNumbers(state, directory)
        // A list of a journal changed at a revision that was not known then.
        if let previous, previous.table === state.table, previous.journal == nil {
            directory = directory.adopting(
                previous.directory, numbers: numbers, oldNumbers: previous.collectorNumbers, change: change)
        }
        self.init(
            head: head, journal: journal, roster: Roster(state), table: state.table, directory: directory,
            collectorNumbers: numbers,
            scrapeConfigs: scrapeConfigs, pendingJobs: pendingJobs, strategy: state.strategy.name)
    }

    /// The snapshot after one more revision.
    ///
    /// - Parameters:
    ///   - change: What that revision changed, exactly as recorded.
    ///   - state: The state after the change; asked for its collectors only.
    ///   - journal: Where the change stands, if it is no revision: then `head` is that of this snapshot.
    package func advanced(
        by change: AllocationChange, state: AllocationState, head: LedgerHead, journal: JournalPosition? = nil,
        scrapeConfigs: ScrapeConfigDocument? = nil, pendingJobs: Set<String> = []
    ) -> AllocationSnapshot {
        var changes = SnapshotChanges()
        for target in change.targets {
            if let before = target.before { changes.remove(target.job, before.collector, target.identity) }
            if let after = target.after {
                changes.add(
                    target.job, after.collector,
                    IdentifiedTarget(
                        identity: target.identity, labels: after.labels, address: after.address))
            }
        }
        let revision = head.revision.number
        let directory = self.directory.applying(
            changes, names: change.jobs, collectors: state.collectorTable.map(\.name),
            change: ListChange(revisions: revision...revision, at: head.at), in: table)
        return AllocationSnapshot(
            head: head, journal: journal, roster: Roster(state, change.placement), table: table, directory: directory,
            collectorNumbers: Self.collectorNumbers(state, directory),
            scrapeConfigs: scrapeConfigs ?? self.scrapeConfigs, pendingJobs: pendingJobs,
            strategy: state.strategy.name)
    }

    /// The same revision with another rendering of the configuration or other jobs still unknown.
    package func with(scrapeConfigs: ScrapeConfigDocument, pendingJobs: Set<String>) -> AllocationSnapshot {
        AllocationSnapshot(
            head: head, journal: journal, roster: roster, table: table, directory: directory,
            collectorNumbers: collectorNumbers, scrapeConfigs: scrapeConfigs, pendingJobs: pendingJobs,
            strategy: strategy)
    }

    /// The change that makes all of this of nothing.
    package var wholeState: AllocationChange {
        var targets = ContiguousArray<TargetChange>()
        targets.reserveCapacity(jobs.reduce(0) { $0 + $1.targetCount })
        for (index, job) in jobs.enumerated() {
            let lists = job.lists.map { (Optional($0.key), $0.value) } + (job.unassigned.map { [(nil, $0)] } ?? [])
            for (collector, list) in lists {
                for target in list.targets {
                    targets.append(
                        TargetChange(
                            job: JobNumber(rawValue: Int32(index)), identity: target.identity, before: nil,
                            after: TargetState(labels: target.labels, address: target.address, collector: collector),
                            reason: .discovered))
                }
            }
        }
        let present = Set(roster.present)
        return AllocationChange(
            targets: targets,
            collectors: roster.collectors.enumerated().filter { present.contains($0.element.name) }.map {
                CollectorChange(kind: .joined, collector: CollectorNumber(rawValue: Int32($0.offset)), evidence: "")
            },
            jobs: jobs.map(\.name), collectorTable: roster.collectors, placement: roster.placement)
    }

    private static func collectorNumbers(
        _ state: AllocationState, _ directory: JobDirectory
    ) -> [String: CollectorNumber] {
        var numbers: [String: CollectorNumber] = [:]
        let present = Set(state.collectorNames)
        for (index, collector) in state.collectorTable.enumerated() {
            let number = CollectorNumber(rawValue: Int32(index))
            if present.contains(collector.name) || directory.hasTargets(number) { numbers[collector.name] = number }
        }
        return numbers
    }
}
