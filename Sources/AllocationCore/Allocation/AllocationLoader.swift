//
// AllocationLoader.swift: builds an allocation from what the ledger holds.
//

/// Takes stored rows one by one and ends as the state they describe.
///
/// Loaded targets have no source yet: they stay until their job's discovery has synchronised and shows that they are
/// gone, so a restart moves and removes nothing.
package struct AllocationLoader: Sendable {
    private var state: AllocationState

    package init(table: LabelTable, strategy: StrategyConfiguration) {
        state = AllocationState(table: table, strategy: strategy)
    }

    package var table: LabelTable { state.table }

    /// - Parameter isPresent: False for a collector that has left but still has targets, or is only named in history. Of
    ///   several incarnations of one name the one that is present counts.
    package mutating func addCollector(_ collector: Collector, isPresent: Bool) -> CollectorNumber {
        if !isPresent, let known = state.collectors.number(of: collector.name),
            state.collectors.isPresent[Int(known.rawValue)]
        {
            return known
        }
        return state.collectors.add(collector, isPresent: isPresent)
    }

    package mutating func addJob(_ name: String) -> JobNumber { state.number(ofJob: name) }

    package mutating func addTarget(
        job: JobNumber, identity: TargetIdentity, labels: LabelSet, address: LabelID?, collector: CollectorNumber?
    ) {
        let index = Int(job.rawValue)
        let (slot, _) = state.jobs[index].add(
            IdentifiedTarget(identity: identity, labels: labels, address: address))
        guard let collector else { return }
        state.jobs[index].slots[Int(slot)].collector = collector.rawValue
        state.collectors.targetCounts[Int(collector.rawValue)] += 1
    }

    /// The finished state, its strategy bound to the collectors that are present.
    ///
    /// - Parameter recorded: The rule by which the targets were placed. Until another one is applied, and recorded, it is
    ///   the one in force; nil, or one that this program does not know: the strategy that was asked for.
    package consuming func finish(placedBy recorded: Placement? = nil) -> AllocationState {
        if let strategy = recorded.flatMap({ StrategyConfiguration($0) }) { state.strategy = strategy }
        state.rebuildPlacer()
        return state
    }
}
