//
// DiffQuery.swift: what differs between two revisions, from the events between them alone.
//
// Of each target the state before its first event and the state after its last one are compared: the net change. What
// left and came back the same is no difference.
//

import AllocationCore
import PostgresDriver

/// One target that was different.
package struct TargetDifference: Sendable, Hashable {
    package struct Kinds: OptionSet, Sendable, Hashable {
        package let rawValue: UInt8

        package init(rawValue: UInt8) { self.rawValue = rawValue }

        package static let added = Kinds(rawValue: 1)
        package static let removed = Kinds(rawValue: 2)
        /// There at both, with another collector or none.
        package static let moved = Kinds(rawValue: 4)
        /// There at both, with other labels.
        package static let relabelled = Kinds(rawValue: 8)

        package var codes: [String] {
            [(Kinds.added, "added"), (.removed, "removed"), (.moved, "moved"), (.relabelled, "relabelled")]
                .filter { contains($0.0) }.map(\.1)
        }
    }

    package var target: RecordedTarget
    package var kinds: Kinds
    package var from: String?
    package var to: String?
    /// Of one that was relabelled, when asked for.
    package var labels: LabelDifference?
    /// Events between the two.
    package var events: Int64
    /// Numbers of `ledger.label_set`; nil: not there.
    package var labelSetBefore: Int32?
    package var labelSetAfter: Int32?
}

/// How many targets differ.
package struct DifferenceCounts: Sendable, Hashable {
    package var added: Int64 = 0
    package var removed: Int64 = 0
    package var moved: Int64 = 0
    package var relabelled: Int64 = 0
    /// Events between the two, which is the sum and not the net.
    package var events: Int64 = 0
}

/// The difference from one revision to another, which may be the earlier one, in the order of the targets' numbers.
package struct DiffQuery: Sendable {
    package var from: RevisionPoint
    package var to: RevisionPoint
    package var job: String?
    /// Had it before or after.
    package var collector: String?
    package var withLabels: Bool
    package var limit: Int
    package var after: TargetCursor?

    package init(
        from: RevisionPoint, to: RevisionPoint, job: String? = nil, collector: String? = nil, withLabels: Bool = true,
        limit: Int = PageLimit.rowsDefault, after: TargetCursor? = nil
    ) {
        self.from = from
        self.to = to
        self.job = job
        self.collector = collector
        self.withLabels = withLabels
        self.limit = limit
        self.after = after
    }

    /// Up to this many events are read at once; of more, those of some targets at a time.
    private static let eventsAtOnce: Int64 = 50_000
    private static let widths = (min: 1024, max: 262_144)

    private var isReversed: Bool { to < from }
    private var earlier: RevisionPoint { min(from, to) }
    private var later: RevisionPoint { max(from, to) }

    private var between: SQL {
        """
        e.revision > \(earlier.revision.number) AND e.revision <= \(later.revision.number) \
        AND e.at > \(earlier.at) AND e.at <= \(later.at)
        """
    }

    /// - Throws: ``HistoryError/compacted(oldest:)`` when events between the two have been removed.
    package func run(
        _ connection: isolated PostgresConnection
    ) async throws -> HistoryPage<TargetDifference, TargetCursor> {
        try await RecordedBounds.read(connection).require(earlier.revision)
        var filter: SQL = ""
        if let job {
            guard let number = try await NameReader.job(named: job, connection) else {
                return HistoryPage(items: [], next: nil)
            }
            filter = "\(filter) AND t.job = \(number)"
        }
        if let collector {
            let numbers = try await NameReader.collectors(named: collector, connection)
            filter = "\(filter) AND (f.collector = ANY(\(numbers)) OR l.collector = ANY(\(numbers)))"
        }
        let limit = PageLimit.clamped(limit)
        let highest: Int32 =
            try await connection.query("SELECT coalesce(max(id), 0) FROM ledger.target").first?.decode(0) ?? 0
        var width = try await events(connection) <= Self.eventsAtOnce ? Int(Int32.max) : max(Self.widths.min, 2 * limit)
        var reached = after?.target ?? 0
        var page: [TargetDifference] = []
        var names = NameReader()
        while page.count <= limit, reached < highest {
            let upper = Int32(min(Int(reached) + width, Int(highest)))
            let wanted = limit + 1 - page.count
            let part = try await differences(above: reached, upTo: upper, filter, wanted, connection)
            page += try await described(part, &names, connection)
            // A part that was cut short is gone on with behind its last.
            reached = part.count == wanted ? part.last?.target ?? upper : upper
            width = min(4 * width, width > Self.widths.max ? width : Self.widths.max)
        }
        let hasMore = page.count > limit
        if hasMore { page.removeLast(page.count - limit) }
        if withLabels { try await addLabels(&page, connection) }
        let next = page.last.flatMap { last in
            hasMore
                ? TargetCursor(revisions: [from.revision.number, to.revision.number], target: last.target.number) : nil
        }
        return HistoryPage(items: page, next: next)
    }

    private func events(_ connection: isolated PostgresConnection) async throws -> Int64 {
        try await connection.query(
            """
            SELECT coalesce(sum(target_events), 0)::bigint FROM ledger.revision \
            WHERE at > \(earlier.at) AND at <= \(later.at)
            """
        ).first?.decode(0) ?? 0
    }

    // MARK: Rows

    private struct Row {
        let target: Int32
        let job: Int32
        let identity: TargetIdentity
        let address: String
        let collectorBefore: Int32?
        let collectorAfter: Int32?
        let labelSetBefore: Int32?
        let labelSetAfter: Int32?
        let events: Int64
    }

    private func differences(
        above lower: Int32, upTo upper: Int32, _ filter: SQL, _ limit: Int, _ connection: isolated PostgresConnection
    ) async throws -> [Row] {
        try await connection.query(
            """
            WITH e AS MATERIALIZED (SELECT e.target, e.revision, e.collector_before, e.collector_after, \
            e.label_set_before, e.label_set_after FROM ledger.target_event e \
            WHERE \(between) AND e.target > \(lower) AND e.target <= \(upper)), \
            f AS (SELECT DISTINCT ON (target) target, collector_before AS collector, label_set_before AS label_set \
            FROM e ORDER BY target, revision), \
            l AS (SELECT DISTINCT ON (target) target, collector_after AS collector, label_set_after AS label_set, \
            count(*) OVER (PARTITION BY target) AS events FROM e ORDER BY target, revision DESC) \
            SELECT t.id, t.job, t.identity, t.address, f.collector, l.collector, f.label_set, l.label_set, l.events \
            FROM f JOIN l ON l.target = f.target JOIN ledger.target t ON t.id = f.target \
            WHERE (f.collector, f.label_set) IS DISTINCT FROM (l.collector, l.label_set)\(filter) \
            ORDER BY t.id LIMIT \(limit)
            """
        ).map { row in
            Row(
                target: try row.decode(0), job: try row.decode(1),
                identity: TargetIdentity(rawValue: UInt64(bitPattern: try row.decode(2, as: Int64.self))),
                address: try row.decode(3), collectorBefore: try row.decode(isReversed ? 5 : 4),
                collectorAfter: try row.decode(isReversed ? 4 : 5), labelSetBefore: try row.decode(isReversed ? 7 : 6),
                labelSetAfter: try row.decode(isReversed ? 6 : 7), events: try row.decode(8))
        }
    }

    private func described(
        _ rows: [Row], _ names: inout NameReader, _ connection: isolated PostgresConnection
    ) async throws -> [TargetDifference] {
        try await names.read(
            jobs: rows.lazy.map(\.job), collectors: rows.lazy.flatMap { [$0.collectorBefore, $0.collectorAfter] },
            connection)
        return rows.compactMap { row in
            let (from, to) = (names.collector(row.collectorBefore), names.collector(row.collectorAfter))
            var kinds: TargetDifference.Kinds = []
            if row.labelSetBefore == nil { kinds.insert(.added) }
            if row.labelSetAfter == nil { kinds.insert(.removed) }
            if let before = row.labelSetBefore, let after = row.labelSetAfter {
                if before != after { kinds.insert(.relabelled) }
                if from != to { kinds.insert(.moved) }
            }
            // Another incarnation of the same collector is no difference.
            guard !kinds.isEmpty else { return nil }
            return TargetDifference(
                target: RecordedTarget(
                    number: row.target, job: names.job(row.job), identity: row.identity, address: row.address),
                kinds: kinds, from: from, to: to, events: row.events, labelSetBefore: row.labelSetBefore,
                labelSetAfter: row.labelSetAfter)
        }
    }

    private func addLabels(
        _ page: inout [TargetDifference], _ connection: isolated PostgresConnection
    ) async throws {
        let relabelled = page.filter { $0.kinds.contains(.relabelled) }
        var reader = LabelSetReader()
        try await reader.read(
            relabelled.lazy.flatMap { [$0.labelSetBefore, $0.labelSetAfter] }.compactMap { $0 }, connection)
        for index in page.indices where page[index].kinds.contains(.relabelled) {
            page[index].labels = reader.difference(from: page[index].labelSetBefore, to: page[index].labelSetAfter)
        }
    }
}
