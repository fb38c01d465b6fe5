//
// StateWalk.swift: the allocation as it was at a past revision, as rows of numbers.
//
// An event holds the state before and after, so a past state is made from a known one on either side: later events are
// undone, or what came in between is done. StateBase tells which is nearer.
//
// Five revisions of one target: found at 1 (none → a), moved at 3 (a → b), gone at 5 (b → none). At revision 2: it is not
// current, its first event after 2 is that of 3, whose "before" is a. At 4 the first one after is that of 5: b. At 5 there
// is none after, and it is not current: it was not there.
//

import PostgresDriver

/// Reads the state at one revision. Use it within one transaction, which sees one moment.
struct StateWalk: Sendable {
    let base: StateBase

    init(at point: RevisionPoint, _ connection: isolated PostgresConnection) async throws {
        base = try await StateBase.nearest(to: point, connection)
    }

    init(from base: StateBase) { self.base = base }

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
        /// In their order.
        case numbers([Int32])

        func terms(_ column: SQL) -> SQL {
            switch self {
            case .span(let lower, let upper): "\(column) > \(lower) AND \(column) <= \(upper)"
            case .numbers(let numbers): "\(column) = ANY(\(numbers))"
            }
        }

        /// Terms on a snapshot's blocks.
        var blocks: SQL {
            let bits = StateSnapshot.blockBits
            return switch self {
            case .span(let lower, let upper): "block >= \((lower + 1) >> bits) AND block <= \(upper >> bits)"
            case .numbers(let numbers): "block = ANY(\(Set(numbers.lazy.map { $0 >> bits }).sorted()))"
            }
        }
    }

    // MARK: Some targets

    /// The state of some targets, ordered by target.
    ///
    /// - Parameter collectors: Only targets of these; 0 stands for none. Nil: all.
    func rows(
        _ range: Range, collectors: Set<Int32>? = nil, _ connection: isolated PostgresConnection
    ) async throws -> [Row] {
        let known = try await knownRows(range, collectors, connection)
        let columns: SQL = base.isForwards ? "collector_after, label_set_after" : "collector_before, label_set_before"
        let order: SQL = base.isForwards ? "target, revision DESC" : "target, revision"
        let changed = try await connection.query(
            """
            SELECT DISTINCT ON (target) target, \(columns) FROM ledger.target_event \
            WHERE \(range.terms("target")) AND \(base.terms) ORDER BY \(order)
            """)
        var rows: [Row] = []
        rows.reserveCapacity(known.count)
        var next = known.startIndex
        for row in changed {
            let target = try row.decode(0, as: Int32.self)
            while next < known.endIndex, known[next].target < target {
                rows.append(known[next])
                next += 1
            }
            if next < known.endIndex, known[next].target == target { next += 1 }
            // Null: it was not there.
            guard let labelSet = try row.decode(2, as: Int32?.self) else { continue }
            rows.append(Row(target: target, collector: try row.decode(1, as: Int32?.self) ?? 0, labelSet: labelSet))
        }
        rows += known[next...]
        guard let collectors else { return rows }
        return rows.filter { collectors.contains($0.collector) }
    }

    /// The known state's rows. Of targets that no event changed only those with the right collectors matter.
    private func knownRows(
        _ range: Range, _ collectors: Set<Int32>?, _ connection: isolated PostgresConnection
    ) async throws -> [Row] {
        switch base.origin {
        case .beginning: return []
        case .current:
            var condition: SQL = ""
            if let collectors {
                let named = collectors.subtracting([0]).sorted()
                condition =
                    collectors.contains(0)
                    ? " AND (collector IS NULL OR collector = ANY(\(named)))" : " AND collector = ANY(\(named))"
            }
            return try await connection.query(
                """
                SELECT target, collector, label_set FROM ledger.current_target \
                WHERE \(range.terms("target"))\(condition) ORDER BY target
                """
            ).map {
                Row(
                    target: try $0.decode(0), collector: try $0.decode(1, as: Int32?.self) ?? 0,
                    labelSet: try $0.decode(2))
            }
        case .snapshot(let snapshot):
            let blocks = try await connection.query(
                """
                SELECT targets, collectors, label_sets FROM ledger.state_snapshot \
                WHERE at = \(snapshot.at) AND \(range.blocks) ORDER BY block
                """)
            var rows: [Row] = []
            for block in blocks {
                try Self.forEach(
                    try block.decode(0), try block.decode(1), try block.decode(2)
                ) { row in
                    if collectors?.contains(row.collector) != false { rows.append(row) }
                }
            }
            switch range {
            case .span(let lower, let upper): return rows.filter { $0.target > lower && $0.target <= upper }
            case .numbers(let numbers):
                let wanted = Set(numbers)
                return rows.filter { wanted.contains($0.target) }
            }
        }
    }

    private static func forEach(
        _ targets: [Int32], _ collectors: [Int32], _ labelSets: [Int32], _ body: (Row) throws -> Void
    ) throws {
        guard targets.count == collectors.count, targets.count == labelSets.count else {
            throw LedgerError.corrupted("a block of ledger.state_snapshot has arrays of different lengths")
        }
        for place in targets.indices {
            try body(Row(target: targets[place], collector: collectors[place], labelSet: labelSets[place]))
        }
    }

    // MARK: All targets

    /// The whole state, ordered by target.
    func all(_ connection: isolated PostgresConnection) async throws -> ContiguousArray<Row> {
        try await dense(connection).rows
    }

    func dense(_ connection: isolated PostgresConnection) async throws -> DenseState {
        let highest = try await connection.query("SELECT coalesce(max(id), 0) FROM ledger.target").first
        var state = DenseState(count: Int(try highest?.decode(0, as: Int32.self) ?? 0))
        switch base.origin {
        case .beginning: break
        case .current: try await readCurrent(into: &state, connection)
        case .snapshot(let snapshot): try await Self.read(snapshot, into: &state, connection)
        }
        try await apply(to: &state, connection)
        return state
    }

    private func readCurrent(
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

    static func read(
        _ snapshot: RevisionPoint, into state: inout DenseState, _ connection: isolated PostgresConnection
    ) async throws {
        var copy = state
        var (targets, collectors, labelSets): ([Int32], [Int32], [Int32]) = ([], [], [])
        try await connection.copyOut(
            """
            COPY (SELECT targets, collectors, label_sets FROM ledger.state_snapshot \
            WHERE at = \(unsafeSQL: literal(snapshot.at))) TO STDOUT (FORMAT binary)
            """
        ) { row in
            try row.int32Array(into: &targets)
            try row.int32Array(into: &collectors)
            try row.int32Array(into: &labelSets)
            try forEach(targets, collectors, labelSets) { row in
                try copy.set(row.target, collector: row.collector, labelSet: row.labelSet)
            }
        }
        state = copy
    }

    /// Does or undoes the events between the known state and the wanted one. Of each target the one nearest to the
    /// wanted revision counts.
    func apply(to state: inout DenseState, _ connection: isolated PostgresConnection) async throws {
        if case .current = base.origin, base.point == (try await RecordedBounds.read(connection)).latest { return }
        var copy = state
        let isForwards = base.isForwards
        let columns = isForwards ? "collector_after, label_set_after" : "collector_before, label_set_before"
        try await connection.copyOut(
            """
            COPY (SELECT target, revision, \(unsafeSQL: columns) FROM ledger.target_event \
            WHERE \(unsafeSQL: base.literalTerms)) TO STDOUT (FORMAT binary)
            """
        ) { row in
            let (target, revision) = (try row.int32(), try row.int64())
            try copy.set(
                target, collector: row.int32IfPresent() ?? 0, labelSet: row.int32IfPresent() ?? 0,
                unlessBelow: isForwards ? revision : .max - revision)
        }
        state = copy
    }

    /// A time as SQL spells it, made of digits alone.
    static func literal(_ time: Timestamp) -> String { "TIMESTAMPTZ '\(time)'" }
}

/// A state with a place for every target that was ever recorded: numbers are given without gaps.
struct DenseState: Sendable {
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

    /// Numbers up to this have a place.
    var count: Int { labelSets.count - 1 }

    /// How many targets are in another state there.
    func differences(from other: DenseState) -> Int {
        var count = 0
        for place in labelSets.indices
        where labelSets[place] != other.labelSets[place]
            || (labelSets[place] != 0 && collectors[place] != other.collectors[place])
        { count += 1 }
        return count
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

    /// Takes what is there as known, for another walk from here.
    mutating func settle() {
        for place in ranks.indices { ranks[place] = 0 }
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
