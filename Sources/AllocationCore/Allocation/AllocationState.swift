//
// AllocationState.swift: all targets, all collectors and who has what; turns an input into the change it makes.
//
// The pure middle of the walk: same state and same input give the same change on any machine. Work is proportional to
// what changed: a changed group costs its own targets. Only a change of the collectors or of the strategy looks at
// every target, once.
//

/// The allocation as it will be once everything handed out by its steps is recorded.
///
/// A step is one call of `apply`: it changes the state and returns what changed, before and after. Whoever records the
/// change must either succeed or load the state anew; a change must not be dropped.
package struct AllocationState: Sendable {
    package let table: LabelTable
    package private(set) var strategy: StrategyConfiguration
    var jobs: [JobTable] = []
    private var jobNumbers: [String: JobNumber] = [:]
    var collectors = CollectorTable()
    private var placer: Placer
    private var step = AllocationStep()

    package init(table: LabelTable, strategy: StrategyConfiguration) {
        self.table = table
        self.strategy = strategy
        placer = Placer(strategy, collectors: CollectorTable())
    }

    /// Targets of all jobs, assigned or not.
    package var targetCount: Int { jobs.reduce(0) { $0 + $1.count } }
    /// Names of the collectors that are present, sorted bytewise.
    package var collectorNames: [String] { collectors.presentNames }
    package var placement: Placement { placer.placement(strategy, collectors: collectors) }

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
            placer = Placer(strategy, collectors: collectors)
            replaceAll { [collectors] before, after in
                if before >= 0, !collectors.isPresent[Int(before)] { return .collectorLeft }
                return before < 0 || joined.contains(after) ? .collectorJoined : .cascadeLoadBound
            }
        }
        var change = finish(removalReason: .vanished, assignmentReason: .collectorJoined)
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
        return finish(removalReason: .vanished, assignmentReason: .strategyChanged)
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

    /// Binds the strategy to the collectors that are present, and counts what it asks for.
    mutating func rebuildPlacer() {
        placer = Placer(strategy, collectors: collectors)
        for job in jobs.indices { jobs[job].countByCollector(countsByJob) }
    }

    /// Only least-weighted asks how many targets of a job a collector has.
    private var countsByJob: Bool { strategy == .leastWeighted }

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

    /// Puts every target to the strategy again. Without collectors every target keeps the one it had.
    private mutating func replaceAll(_ reason: (_ before: Int32, _ after: Int32) -> Reason) {
        switch placer {
        case .ring(_, let owners) where !owners.isEmpty:
            for job in jobs.indices {
                for slot in jobs[job].slots.indices where jobs[job].slots[slot].isUsed {
                    let before = jobs[job].slots[slot].collector
                    let after = owners[partition(of: Int32(slot), in: job)]
                    guard before != after else { continue }
                    step.note(Int32(slot), of: &jobs[job], reason: reason(before, after))
                    assign(after, to: Int32(slot), in: job)
                }
            }
        case .leastWeighted(let present) where !present.isEmpty:
            var homeless: [(job: Int, slot: Int32)] = []
            for job in jobs.indices {
                for slot in jobs[job].slots.indices where jobs[job].slots[slot].isUsed {
                    let before = jobs[job].slots[slot].collector
                    if before < 0 || !collectors.isPresent[Int(before)] { homeless.append((job, Int32(slot))) }
                }
            }
            for (job, slot) in inOrder(homeless) {
                let before = jobs[job].slots[Int(slot)].collector
                step.note(slot, of: &jobs[job])
                assign(lightest(of: present, job: job), to: slot, in: job)
                step.setReason(reason(before, jobs[job].slots[Int(slot)].collector), of: slot, in: jobs[job])
            }
        case .ring, .leastWeighted:
            break
        }
    }

    private mutating func finish(removalReason: Reason, assignmentReason: Reason) -> AllocationChange {
        placeUnassigned()
        var targets = ContiguousArray<TargetChange>()
        targets.reserveCapacity(step.touched.count)
        for touched in step.touched {
            let job = Int(touched.job)
            let before = step.before(touched)
            // Before its job is synchronised a target that the ledger knows stays, found or not.
            let isHere =
                jobs[job].slots[Int(touched.slot)].contributors > 0
                || (!jobs[job].isSynchronised && before != nil)
            let after = isHere ? jobs[job].state(of: touched.slot) : nil
            if after != before {
                let reason =
                    touched.reason
                    ?? self.reason(before, after, removed: removalReason, assigned: assignmentReason)
                targets.append(
                    TargetChange(
                        job: jobs[job].number, identity: jobs[job].slots[Int(touched.slot)].identity,
                        before: before, after: after, reason: reason))
            }
            if !isHere {
                assign(-1, to: touched.slot, in: job)
                jobs[job].free(touched.slot)
            }
        }
        step.end()
        return AllocationChange(
            targets: targets, jobs: jobs.map(\.name), collectorTable: collectors.all, placement: placement)
    }

    private func reason(
        _ before: TargetState?, _ after: TargetState?, removed: Reason, assigned: Reason
    ) -> Reason {
        guard let after else { return removed }
        guard let before else { return .discovered }
        return before.labels != after.labels ? .labelsChanged : assigned
    }

    private mutating func placeUnassigned() {
        switch placer {
        case .ring(_, let owners) where !owners.isEmpty:
            for touched in step.touched where needsPlace(touched) {
                let owner = owners[partition(of: touched.slot, in: Int(touched.job))]
                assign(owner, to: touched.slot, in: Int(touched.job))
            }
        case .leastWeighted(let present) where !present.isEmpty:
            let homeless = step.touched.filter(needsPlace).map { (job: Int($0.job), slot: $0.slot) }
            for (job, slot) in inOrder(homeless) { assign(lightest(of: present, job: job), to: slot, in: job) }
        case .ring, .leastWeighted:
            break
        }
    }

    private func needsPlace(_ touched: AllocationStep.Touched) -> Bool {
        let (job, slot) = (Int(touched.job), Int(touched.slot))
        return jobs[job].slots[slot].contributors > 0 && jobs[job].slots[slot].collector < 0
    }

    private func partition(of slot: Int32, in job: Int) -> Int {
        guard let address = jobs[job].address(of: slot) else {
            return ConsistentHashRing.partition(of: UnsafeRawBufferPointer(start: nil, count: 0))
        }
        return table.withValueBytes(address) { ConsistentHashRing.partition(of: $0) }
    }

    mutating func assign(_ collector: Int32, to slot: Int32, in job: Int) {
        let before = jobs[job].slots[Int(slot)].collector
        if before >= 0 {
            collectors.targetCounts[Int(before)] -= 1
            if countsByJob { jobs[job].targetCounts[before, default: 0] -= 1 }
        }
        if collector >= 0 {
            collectors.targetCounts[Int(collector)] += 1
            if countsByJob { jobs[job].targetCounts[collector, default: 0] += 1 }
        }
        jobs[job].slots[Int(slot)].collector = collector
    }

    /// Fewest targets, then fewest of this job, then the smallest name (spec/target-allocator.md 8.4).
    private func lightest(of present: ContiguousArray<Int32>, job: Int) -> Int32 {
        var best = present[0]
        for candidate in present.dropFirst() {
            let (a, b) = (collectors.targetCounts[Int(candidate)], collectors.targetCounts[Int(best)])
            if a < b
                || (a == b
                    && jobs[job].targetCounts[candidate, default: 0] < jobs[job].targetCounts[best, default: 0])
            {
                best = candidate
            }
        }
        return best
    }

    /// By job name, address and identity: an order that does not depend on when or by whom targets were found.
    private func inOrder(_ places: [(job: Int, slot: Int32)]) -> [(job: Int, slot: Int32)] {
        places.sorted { a, b in
            if a.job != b.job { return ByteOrder.precedes(jobs[a.job].name, jobs[b.job].name) }
            let order = TargetOrder.compareAddresses(
                jobs[a.job].address(of: a.slot), jobs[b.job].address(of: b.slot), in: table)
            if order != 0 { return order < 0 }
            return jobs[a.job].slots[Int(a.slot)].identity < jobs[b.job].slots[Int(b.slot)].identity
        }
    }
}
