//
// EventRangeQuery.swift: the events of many revisions in the order in which they were recorded, for exports.
//

import AllocationCore
import PostgresDriver

/// Events after one revision, up to and with another, oldest first.
package struct EventRangeQuery: Sendable {
    package var first: RevisionPoint
    package var last: RevisionPoint
    /// Events of targets: only those by which one came to another collector, or to none.
    package var movesOnly = false
    package var limit: Int
    package var after: EventCursor?

    /// - Parameter first: The first revision whose events are wanted.
    package init(
        from first: RevisionPoint, to last: RevisionPoint, limit: Int = PageLimit.rowsMax, after: EventCursor? = nil
    ) {
        self.first = first
        self.last = last
        self.limit = limit
        self.after = after
    }

    private var place: SQL {
        let lower: SQL =
            after.map { after in
                """
                (e.revision > \(after.revision) OR (e.revision = \(after.revision) AND e.ordinal > \(after.ordinal)))
                """
            } ?? "true"
        return """
            e.at >= \(first.at) AND e.at <= \(last.at) AND e.revision >= \(first.revision.number) \
            AND e.revision <= \(last.revision.number) AND \(lower)
            """
    }

    /// Events of targets, with what of the labels changed and when owners learned.
    package func run(_ connection: isolated PostgresConnection) async throws -> HistoryPage<TargetEvent, EventCursor> {
        let limit = PageLimit.clamped(limit)
        let rows = try await connection.query(
            """
            SELECT \(EventRow.columns) FROM ledger.target_event e JOIN ledger.target t ON t.id = e.target \
            WHERE \(place)\(EventFilter(movesOnly: movesOnly).terms) ORDER BY e.revision, e.ordinal LIMIT \(limit + 1)
            """
        ).map { try EventRow($0) }
        var resolver = EventResolver()
        var events = try await resolver.resolve(Array(rows.prefix(limit)), connection)
        let next = rows.count > limit ? events.last?.cursor : nil
        // One that was replaced by another of its name is no other collector.
        if movesOnly { events.removeAll { $0.from == $0.to } }
        try await events.addLabelChanges(connection)
        try await HandoverReader.add(to: &events, connection)
        return HistoryPage(items: events, next: next)
    }

    /// Events of collectors.
    package func collectors(
        _ connection: isolated PostgresConnection
    ) async throws -> HistoryPage<CollectorEvent, EventCursor> {
        let limit = PageLimit.clamped(limit)
        var items = try await connection.query(
            """
            SELECT \(CollectorEvent.columns) FROM \(CollectorEvent.source) WHERE \(place) \
            ORDER BY e.revision, e.ordinal LIMIT \(limit + 1)
            """
        ).map { try CollectorEvent($0) }
        let hasMore = items.count > limit
        if hasMore { items.removeLast() }
        return HistoryPage(items: items, next: hasMore ? items.last?.cursor : nil)
    }
}

extension [TargetEvent] {
    /// Reads of those that were relabelled what changed.
    mutating func addLabelChanges(_ connection: isolated PostgresConnection) async throws {
        var reader = LabelSetReader()
        let relabelled = filter { $0.kinds.contains(.relabelled) }
        try await reader.read(
            relabelled.lazy.flatMap { [$0.labelSetBefore, $0.labelSetAfter] }.compactMap { $0 }, connection)
        for index in indices where self[index].kinds.contains(.relabelled) {
            self[index].labels = reader.difference(from: self[index].labelSetBefore, to: self[index].labelSetAfter)
        }
    }
}
