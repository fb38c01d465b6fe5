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

    /// Events that are read first, for each difference that is wanted; more where that was not enough.
    private static let eventsOfDifference = 8
    private static let eventsMin = 20_000
    private static let eventsMax = 1_000_000

    private var isReversed: Bool { to < from }
    private var earlier: RevisionPoint { min(from, to) }
    private var later: RevisionPoint { max(from, to) }

    /// What is asked of a difference, by numbers.
    private struct Filter {
        var job: Int32?
        var collectors: Set<Int32>?

        func admits(_ change: NetChanges.Change) -> Bool {
            guard let collectors else { return true }
            return collectors.contains(change.before.collector) || collectors.contains(change.after.collector)
        }
    }

    /// - Throws: ``HistoryError/compacted(oldest:)`` when events between the two have been removed.
    package func run(
        _ connection: isolated PostgresConnection
    ) async throws -> HistoryPage<TargetDifference, TargetCursor> {
        try await RecordedBounds.read(connection).require(earlier.revision)
        var filter = Filter()
        if let job {
            filter.job = try await NameReader.job(named: job, connection)
            if filter.job == nil { return HistoryPage(items: [], next: nil) }
        }
        if let collector { filter.collectors = Set(try await NameReader.collectors(named: collector, connection)) }
        let limit = PageLimit.clamped(limit)
        let highest: Int32 =
            try await connection.query("SELECT coalesce(max(id), 0) FROM ledger.target").first?.decode(0) ?? 0
        // So many targets at a time as have about so many events.
        let events = try await events(connection)
        var eventsOfPart = max(Self.eventsMin, limit * Self.eventsOfDifference)
        func width() -> Int { max(1024, Int(Double(highest) * Double(eventsOfPart) / Double(max(events, 1)))) }
        var reached = after?.target ?? 0
        var page: [TargetDifference] = []
        var names = NameReader()
        while page.count <= limit, reached < highest {
            let upper = Int32(min(Int(reached) + width(), Int(highest)))
            let wanted = limit + 1 - page.count
            let part = try await differences(above: reached, upTo: upper, filter, wanted, connection)
            page += try await described(part, &names, connection)
            // A part that was cut short is gone on with behind its last.
            reached = part.count == wanted ? part.last?.target ?? upper : upper
            eventsOfPart = min(4 * eventsOfPart, Self.eventsMax)
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
        above lower: Int32, upTo upper: Int32, _ filter: Filter, _ limit: Int, _ connection: isolated PostgresConnection
    ) async throws -> [Row] {
        let changes = try await NetChanges.read(earlier, later, above: lower, upTo: upper, connection)
        let candidates = changes.differences.filter { filter.admits($0) }
        var rows: [Row] = []
        var start = candidates.startIndex
        while start < candidates.endIndex, rows.count < limit {
            let part = candidates[start..<min(start + max(limit, 1000), candidates.endIndex)]
            start = part.endIndex
            rows += try await self.rows(of: part, job: filter.job, connection)
        }
        return Array(rows.prefix(limit))
    }

    /// Those of the job, with their targets.
    private func rows(
        of changes: ArraySlice<NetChanges.Change>, job: Int32?, _ connection: isolated PostgresConnection
    ) async throws -> [Row] {
        let targets = try await connection.query(
            "SELECT id, job, identity, address FROM ledger.target WHERE id = ANY(\(changes.map(\.target))) ORDER BY id")
        guard targets.count == changes.count else {
            throw LedgerError.corrupted("\(changes.count - targets.count) targets of history do not exist")
        }
        return try zip(changes, targets).compactMap { change, row in
            let number = try row.decode(1, as: Int32.self)
            guard job == nil || job == number else { return nil }
            let (before, after) = isReversed ? (change.after, change.before) : (change.before, change.after)
            return Row(
                target: change.target, job: number,
                identity: TargetIdentity(rawValue: UInt64(bitPattern: try row.decode(2, as: Int64.self))),
                address: try row.decode(3), collectorBefore: before.collector.idOrNull,
                collectorAfter: after.collector.idOrNull, labelSetBefore: before.labelSet.idOrNull,
                labelSetAfter: after.labelSet.idOrNull, events: change.events)
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
