//
// AllocationStep.swift: what one step touched, with the state before, so that only net changes are recorded.
//
// A target can be taken out of one group and put into another within one step; noted once, compared once at the end,
// it yields one event or none.
//

/// The journal of the step under way.
struct AllocationStep: Sendable {
    struct Touched: Sendable {
        let job: Int32
        let slot: Int32
        /// Place in `before`, or -1 when the slot was made in this step.
        let before: Int32
        /// Set by a step that knows better than the comparison.
        var reason: Reason?
    }

    private struct Place: Hashable {
        let job: Int32
        let slot: Int32
    }

    private(set) var touched: ContiguousArray<Touched> = []
    private var before: ContiguousArray<TargetState> = []
    /// Reasons that came after the slot had been noted, looked up by place only.
    private var lateReasons: [Place: Reason] = [:]
    /// Marks slots noted in this step; grows by one a step.
    private var number: UInt32 = 0

    mutating func begin() {
        number += 1
        end()
    }

    /// Frees what a large step needed.
    mutating func end() {
        touched.removeAll(keepingCapacity: touched.count < 4096)
        before.removeAll(keepingCapacity: before.count < 4096)
        if !lateReasons.isEmpty { lateReasons = [:] }
    }

    /// The state before this step; nil when the slot was made in it.
    func before(_ touched: Touched) -> TargetState? {
        touched.before < 0 ? nil : before[Int(touched.before)]
    }

    /// Notes the slot's state unless this step has already.
    ///
    /// - Parameter reason: Why its collector is about to change. The first one given stays.
    @inline(__always)
    mutating func note(_ slot: Int32, of job: inout JobTable, isNew: Bool = false, reason: Reason? = nil) {
        guard job.slots[Int(slot)].touchedIn != number else {
            if let reason {
                let place = Place(job: job.number.rawValue, slot: slot)
                if lateReasons[place] == nil { lateReasons[place] = reason }
            }
            return
        }
        job.slots[Int(slot)].touchedIn = number
        if !isNew { before.append(job.state(of: slot)) }
        touched.append(
            Touched(
                job: job.number.rawValue, slot: slot, before: isNew ? -1 : Int32(before.count - 1), reason: reason))
    }

    /// Why a target's collector changed, where a step said so.
    func reason(_ touched: Touched) -> Reason? {
        if let reason = touched.reason { return reason }
        return lateReasons.isEmpty ? nil : lateReasons[Place(job: touched.job, slot: touched.slot)]
    }
}
