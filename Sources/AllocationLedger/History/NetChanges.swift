//
// NetChanges.swift: what became of each target between two revisions: the state before its first event and after its last.
//
// The server only reads the events out, one by one; first and last are found here, in places by the target's number.
// So there is no plan to get wrong, also right after a flood of events that the server has no statistics of yet.
//

import PostgresDriver

/// The first and the last state of each of some targets.
struct NetChanges: Sendable {
    struct State: Sendable, Hashable {
        /// 0: none had it.
        var collector: Int32 = 0
        /// 0: it was not there.
        var labelSet: Int32 = 0
    }

    struct Change: Sendable {
        let target: Int32
        var first: Int64 = .max
        var last: Int64 = 0
        var before = State()
        var after = State()
        var events: Int64 = 0
    }

    private let lower: Int32
    /// By number, the one above `lower` first; 0 where it has no event, else a place in `changes` and one.
    private var places: ContiguousArray<Int32>
    private var changes: ContiguousArray<Change> = []

    private init(above lower: Int32, upTo upper: Int32) {
        self.lower = lower
        places = ContiguousArray(repeating: 0, count: Int(max(0, upper - lower)))
    }

    /// Reads the events after `earlier` up to and with `later`, of targets whose numbers are above `lower` and not above
    /// `upper`.
    static func read(
        _ earlier: RevisionPoint, _ later: RevisionPoint, above lower: Int32, upTo upper: Int32,
        _ connection: isolated PostgresConnection
    ) async throws -> NetChanges {
        var changes = NetChanges(above: lower, upTo: upper)
        // COPY takes no binds; these are numbers of ours.
        let bounds = "revision > \(earlier.revision.number) AND revision <= \(later.revision.number)"
        let targets = lower > 0 || upper < .max ? " AND target > \(lower) AND target <= \(upper)" : ""
        try await connection.copyOut(
            """
            COPY (SELECT target, revision, collector_before, collector_after, label_set_before, label_set_after \
            FROM ledger.target_event WHERE \(unsafeSQL: bounds)\(unsafeSQL: targets) \
            AND at > \(unsafeSQL: StateWalk.literal(earlier.at)) AND at <= \(unsafeSQL: StateWalk.literal(later.at))) \
            TO STDOUT (FORMAT binary)
            """
        ) { row in
            let (target, revision) = (try row.int32(), try row.int64())
            let collectors = (try row.int32IfPresent() ?? 0, try row.int32IfPresent() ?? 0)
            let labelSets = (try row.int32IfPresent() ?? 0, try row.int32IfPresent() ?? 0)
            try changes.take(
                target, revision, before: State(collector: collectors.0, labelSet: labelSets.0),
                after: State(collector: collectors.1, labelSet: labelSets.1))
        }
        return changes
    }

    private mutating func take(_ target: Int32, _ revision: Int64, before: State, after: State) throws {
        guard target > lower, Int(target - lower) <= places.count else {
            throw LedgerError.corrupted("an event names target \(target), which does not exist")
        }
        let slot = Int(target - lower) - 1
        if places[slot] == 0 {
            changes.append(Change(target: target))
            places[slot] = Int32(changes.count)
        }
        let place = Int(places[slot]) - 1
        changes[place].events += 1
        if revision < changes[place].first { (changes[place].first, changes[place].before) = (revision, before) }
        if revision > changes[place].last { (changes[place].last, changes[place].after) = (revision, after) }
    }

    /// Those that are not as they were, ordered by target. What left and came back the same is none.
    var differences: some Sequence<Change> {
        places.lazy.filter { $0 != 0 }.map { changes[Int($0) - 1] }.filter { $0.before != $0.after }
    }

    /// - Parameter collector: One number for all incarnations of a collector.
    func counts(_ collector: (Int32) -> Int32) -> DifferenceCounts {
        var counts = DifferenceCounts()
        for change in changes {
            counts.events += change.events
            switch (change.before.labelSet, change.after.labelSet) {
            case (0, 0): break
            case (0, _): counts.added += 1
            case (_, 0): counts.removed += 1
            case (let before, let after):
                if before != after { counts.relabelled += 1 }
                if collector(change.before.collector) != collector(change.after.collector) { counts.moved += 1 }
            }
        }
        return counts
    }
}
