//
// AllocationState+Recorded.swift: advances a state by what another process has recorded.
//
// A replica that does not write decides nothing: it takes over each change as it stands. Targets that come this way have
// no source here, as loaded ones have none; so a replica that begins to lead removes nothing before its own discovery has
// shown what there is.
//

extension AllocationState {
    /// What the state knows of a target; nil when it has none of this identity.
    package func target(_ identity: TargetIdentity, job name: String) -> TargetState? {
        guard let number = number(ofKnownJob: name), let slot = jobs[Int(number.rawValue)].slot(of: identity) else {
            return nil
        }
        return jobs[Int(number.rawValue)].state(of: slot)
    }

    /// Takes over one recorded revision, whole or not at all.
    ///
    /// - Precondition: ``forgetDiscovery()`` since the last step of this process's own.
    /// - Returns: The change as the process that recorded it had it; nil, and nothing is changed, when the state before
    ///   is not the one that was recorded.
    package mutating func apply(recorded change: RecordedChange) -> AllocationChange? {
        guard change.targets.allSatisfy({ fits($0, change) }) else { return nil }
        take(change.events, change)
        let numbers = change.collectors.map { collector in
            // A collector that left may still have targets, and be named by them alone.
            collectors.number(of: collector.name) ?? collectors.add(collector, isPresent: false)
        }
        let addressName = table.nameID(for: "__address__")
        var targets = ContiguousArray<TargetChange>()
        targets.reserveCapacity(change.targets.count)
        for target in change.targets {
            let job = Int(number(ofJob: change.jobs[Int(target.job)]).rawValue)
            let known = jobs[job].slot(of: target.identity)
            let before = known.map { jobs[job].state(of: $0) }
            let after = target.after.map { after in
                let labels = after.labels ?? before?.labels ?? LabelSet()
                return TargetState(
                    labels: labels, address: labels.value(of: addressName, in: table),
                    collector: after.collector.map { numbers[Int($0)] })
            }
            set(after, of: target.identity, job: job, slot: known)
            targets.append(
                TargetChange(
                    job: jobs[job].number, identity: target.identity, before: before, after: after,
                    reason: target.reason))
        }
        return AllocationChange(
            targets: targets,
            collectors: change.events.map {
                CollectorChange(kind: $0.kind, collector: numbers[Int($0.collector)], evidence: $0.evidence)
            },
            jobs: jobNames, collectorTable: collectorTable, placement: change.placement)
    }

    /// Lets go of what this process's discovery contributed, as if the state had been loaded: from here on others decide.
    package mutating func forgetDiscovery() {
        for job in jobs.indices {
            jobs[job].withdrawAll()
            jobs[job].isSynchronised = false
        }
    }

    /// Whether the state before is the one that was recorded.
    private func fits(_ target: RecordedChange.Target, _ change: RecordedChange) -> Bool {
        let known = self.target(target.identity, job: change.jobs[Int(target.job)])
        guard let before = target.before else { return known == nil && target.after?.labels != nil }
        guard let known else { return false }
        return known.collector.map { collectors.all[Int($0.rawValue)].name }
            == before.collector.map { change.collectors[Int($0)].name }
    }

    private mutating func take(_ events: [RecordedChange.CollectorEvent], _ change: RecordedChange) {
        for event in events {
            var collector = change.collectors[Int(event.collector)]
            collector.nodeName = event.node
            let number = collectors.number(of: collector.name)
            let wasPresent = number.map { collectors.isPresent[Int($0.rawValue)] } ?? false
            switch event.kind {
            case .joined: _ = collectors.add(collector, isPresent: true)
            case .left: if let number { collectors.leave(number) }
            case .nodeChanged, .ready, .notReady: _ = collectors.add(collector, isPresent: wasPresent)
            }
        }
        // The rule is what is recorded, whatever this process would be told to do.
        let recorded = StrategyConfiguration(change.placement) ?? strategy
        if recorded != strategy {
            strategy = recorded
            rebuildPlacer()
        } else if !events.isEmpty {
            bindPlacer()
        }
    }

    private mutating func set(_ after: TargetState?, of identity: TargetIdentity, job: Int, slot known: Int32?) {
        guard let after else {
            guard let known else { return }
            assign(-1, to: known, in: job)
            jobs[job].free(known)
            return
        }
        let target = IdentifiedTarget(identity: identity, labels: after.labels, address: after.address)
        let slot = known ?? jobs[job].add(target).slot
        jobs[job].slots[Int(slot)].labels = after.labels
        jobs[job].slots[Int(slot)].address = after.address?.rawValue ?? JobTable.none
        assign(after.collector?.rawValue ?? -1, to: slot, in: job)
    }
}
