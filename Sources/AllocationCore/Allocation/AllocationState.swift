//
// AllocationState.swift: all targets, all collectors and who has what; turns an input into the change it makes.
//
// The pure middle of the walk: same state and same input give the same change on any machine. Work is proportional to
// what changed: a changed group costs its own targets. Only a change of the strategy, and under a ring one of the
// collectors, looks at every target, once.
//

/// The allocation as it will be once everything handed out by its steps is recorded.
///
/// A step is one call of `apply`: it changes the state and returns what changed, before and after. Whoever records the
/// change must either succeed or load the state anew; a change must not be dropped.
package struct AllocationState: Sendable {
    package let table: LabelTable
    package internal(set) var strategy: StrategyConfiguration
    /// The rule in force, as the ledger keeps it.
    package private(set) var placement: Placement
    var jobs: [JobTable] = []
    private var jobNumbers: [String: JobNumber] = [:]
    var collectors = CollectorTable()
    private(set) var placer: Placer
    var step = AllocationStep()
    /// Kept for `sticky`.
    var loads: LoadOrder?
    /// Kept for strategies that go by load.
    var holdings: Holdings?

    package init(table: LabelTable, strategy: StrategyConfiguration) {
        self.table = table
        self.strategy = strategy
        placer = Placer(strategy, collectors: collectors)
        placement = placer.placement(strategy, collectors: collectors)
        rebuildPlacer()
    }

    /// Targets of all jobs, assigned or not.
    package var targetCount: Int { jobs.reduce(0) { $0 + $1.count } }
    /// Names of the collectors that are present, sorted bytewise.
    package var collectorNames: [String] { collectors.presentNames }

    // MARK: Steps

    /// Takes what discovery found. Unknown jobs are added.
    package mutating func apply(discovery updates: [JobUpdate]) -> AllocationChange {
        beginDiscovery()
        for update in updates { add(update) }
        return finishDiscovery()
    }

    /// Begins a step whose input comes in parts, so that one part is allocated while the next is still relabelled.
    package mutating func beginDiscovery() { begin() }

    /// Takes one part of the input.
    package mutating func add(_ update: JobUpdate) {
        let job = Int(number(ofJob: update.job).rawValue)
        for source in update.sources { replace(source, in: job) }
        if update.isSynchronised, !jobs[job].isSynchronised { synchronise(job) }
    }

    /// Ends the step begun by ``beginDiscovery()``.
    package mutating func finishDiscovery() -> AllocationChange {
        finish(removalReason: .vanished, assignmentReason: .discovered)
    }

    /// Whether the load is to be evened out further, although nothing else changes: settings of `sticky` bound what one
    /// revision may move.
    package var isUneven: Bool {
        guard case .sticky(_, let settings) = placer, let loads else { return false }
        return loads.spread > settings.rebalanceAbove
    }

    /// Evens out the load as far as one revision may.
    package mutating func rebalance() -> AllocationChange {
        begin()
        return finish(removalReason: .vanished, assignmentReason: .rebalanced)
    }

    /// Takes the collectors there are now.
    ///
    /// - Parameters:
    ///   - present: The whole set; names must be unique.
    ///   - isSynchronised: Whether the set is known to be complete. If not, nobody counts as having left.
    ///   - evidence: Where the set was seen, for the record.
    package mutating func apply(collectors present: [Collector], isSynchronised: Bool, evidence: String)
        -> AllocationChange
    {
        begin()
        let wanted = Set(present.map(\.name))
        var joined: Set<Int32> = []
        var changes: [CollectorChange] = []
        for collector in present.sorted(by: { ByteOrder.precedes($0.name, $1.name) }) {
            let known = collectors.number(of: collector.name)
            let wasPresent = known.map { collectors.isPresent[Int($0.rawValue)] } ?? false
            let nodeBefore = known.flatMap { collectors.all[Int($0.rawValue)].nodeName }
            let number = collectors.add(collector, isPresent: true)
            if !wasPresent {
                joined.insert(number.rawValue)
                changes.append(CollectorChange(kind: .joined, collector: number, evidence: evidence))
            } else if nodeBefore != collector.nodeName {
                changes.append(CollectorChange(kind: .nodeChanged, collector: number, evidence: evidence))
            }
        }
        if isSynchronised {
            for name in collectors.presentNames where !wanted.contains(name) {
                guard let number = collectors.number(of: name) else { continue }
                collectors.leave(number)
                changes.append(CollectorChange(kind: .left, collector: number, evidence: evidence))
            }
        }
        if changes.contains(where: { $0.kind == .joined || $0.kind == .left }) {
            bindPlacer()
            replaceAll { [collectors] before, after in
                if before >= 0, !collectors.isPresent[Int(before)] { return .collectorLeft }
                return before < 0 || joined.contains(after) ? .collectorJoined : .cascadeLoadBound
            }
        }
        var change = finish(
            removalReason: .vanished, assignmentReason: .collectorJoined,
            movedTo: { joined.contains($0) ? .collectorJoined : .rebalanced })
        change.collectors = changes
        return change
    }

    /// Takes another strategy: every target is put to it, and whatever moves does so for that reason.
    ///
    /// - Parameter recorded: The rule by which the present assignments were made, when they come from the ledger.
    package mutating func apply(strategy: StrategyConfiguration, replacing recorded: Placement? = nil)
        -> AllocationChange
    {
        begin()
        if strategy != self.strategy || recorded?.isMade(by: strategy) == false {
            self.strategy = strategy
            rebuildPlacer()
            replaceAll { _, _ in .strategyChanged }
        }
        return finish(
            removalReason: .vanished, assignmentReason: .strategyChanged, movedTo: { _ in .strategyChanged })
    }

    /// Removes all jobs but those named.
    package mutating func apply(configuredJobs: Set<String>) -> AllocationChange {
        begin()
        for index in jobs.indices where !configuredJobs.contains(jobs[index].name) {
            for slot in jobs[index].slots.indices where jobs[index].slots[slot].isUsed {
                step.note(Int32(slot), of: &jobs[index])
            }
            jobs[index].withdrawAll()
            jobs[index].isSynchronised = true
        }
        return finish(removalReason: .jobRemoved, assignmentReason: .discovered)
    }

    // MARK: Loading

    /// Adds a job by name.
    mutating func number(ofJob name: String) -> JobNumber {
        if let number = jobNumbers[name] { return number }
        let number = JobNumber(rawValue: Int32(jobs.count))
        jobs.append(JobTable(number: number, name: name))
        jobNumbers[name] = number
        return number
    }

    func number(ofKnownJob name: String) -> JobNumber? { jobNumbers[name] }

    /// Binds the strategy to the collectors that are present, and counts afresh what it asks for.
    mutating func rebuildPlacer() {
        for job in jobs.indices { jobs[job].countByCollector(countsByJob) }
        bindPlacer()
        holdings = placer.balanced == nil ? nil : Holdings(jobs, collectorCount: collectors.all.count)
    }

    /// Binds the strategy to the collectors that are present. What the strategy counts goes on.
    mutating func bindPlacer() {
        placer = Placer(strategy, collectors: collectors)
        placement = placer.placement(strategy, collectors: collectors)
        guard case .sticky(let present, _) = placer else { return loads = nil }
        loads = LoadOrder(present, collectorCount: collectors.all.count) { collectors.targetCounts[Int($0)] }
    }

    /// Only least-weighted asks how many targets of a job a collector has.
    var countsByJob: Bool { strategy == .leastWeighted }

    // MARK: Parts of a step

    private mutating func begin() { step.begin() }

    private mutating func replace(_ update: SourceUpdate, in job: Int) {
        let old = jobs[job].sources[update.key] ?? []
        if old == update.targets { return }
        for target in old {
            guard let slot = jobs[job].slot(of: target.identity) else { continue }
            step.note(slot, of: &jobs[job])
            jobs[job].withdraw(target, from: slot, in: table)
        }
        jobs[job].reserve(update.targets.count)
        for target in update.targets {
            let (slot, isNew) = jobs[job].add(target)
            step.note(slot, of: &jobs[job], isNew: isNew)
            jobs[job].contribute(target, to: slot, in: table)
        }
        jobs[job].sources[update.key] = update.targets.isEmpty ? nil : update.targets
    }

    /// From now on what no source has is gone; looks at every target of the job, once in its life.
    private mutating func synchronise(_ job: Int) {
        jobs[job].isSynchronised = true
        for slot in jobs[job].slots.indices where jobs[job].slots[slot].isUsed {
            if jobs[job].slots[slot].contributors == 0 { step.note(Int32(slot), of: &jobs[job]) }
        }
    }

    private mutating func finish(
        removalReason: Reason, assignmentReason: Reason, movedTo: (Int32) -> Reason = { _ in .rebalanced }
    ) -> AllocationChange {
        // What is gone weighs nothing when the rest is placed.
        let released = release()
        placeUnassigned(released)
        evenOut(movedTo)
        var targets = ContiguousArray<TargetChange>()
        targets.reserveCapacity(step.touched.count)
        for touched in step.touched {
            let job = Int(touched.job)
            let before = step.before(touched)
            let after = isHere(touched) ? jobs[job].state(of: touched.slot) : nil
            if after != before {
                targets.append(
                    TargetChange(
                        job: jobs[job].number, identity: jobs[job].slots[Int(touched.slot)].identity,
                        before: before, after: after,
                        reason: reason(touched, before, after, removed: removalReason, assigned: assignmentReason)))
            }
            if after == nil { jobs[job].free(touched.slot) }
        }
        step.end()
        return AllocationChange(
            targets: targets, jobs: jobs.map(\.name), collectorTable: collectors.all, placement: placement)
    }

    private func reason(
        _ touched: AllocationStep.Touched, _ before: TargetState?, _ after: TargetState?, removed: Reason,
        assigned: Reason
    ) -> Reason {
        guard let after else { return removed }
        guard let before else { return .discovered }
        if before.collector != after.collector, let reason = step.reason(touched) { return reason }
        return before.labels != after.labels ? .labelsChanged : assigned
    }

    /// Before its job is synchronised a target that the ledger knows stays, found or not.
    private func isHere(_ touched: AllocationStep.Touched) -> Bool {
        jobs[Int(touched.job)].slots[Int(touched.slot)].contributors > 0
            || (!jobs[Int(touched.job)].isSynchronised && touched.before >= 0)
    }

    /// Takes what is gone from its collectors.
    ///
    /// - Returns: What was with a collector that is present.
    private mutating func release() -> [AllocationStep.Touched] {
        var released: [AllocationStep.Touched] = []
        for touched in step.touched where !isHere(touched) {
            let collector = jobs[Int(touched.job)].slots[Int(touched.slot)].collector
            guard collector >= 0 else { continue }
            if collectors.isPresent[Int(collector)] { released.append(touched) }
            assign(-1, to: touched.slot, in: Int(touched.job))
        }
        return released
    }

    /// Gives a target to a collector, or to none (-1). Every change of a target's collector goes through here.
    mutating func assign(_ collector: Int32, to slot: Int32, in job: Int) {
        let before = jobs[job].slots[Int(slot)].collector
        guard before != collector else { return }
        if before >= 0 {
            collectors.targetCounts[Int(before)] -= 1
            if countsByJob { jobs[job].targetCounts[before, default: 0] -= 1 }
            loads?.add(-1, to: before)
        }
        jobs[job].slots[Int(slot)].collector = collector
        guard collector >= 0 else { return }
        collectors.targetCounts[Int(collector)] += 1
        if countsByJob { jobs[job].targetCounts[collector, default: 0] += 1 }
        loads?.add(1, to: collector)
        holdings?.add(
            slot, of: job, to: collector, count: collectors.targetCounts[Int(collector)], in: jobs)
    }
}
