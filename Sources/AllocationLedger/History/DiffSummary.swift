//
// DiffSummary.swift: how many targets differ between two revisions.
//

import PostgresDriver

extension DiffQuery {
    /// Counts every difference; `job`, `collector`, `limit` and `after` are not heeded.
    ///
    /// - Throws: ``HistoryError/compacted(oldest:)`` when events between the two have been removed.
    package func counts(_ connection: isolated PostgresConnection) async throws -> DifferenceCounts {
        let (earlier, later) = (min(from, to), max(from, to))
        try await RecordedBounds.read(connection).require(earlier.revision)
        var counts = try await Self.net(earlier, later, connection)
        if to < from { swap(&counts.added, &counts.removed) }
        return counts
    }

    /// - Parameter earlier: May stand for the time before the first revision.
    static func net(
        _ earlier: RevisionPoint, _ later: RevisionPoint, _ connection: isolated PostgresConnection
    ) async throws -> DifferenceCounts {
        let highest = try await connection.query("SELECT coalesce(max(id), 0) FROM ledger.target").first
        var ends = NetChanges(count: Int(try highest?.decode(0, as: Int32.self) ?? 0))
        // COPY takes no binds; these are numbers of ours.
        try await connection.copyOut(
            """
            COPY (SELECT target, revision, collector_before, collector_after, label_set_before, label_set_after \
            FROM ledger.target_event WHERE revision > \(unsafeSQL: "\(earlier.revision.number)") \
            AND revision <= \(unsafeSQL: "\(later.revision.number)") \
            AND at > \(unsafeSQL: StateWalk.literal(earlier.at)) AND at <= \(unsafeSQL: StateWalk.literal(later.at))) \
            TO STDOUT (FORMAT binary)
            """
        ) { row in
            let (target, revision) = (try row.int32(), try row.int64())
            let collectors = (try row.int32IfPresent() ?? 0, try row.int32IfPresent() ?? 0)
            let labelSets = (try row.int32IfPresent() ?? 0, try row.int32IfPresent() ?? 0)
            try ends.take(
                target, revision, before: (collectors.0, labelSets.0), after: (collectors.1, labelSets.1))
        }
        let names = try await connection.query("SELECT id, name FROM ledger.collector")
        var numbers: [String: Int32] = [:]
        var collectors: [Int32: Int32] = [0: 0]
        for row in names {
            let (id, name) = (try row.decode(0, as: Int32.self), try row.decode(1, as: String.self))
            numbers[name] = numbers[name] ?? id
            collectors[id] = numbers[name]
        }
        return ends.counts { collectors[$0] ?? $0 }
    }
}

/// The first and the last state of each target, in places by its number.
private struct NetChanges {
    private struct Ends {
        var first: Int64 = .max
        var last: Int64 = 0
        var before: (collector: Int32, labelSet: Int32) = (0, 0)
        var after: (collector: Int32, labelSet: Int32) = (0, 0)
    }

    /// By target; 0 where it has no event, else a place in `ends`.
    private var places: ContiguousArray<Int32>
    private var ends: ContiguousArray<Ends> = []
    private var events: Int64 = 0

    init(count: Int) { places = ContiguousArray(repeating: 0, count: count + 1) }

    mutating func take(
        _ target: Int32, _ revision: Int64, before: (collector: Int32, labelSet: Int32),
        after: (collector: Int32, labelSet: Int32)
    ) throws {
        guard target > 0, Int(target) < places.count else {
            throw LedgerError.corrupted("an event names target \(target), which does not exist")
        }
        events += 1
        if places[Int(target)] == 0 {
            ends.append(Ends())
            places[Int(target)] = Int32(ends.count)
        }
        let place = Int(places[Int(target)]) - 1
        if revision < ends[place].first { (ends[place].first, ends[place].before) = (revision, before) }
        if revision > ends[place].last { (ends[place].last, ends[place].after) = (revision, after) }
    }

    /// - Parameter collector: One number for all incarnations of a collector.
    func counts(_ collector: (Int32) -> Int32) -> DifferenceCounts {
        var counts = DifferenceCounts(events: events)
        for end in ends {
            switch (end.before.labelSet, end.after.labelSet) {
            case (0, 0): break
            case (0, _): counts.added += 1
            case (_, 0): counts.removed += 1
            case (let before, let after):
                if before != after { counts.relabelled += 1 }
                if collector(end.before.collector) != collector(end.after.collector) { counts.moved += 1 }
            }
        }
        return counts
    }
}
