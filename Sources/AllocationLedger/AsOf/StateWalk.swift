//
// StateWalk.swift: the allocation as it was at a past revision, as rows of numbers.
//
// An event holds the state before and after, so a past state is read from either end: from the current state, by
// undoing what came later, or, where nothing has been removed, from the empty beginning, by doing what came before.
//
// Five revisions of one target: found at 1 (none → a), moved at 3 (a → b), gone at 5 (b → none). At revision 2: it is not
// current, its first event after 2 is that of 3, whose "before" is a. At 4 the first one after is that of 5: b. At 5 there
// is none after, and it is not current: it was not there.
//

import PostgresDriver

/// Reads as-of states in one snapshot.
enum StateWalk {
    /// One target of a past state.
    struct Row: Sendable, Hashable {
        var target: Int32
        /// 0: none had it.
        var collector: Int32
        var labelSet: Int32
    }

    /// Which targets.
    enum Range: Sendable {
        /// Numbers above `lower`, up to and with `upper`.
        case span(lower: Int32, upper: Int32)
        case numbers([Int32])

        func terms(_ column: SQL) -> SQL {
            switch self {
            case .span(let lower, let upper): "\(column) > \(lower) AND \(column) <= \(upper)"
            case .numbers(let numbers): "\(column) = ANY(\(numbers))"
            }
        }
    }

    /// The state of some targets, ordered by target.
    ///
    /// - Parameter collectors: Only targets of these; 0 stands for none. Nil: all.
    static func rows(
        _ range: Range, at point: RevisionPoint, collectors: Set<Int32>? = nil,
        _ connection: isolated PostgresConnection
    ) async throws -> [Row] {
        var condition: SQL = ""
        if let collectors {
            let named = collectors.subtracting([0]).sorted()
            condition =
                collectors.contains(0)
                ? " AND (collector IS NULL OR collector = ANY(\(named)))" : " AND collector = ANY(\(named))"
        }
        let undone = try await connection.query(
            """
            SELECT DISTINCT ON (target) target, collector_before, label_set_before FROM ledger.target_event \
            WHERE \(range.terms("target")) AND revision > \(point.revision.number) AND at > \(point.at) \
            ORDER BY target, revision
            """)
        let current = try await connection.query(
            """
            SELECT target, collector, label_set FROM ledger.current_target WHERE \(range.terms("target"))\(condition) \
            ORDER BY target
            """)
        var rows: [Row] = []
        rows.reserveCapacity(current.count)
        var next = 0
        func appendUndone(below limit: Int32) throws {
            while next < undone.count {
                let target = try undone[next].decode(0, as: Int32.self)
                guard target < limit else { return }
                try appendBefore(undone[next], target)
                next += 1
            }
        }
        func appendBefore(_ row: PostgresRow, _ target: Int32) throws {
            // Null: it was found later.
            guard let labelSet = try row.decode(2, as: Int32?.self) else { return }
            let collector = try row.decode(1, as: Int32?.self) ?? 0
            guard collectors?.contains(collector) != false else { return }
            rows.append(Row(target: target, collector: collector, labelSet: labelSet))
        }
        for row in current {
            let target = try row.decode(0, as: Int32.self)
            try appendUndone(below: target)
            if next < undone.count, try undone[next].decode(0, as: Int32.self) == target {
                try appendBefore(undone[next], target)
                next += 1
            } else {
                rows.append(
                    Row(target: target, collector: try row.decode(1, as: Int32?.self) ?? 0, labelSet: try row.decode(2))
                )
            }
        }
        try appendUndone(below: .max)
        return rows
    }

    /// The whole state, ordered by target, in one go over whichever end is nearer.
    static func all(
        at point: RevisionPoint, _ connection: isolated PostgresConnection
    ) async throws -> ContiguousArray<Row> {
        let bounds = try await RecordedBounds.read(connection)
        let highest = try await connection.query("SELECT coalesce(max(id), 0) FROM ledger.target").first
        var state = DenseState(count: Int(try highest?.decode(0, as: Int32.self) ?? 0))
        if try await isNearerToTheBeginning(point, bounds, connection) {
            try await redo(upTo: point, into: &state, connection)
        } else {
            try await readCurrent(into: &state, connection)
            if point < bounds.latest { try await undo(backTo: point, in: &state, connection) }
        }
        return state.rows
    }

    /// Whether fewer events led to the revision than came after it, and none of them has been removed.
    static func isNearerToTheBeginning(
        _ point: RevisionPoint, _ bounds: RecordedBounds, _ connection: isolated PostgresConnection
    ) async throws -> Bool {
        guard !bounds.isCompacted else { return false }
        let row = try await connection.query(
            """
            SELECT (SELECT coalesce(sum(target_events), 0) FROM ledger.revision WHERE at <= \(point.at))::bigint, \
            (SELECT coalesce(sum(target_events), 0) FROM ledger.revision WHERE at > \(point.at))::bigint, \
            (SELECT greatest(reltuples, 0) FROM pg_class WHERE oid = 'ledger.current_target'::regclass)::bigint
            """
        ).first
        guard let row else { return false }
        return try row.decode(0, as: Int64.self) < row.decode(1, as: Int64.self) + row.decode(2, as: Int64.self)
    }

    private static func readCurrent(
        into state: inout DenseState, _ connection: isolated PostgresConnection
    ) async throws {
        var copy = state
        try await connection.copyOut(
            "COPY (SELECT target, collector, label_set FROM ledger.current_target) TO STDOUT (FORMAT binary)"
        ) { row in
            try copy.set(row.int32(), collector: row.int32IfPresent() ?? 0, labelSet: row.int32())
        }
        state = copy
    }

    private static func undo(
        backTo point: RevisionPoint, in state: inout DenseState, _ connection: isolated PostgresConnection
    ) async throws {
        var copy = state
        // COPY takes no binds; these are numbers of ours. Of each target the first event counts.
        try await connection.copyOut(
            """
            COPY (SELECT target, revision, collector_before, label_set_before FROM ledger.target_event \
            WHERE revision > \(unsafeSQL: "\(point.revision.number)") \
            AND at > \(unsafeSQL: literal(point.at))) TO STDOUT (FORMAT binary)
            """
        ) { row in
            let (target, revision) = (try row.int32(), try row.int64())
            try copy.set(
                target, collector: row.int32IfPresent() ?? 0, labelSet: row.int32IfPresent() ?? 0,
                unlessBelow: .max - revision)
        }
        state = copy
    }

    private static func redo(
        upTo point: RevisionPoint, into state: inout DenseState, _ connection: isolated PostgresConnection
    ) async throws {
        var copy = state
        try await connection.copyOut(
            """
            COPY (SELECT target, revision, collector_after, label_set_after FROM ledger.target_event \
            WHERE revision <= \(unsafeSQL: "\(point.revision.number)") \
            AND at <= \(unsafeSQL: literal(point.at))) TO STDOUT (FORMAT binary)
            """
        ) { row in
            let (target, revision) = (try row.int32(), try row.int64())
            try copy.set(
                target, collector: row.int32IfPresent() ?? 0, labelSet: row.int32IfPresent() ?? 0,
                unlessBelow: revision)
        }
        state = copy
    }

    /// A time as SQL spells it, made of digits alone.
    static func literal(_ time: Timestamp) -> String { "TIMESTAMPTZ '\(time)'" }
}

/// A state with a place for every target that was ever recorded: numbers are given without gaps.
private struct DenseState: Sendable {
    private var collectors: ContiguousArray<Int32>
    /// 0: the target is not there.
    private var labelSets: ContiguousArray<Int32>
    /// How near to the wanted revision the event is that was written last; 0: none was.
    private var ranks: ContiguousArray<Int64>

    init(count: Int) {
        collectors = ContiguousArray(repeating: 0, count: count + 1)
        labelSets = collectors
        ranks = ContiguousArray(repeating: 0, count: count + 1)
    }

    /// - Parameter rank: Of several states of a target the one of the highest rank stays.
    mutating func set(_ target: Int32, collector: Int32, labelSet: Int32, unlessBelow rank: Int64 = 0) throws {
        let place = Int(target)
        guard place > 0, place < ranks.count else {
            throw LedgerError.corrupted("an event names target \(target), which does not exist")
        }
        guard rank >= ranks[place] else { return }
        ranks[place] = rank
        collectors[place] = collector
        labelSets[place] = labelSet
    }

    var rows: ContiguousArray<StateWalk.Row> {
        var rows: ContiguousArray<StateWalk.Row> = []
        for place in labelSets.indices where labelSets[place] != 0 {
            rows.append(
                StateWalk.Row(target: Int32(place), collector: collectors[place], labelSet: labelSets[place]))
        }
        return rows
    }
}
