//
// StateReplay.swift: what the events leave, for comparison with the tables of the current state.
//
// Target and collector by id: the last event of each says what the current state must be. What has had no event since
// retention dropped the first revisions is taken as it is; it has to say so itself by an old revision.
//

/// The last event of everything.
struct StateReplay {
    private struct Last {
        var labelSet: Int32
        var collector: Int32
        var revision: Int64
        var isConfirmed = false
    }

    private var targets = IDTable<Last>()
    private var collectors: [Int32: (isHere: Bool, node: String?, revision: Int64, isConfirmed: Bool)] = [:]

    private static let left: Int16 = 2

    mutating func take(_ row: TargetEventRow) {
        targets[row.target] = Last(
            labelSet: row.labelSetAfter, collector: row.collectorAfter, revision: row.revision)
    }

    mutating func take(_ row: CollectorEventRow) {
        collectors[row.collector] = (row.kind != Self.left, row.node, row.revision, false)
    }

    /// Compares a row of `ledger.current_target`.
    ///
    /// - Parameter dropped: The last revision that retention has dropped.
    /// - Returns: Whether it is what the events left.
    mutating func confirm(target: Int32, collector: Int32, labelSet: Int32, since: Int64, dropped: Int64) -> Bool {
        guard var last = targets[target] else { return since <= dropped }
        last.isConfirmed = true
        targets[target] = last
        return last.labelSet == labelSet && last.collector == collector && last.revision == since
    }

    mutating func confirm(collector: Int32, node: String?, since: Int64, dropped: Int64) -> Bool {
        guard let last = collectors[collector] else { return since <= dropped }
        collectors[collector]?.isConfirmed = true
        return last.isHere && last.node == node && last.revision == since
    }

    /// Targets that the events left there and that no row named.
    func unconfirmedTargets(_ body: (Int32) -> Void) {
        targets.forEach { id, last in
            if last.labelSet != 0, !last.isConfirmed { body(id) }
        }
    }

    var unconfirmedCollectors: [Int32] {
        collectors.filter { $0.value.isHere && !$0.value.isConfirmed }.keys.sorted()
    }
}
