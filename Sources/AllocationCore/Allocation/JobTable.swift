//
// JobTable.swift: the targets of one job, by identity, and which sources they come from.
//
// Several groups, or several targets of one group, can relabel to the same identity; they are one target. What is
// served for it must not depend on the order of discovery, so the smallest address wins, then the smaller label set
// (spec/target-allocator.md Q13).
//

/// One job's targets.
///
/// Invariant: `contributors` of a slot is the number of source targets with its identity. Zero means that the slot was
/// loaded from the ledger and its discovery has not shown it yet; such a slot stays until the job is synchronised.
struct JobTable: Sendable {
    static let none: UInt32 = .max

    struct Slot: Sendable {
        var identity: TargetIdentity
        var labels: LabelSet
        /// Raw value of the address's LabelID, or `none`.
        var address: UInt32
        /// Raw value of the CollectorNumber, -1 without one.
        var collector: Int32 = -1
        var contributors: Int32 = 0
        /// The step that last noted this slot's state before.
        var touchedIn: UInt32 = 0
        var isUsed = true
    }

    let number: JobNumber
    let name: String
    var slots: ContiguousArray<Slot> = []
    var sources: [SourceKey: ContiguousArray<IdentifiedTarget>] = [:]
    var isSynchronised = false
    /// Targets of this job by raw CollectorNumber; kept only for a strategy that asks.
    var targetCounts: [Int32: Int] = [:]
    /// Targets that share an identity, for identities with two contributors or more.
    private var shared: [TargetIdentity: [IdentifiedTarget]] = [:]
    private var index = IdentityIndex()
    private var freeSlots: ContiguousArray<Int32> = []

    init(number: JobNumber, name: String) {
        self.number = number
        self.name = name
    }

    /// Targets, assigned or not.
    var count: Int { index.count }

    func slot(of identity: TargetIdentity) -> Int32? {
        index.slot(of: identity) { slots[Int($0)].identity }
    }

    mutating func reserve(_ additional: Int) {
        if index.count == 0 { index.reserve(additional) }
        // Exact reservations would make repeated small steps quadratic.
        if additional > slots.count { slots.reserveCapacity(slots.count + additional) }
    }

    mutating func add(_ target: IdentifiedTarget) -> (slot: Int32, isNew: Bool) {
        if let slot = slot(of: target.identity) { return (slot, false) }
        let new = Slot(
            identity: target.identity, labels: target.labels, address: target.address?.rawValue ?? Self.none)
        let slot: Int32
        if let free = freeSlots.popLast() {
            slots[Int(free)] = new
            slot = free
        } else {
            slot = Int32(slots.count)
            slots.append(new)
        }
        index.insert(slot, for: target.identity) { slots[Int($0)].identity }
        return (slot, true)
    }

    mutating func free(_ slot: Int32) {
        index.remove(slot, for: slots[Int(slot)].identity)
        slots[Int(slot)].isUsed = false
        slots[Int(slot)].labels = LabelSet()
        slots[Int(slot)].collector = -1
        freeSlots.append(slot)
    }

    // MARK: Contributions

    /// Counts one more source target for the slot and lets the right one be served.
    mutating func contribute(_ target: IdentifiedTarget, to slot: Int32, in table: LabelTable) {
        let position = Int(slot)
        slots[position].contributors += 1
        if slots[position].contributors == 1 {
            serve(target, in: slot)
            return
        }
        var all =
            shared[target.identity]
            ?? [
                IdentifiedTarget(
                    identity: target.identity, labels: slots[position].labels, address: address(of: slot))
            ]
        all.append(target)
        shared[target.identity] = all
        serveSmallest(of: all, in: slot, table)
    }

    /// Counts one source target less. With none left the slot keeps its last state, for the event to come.
    mutating func withdraw(_ target: IdentifiedTarget, from slot: Int32, in table: LabelTable) {
        slots[Int(slot)].contributors -= 1
        guard var all = shared[target.identity] else { return }
        if let place = all.firstIndex(of: target) { all.remove(at: place) }
        shared[target.identity] = all.count > 1 ? all : nil
        serveSmallest(of: all, in: slot, table)
    }

    /// Forgets all sources; no target has a contributor afterwards.
    mutating func withdrawAll() {
        sources = [:]
        shared = [:]
        for slot in slots.indices { slots[slot].contributors = 0 }
    }

    /// Counts afresh, or forgets the counts.
    mutating func countByCollector(_ isWanted: Bool) {
        targetCounts = [:]
        guard isWanted else { return }
        for slot in slots where slot.isUsed && slot.collector >= 0 { targetCounts[slot.collector, default: 0] += 1 }
    }

    func address(of slot: Int32) -> LabelID? {
        let raw = slots[Int(slot)].address
        return raw == Self.none ? nil : LabelID(rawValue: raw)
    }

    func state(of slot: Int32) -> TargetState {
        let collector = slots[Int(slot)].collector
        return TargetState(
            labels: slots[Int(slot)].labels, address: address(of: slot),
            collector: collector < 0 ? nil : CollectorNumber(rawValue: collector)
        )
    }

    private mutating func serve(_ target: IdentifiedTarget, in slot: Int32) {
        slots[Int(slot)].labels = target.labels
        slots[Int(slot)].address = target.address?.rawValue ?? Self.none
    }

    private mutating func serveSmallest(of all: [IdentifiedTarget], in slot: Int32, _ table: LabelTable) {
        if let smallest = all.min(by: { TargetOrder.precedes($0, $1, in: table) }) { serve(smallest, in: slot) }
    }
}
