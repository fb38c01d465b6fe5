//
// CollectorHistoryQuery.swift: what happened to a collector, and how many targets it had over time.
//

import PostgresDriver

/// How many targets a collector had from a revision on, until the next such point.
package struct LoadPoint: Sendable, Hashable {
    package var at: Timestamp
    package var revision: Int64
    package var targets: Int64
    /// Targets that came and went in this revision.
    package var gained: Int64
    package var lost: Int64
}

/// A collector by name, all its incarnations, newest first.
package struct CollectorHistoryQuery: Sendable {
    package var name: String
    package var window: HistoryWindow
    package var limit: Int

    package init(name: String, window: HistoryWindow = HistoryWindow(), limit: Int = PageLimit.rowsDefault) {
        self.name = name
        self.window = window
        self.limit = limit
    }

    /// Joined, left, ready, not ready, another node.
    ///
    /// - Throws: ``HistoryError/unknown(_:)``, ``HistoryError/compacted(oldest:)``.
    package func events(
        after: EventCursor? = nil, _ connection: isolated PostgresConnection
    ) async throws -> HistoryPage<CollectorEvent, EventCursor> {
        let numbers = try await numbers(connection)
        var place: SQL = "e.collector = ANY(\(numbers))\(window.terms("e.at"))"
        if let after {
            try await RecordedBounds.read(connection).require(Revision(after.revision))
            place = """
                \(place) AND (e.revision < \(after.revision) \
                OR (e.revision = \(after.revision) AND e.ordinal > \(after.ordinal)))
                """
        }
        let limit = PageLimit.clamped(limit)
        var items = try await connection.query(
            """
            SELECT \(CollectorEvent.columns) FROM \(CollectorEvent.source) WHERE \(place) \
            ORDER BY e.revision DESC, e.ordinal LIMIT \(limit + 1)
            """
        ).map { try CollectorEvent($0) }
        let hasMore = items.count > limit
        if hasMore { items.removeLast() }
        return HistoryPage(items: items, next: hasMore ? items.last?.cursor : nil)
    }

    /// The load after each revision that changed it. What it has now, less what came and plus what went later, all summed
    /// by the server.
    ///
    /// - Throws: ``HistoryError/unknown(_:)``, ``HistoryError/compacted(oldest:)``.
    package func load(
        after: RevisionCursor? = nil, _ connection: isolated PostgresConnection
    ) async throws -> HistoryPage<LoadPoint, RevisionCursor> {
        let numbers = try await numbers(connection)
        var place = window.terms("at")
        if let after {
            try await RecordedBounds.read(connection).require(Revision(after.revision))
            place = "\(place) AND revision < \(after.revision)"
        }
        let limit = PageLimit.clamped(limit)
        // Gains and losses of the revisions behind the window count for the sum and are not listed, so the window's
        // beginning alone bounds what is read.
        let since = HistoryWindow(since: window.since).terms("at")
        let rows = try await connection.query(
            """
            WITH changes AS (SELECT revision, at, \
            count(*) FILTER (WHERE collector_after = ANY(\(numbers))) AS gained, \
            count(*) FILTER (WHERE collector_before = ANY(\(numbers))) AS lost FROM ledger.target_event \
            WHERE coalesce(collector_after = ANY(\(numbers)), false) \
            <> coalesce(collector_before = ANY(\(numbers)), false)\(since) \
            GROUP BY revision, at), \
            loads AS (SELECT revision, at, gained, lost, \
            (SELECT count(*) FROM ledger.current_target WHERE collector = ANY(\(numbers))) \
            - coalesce(sum(gained - lost) OVER (ORDER BY revision DESC ROWS BETWEEN UNBOUNDED PRECEDING \
            AND 1 PRECEDING), 0) AS targets FROM changes) \
            SELECT at, revision, targets::bigint, gained, lost FROM loads WHERE true\(place) \
            ORDER BY revision DESC LIMIT \(limit + 1)
            """)
        var items = try rows.map { row in
            LoadPoint(
                at: try row.decode(0), revision: try row.decode(1), targets: try row.decode(2),
                gained: try row.decode(3), lost: try row.decode(4))
        }
        let hasMore = items.count > limit
        if hasMore { items.removeLast() }
        return HistoryPage(
            items: items, next: items.last.flatMap { hasMore ? RevisionCursor(revision: $0.revision) : nil })
    }

    private func numbers(_ connection: isolated PostgresConnection) async throws -> [Int32] {
        let numbers = try await NameReader.collectors(named: name, connection)
        guard !numbers.isEmpty else { throw HistoryError.unknown("collector \(name)") }
        return numbers
    }
}
