//
// AllocationState+Difference.swift: what leads from one state to another, for states that no recorded change connects.
//
// Needed where the database has lost what led from one to the other. Reasons are those that the two states themselves show.
//

extension AllocationState {
    /// The change that makes this state of `base`. Both must share their label table.
    ///
    /// - Parameters:
    ///   - evidence: Why collectors count as having come or gone.
    ///   - placement: The rule in force in this state, as it was recorded.
    package func change(from base: AllocationState, evidence: String, placement: Placement) -> AllocationChange {
        precondition(table === base.table, "states of two label tables cannot be compared")
        var (names, members) = (jobNames, collectorTable)
        var numbers: [String: Int32] = [:]
        for (index, collector) in members.enumerated() { numbers[collector.name] = Int32(index) }
        var jobNumbers: [String: Int32] = [:]
        for (index, name) in names.enumerated() { jobNumbers[name] = Int32(index) }
        // The base's collectors, by the numbers of this state.
        let known = base.collectorTable.map { collector -> CollectorNumber in
            if numbers[collector.name] == nil {
                numbers[collector.name] = Int32(members.count)
                members.append(collector)
            }
            return CollectorNumber(rawValue: numbers[collector.name] ?? 0)
        }
        func translated(_ state: TargetState) -> TargetState {
            TargetState(
                labels: state.labels, address: state.address,
                collector: state.collector.map { known[Int($0.rawValue)] })
        }

        let collectors = collectorChanges(from: base, known, evidence)
        let joined = Set(collectors.filter { $0.kind == .joined }.map(\.collector))
        let left = Set(collectors.filter { $0.kind == .left }.map(\.collector))
        func reason(_ before: TargetState, _ after: TargetState) -> Reason {
            if before.labels != after.labels { return .labelsChanged }
            if let old = before.collector, left.contains(old) {
                return after.collector == nil ? .noCollector : .collectorLeft
            }
            guard let new = after.collector else { return .noCollector }
            return before.collector == nil || joined.contains(new) ? .collectorJoined : .cascadeLoadBound
        }

        var targets = ContiguousArray<TargetChange>()
        let baseJobs = Dictionary(base.jobs.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        for job in jobs {
            let old = baseJobs[job.name]
            for slot in job.slots.indices where job.slots[slot].isUsed {
                let (identity, after) = (job.slots[slot].identity, job.state(of: Int32(slot)))
                let before = old.flatMap { old in old.slot(of: identity).map { translated(old.state(of: $0)) } }
                guard before != after else { continue }
                targets.append(
                    TargetChange(
                        job: job.number, identity: identity, before: before, after: after,
                        reason: before.map { reason($0, after) } ?? .discovered))
            }
        }
        let ownJobs = Dictionary(jobs.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        for job in base.jobs {
            for slot in job.slots.indices where job.slots[slot].isUsed {
                let identity = job.slots[slot].identity
                guard ownJobs[job.name]?.slot(of: identity) == nil else { continue }
                if jobNumbers[job.name] == nil {
                    jobNumbers[job.name] = Int32(names.count)
                    names.append(job.name)
                }
                targets.append(
                    TargetChange(
                        job: JobNumber(rawValue: jobNumbers[job.name] ?? 0), identity: identity,
                        before: translated(job.state(of: Int32(slot))), after: nil, reason: .vanished))
            }
        }
        return AllocationChange(
            targets: targets, collectors: collectors, jobs: names, collectorTable: members, placement: placement)
    }

    /// - Parameter known: The base's collectors by this state's numbers.
    private func collectorChanges(
        from base: AllocationState, _ known: [CollectorNumber], _ evidence: String
    ) -> [CollectorChange] {
        let (here, there) = (Set(collectorNames), Set(base.collectorNames))
        var changes: [CollectorChange] = []
        for (index, collector) in collectorTable.enumerated() where here.contains(collector.name) {
            let number = CollectorNumber(rawValue: Int32(index))
            if !there.contains(collector.name) {
                changes.append(CollectorChange(kind: .joined, collector: number, evidence: evidence))
            } else if base.collectorTable.contains(where: {
                $0.name == collector.name && $0.nodeName != collector.nodeName
            }) {
                changes.append(CollectorChange(kind: .nodeChanged, collector: number, evidence: evidence))
            }
        }
        for (index, collector) in base.collectorTable.enumerated()
        where there.contains(collector.name) && !here.contains(collector.name) {
            changes.append(CollectorChange(kind: .left, collector: known[index], evidence: evidence))
        }
        return changes
    }
}
