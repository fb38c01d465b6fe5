//
// RevisionEventsQuery.swift: what one revision changed, event by event.
//

import AllocationCore
import PostgresDriver

/// One collector's change by one revision.
package struct CollectorEvent: Sendable, Hashable {
    package var at: Timestamp
    package var revision: Int64
    package var ordinal: Int32
    package var collector: String
    /// Tells incarnations under one name apart; nil where there is none.
    package var uid: String?
    /// `joined`, `left`, `ready`, `not_ready`, `node_changed`.
    package var kind: String
    package var node: String?
    package var evidence: String
    package var cause: String
    package var causeDetail: String

    package var cursor: EventCursor { EventCursor(revision: revision, ordinal: ordinal) }

    /// What ``init(_:)`` reads, of `e`, a collector event, `c`, its collector, and `v`, its revision.
    static let columns: SQL = """
        e.at, e.revision, e.ordinal, c.name, c.uid, e.kind, e.node, e.evidence, v.cause, v.cause_detail
        """
    static let source: SQL = """
        ledger.collector_event e JOIN ledger.collector c ON c.id = e.collector \
        JOIN ledger.revision v ON v.revision = e.revision AND v.at = e.at
        """

    init(_ row: PostgresRow) throws {
        at = try row.decode(0)
        revision = try row.decode(1)
        ordinal = try row.decode(2)
        collector = try row.decode(3)
        let uid = try row.decode(4, as: String.self)
        self.uid = uid.isEmpty ? nil : uid
        kind = CollectorChangeKind(rawValue: try row.decode(5))?.code ?? "unknown"
        node = try row.decode(6)
        evidence = try row.decode(7)
        cause = try row.decode(8)
        causeDetail = try row.decode(9)
    }
}

/// The events of one revision in the order of their ordinals, which is that of the targets' numbers.
package struct RevisionEventsQuery: Sendable {
    package var point: RevisionPoint
    /// With what of the labels changed.
    package var withLabels: Bool
    package var limit: Int
    package var after: EventCursor?

    package init(
        of point: RevisionPoint, withLabels: Bool = true, limit: Int = PageLimit.rowsDefault, after: EventCursor? = nil
    ) {
        self.point = point
        self.withLabels = withLabels
        self.limit = limit
        self.after = after
    }

    package func run(_ connection: isolated PostgresConnection) async throws -> HistoryPage<TargetEvent, EventCursor> {
        let limit = PageLimit.clamped(limit)
        let rows = try await connection.query(
            """
            SELECT \(EventRow.columns) FROM ledger.target_event e JOIN ledger.target t ON t.id = e.target \
            WHERE e.revision = \(point.revision.number) AND e.at = \(point.at) AND e.ordinal > \(after?.ordinal ?? -1) \
            ORDER BY e.ordinal LIMIT \(limit + 1)
            """
        ).map { try EventRow($0) }
        var resolver = EventResolver()
        var events = try await resolver.resolve(Array(rows.prefix(limit)), connection)
        if withLabels { try await events.addLabelChanges(connection) }
        return HistoryPage(items: events, next: rows.count > limit ? events.last?.cursor : nil)
    }

    /// The collectors that the revision changed, a thousand at most.
    package func collectors(_ connection: isolated PostgresConnection) async throws -> [CollectorEvent] {
        try await connection.query(
            """
            SELECT \(CollectorEvent.columns) FROM \(CollectorEvent.source) \
            WHERE e.revision = \(point.revision.number) AND e.at = \(point.at) ORDER BY e.ordinal LIMIT 1000
            """
        ).map { try CollectorEvent($0) }
    }
}
