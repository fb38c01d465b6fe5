//
// ReportQuery.swift: an incident on one page: what happened in a window, in numbers and in the worst cases.
//
// Times without a collector are summed by the server from the events at which such a time begins or ends: the times of
// the ends less those of the beginnings, less the window's start for each target that had none at the start, plus its end
// for each that had none at the end.
//

import AllocationCore
import PostgresDriver

/// What happened from one moment to another.
package struct IncidentReport: Sendable, Hashable {
    package struct Count: Sendable, Hashable {
        package var code: String
        package var count: Int64
    }

    /// Moves between collectors, to one and from one, for one reason.
    package struct MoveCount: Sendable, Hashable {
        package var reason: String
        package var from: String?
        package var to: String?
        package var count: Int64
    }

    package struct Unassigned: Sendable, Hashable {
        package var target: RecordedTarget
        package var seconds: Double
        /// It still had none at the end.
        package var isOngoing: Bool
    }

    package var since: Timestamp
    package var until: Timestamp
    /// In force at the start; nil: before the first.
    package var first: RevisionPoint?
    /// In force at the end.
    package var last: RevisionPoint?
    package var revisions: Int64 = 0
    package var targetEvents: Int64 = 0
    package var net = DifferenceCounts()
    package var revisionsByCause: [Count] = []
    package var eventsByReason: [Count] = []
    /// The most frequent ones.
    package var moves: [MoveCount] = []
    /// Collectors that joined, left or changed.
    package var collectorEvents: [CollectorEvent] = []
    package var unassignedTargets: Int64 = 0
    package var unassignedSeconds: Double = 0
    package var worstUnassigned: [Unassigned] = []
    package var handovers = HandoverSummary()
    package var failedDiscoveries: [DiscoveryRun] = []
    package var gaps: [Gap] = []
    package var terms: [Term] = []
}

/// Makes the report of a window; one that ends in the future ends now.
package struct ReportQuery: Sendable {
    package var since: Timestamp
    package var until: Timestamp
    /// Of each list.
    package var limit: Int

    package init(since: Timestamp, until: Timestamp, limit: Int = 100) {
        self.since = since
        self.until = until
        self.limit = limit
    }

    private var rowsMax: Int { PageLimit.clamped(limit, max: 1000) }

    /// - Throws: ``HistoryError/emptyWindow``; ``HistoryError/compacted(oldest:)`` when the window begins before what is
    ///   kept.
    package func run(_ connection: isolated PostgresConnection) async throws -> IncidentReport {
        let now = try await connection.query("SELECT clock_timestamp()").first?.decode(0, as: Timestamp.self)
        var query = self
        query.until = min(until, now ?? until)
        guard query.since < query.until else { throw HistoryError.emptyWindow }
        return try await query.runUntilPast(connection)
    }

    private func runUntilPast(_ connection: isolated PostgresConnection) async throws -> IncidentReport {
        let bounds = try await RecordedBounds.read(connection)
        if bounds.isCompacted, since < bounds.oldest.at { throw HistoryError.compacted(oldest: bounds.oldest) }
        var report = IncidentReport(since: since, until: until)
        report.first = try await Instant.last(atOrBefore: since, connection)
        report.last = try await Instant.last(atOrBefore: until, connection)
        try await count(&report, connection)
        if let last = report.last {
            // Before the first revision nothing was there.
            let first = report.first ?? RevisionPoint(revision: Revision(0), at: .distantPast)
            if report.first != nil || !bounds.isCompacted {
                report.net = try await DiffQuery.net(first, last, connection)
            }
        }
        try await countMoves(&report, connection)
        try await sumUnassigned(&report, connection)
        report.handovers = try await HandoverSummaryQuery(
            since: since, place: inside("e.at"), limit: rowsMax
        ).run(connection)
        let window = HistoryWindow(since: since, until: until)
        report.collectorEvents = try await connection.query(
            """
            SELECT \(CollectorEvent.columns) FROM \(CollectorEvent.source) WHERE true\(inside("e.at")) \
            ORDER BY e.revision, e.ordinal LIMIT \(rowsMax)
            """
        ).map { try CollectorEvent($0) }
        report.failedDiscoveries = try await DiscoveryQuery(window: window, failuresOnly: true, limit: rowsMax).run(
            connection
        ).items
        report.gaps = try await GapQuery(window: window, limit: rowsMax).run(connection).items
        report.terms = try await TermQuery(window: window, limit: rowsMax).run(connection).items
        return report
    }

    /// After the start's revision, up to and with the end's.
    private func inside(_ column: SQL) -> SQL { " AND \(column) > \(since) AND \(column) <= \(until)" }

    private func count(_ report: inout IncidentReport, _ connection: isolated PostgresConnection) async throws {
        let causes = try await connection.query(
            """
            SELECT cause, count(*), coalesce(sum(target_events), 0)::bigint FROM ledger.revision \
            WHERE true\(inside("at")) GROUP BY cause ORDER BY count(*) DESC, cause
            """)
        for row in causes {
            let count = try row.decode(1, as: Int64.self)
            report.revisionsByCause.append(.init(code: try row.decode(0), count: count))
            report.revisions += count
            report.targetEvents += try row.decode(2, as: Int64.self)
        }
    }

    private func countMoves(_ report: inout IncidentReport, _ connection: isolated PostgresConnection) async throws {
        let rows = try await connection.query(
            """
            SELECT reason, collector_before, collector_after, count(*) FROM ledger.target_event \
            WHERE true\(inside("at")) GROUP BY reason, collector_before, collector_after
            """)
        var names = NameReader()
        try await names.read(
            jobs: [], collectors: try rows.flatMap { [try $0.decode(1, as: Int32?.self), try $0.decode(2)] },
            connection)
        var reasons: [String: Int64] = [:]
        var moves: [IncidentReport.MoveCount] = []
        for row in rows {
            let reason = Reason(rawValue: try row.decode(0))?.code ?? "unknown"
            let count = try row.decode(3, as: Int64.self)
            reasons[reason, default: 0] += count
            let (from, to) = (names.collector(try row.decode(1)), names.collector(try row.decode(2)))
            if from != to { moves.append(.init(reason: reason, from: from, to: to, count: count)) }
        }
        report.eventsByReason = reasons.map { .init(code: $0, count: $1) }
            .sorted { ($1.count, $0.code) < ($0.count, $1.code) }
        moves.sort {
            ($1.count, $0.reason, $0.from ?? "", $0.to ?? "") < ($0.count, $1.reason, $1.from ?? "", $1.to ?? "")
        }
        report.moves = Array(moves.prefix(rowsMax))
    }

    // MARK: Without a collector

    private func sumUnassigned(
        _ report: inout IncidentReport, _ connection: isolated PostgresConnection
    ) async throws {
        // Between two events at which a time without a collector begins, goes on or ends, nothing about that changes. So
        // the first of them after the window tells how it was at the window's end: an event's revision, doubled, and
        // whether the target had none before it; the least of a target is its first.
        let none: (before: SQL, after: SQL) = (
            "(collector_before IS NULL AND label_set_before IS NOT NULL)",
            "(collector_after IS NULL AND label_set_after IS NOT NULL)"
        )
        let rows = try await connection.query(
            """
            WITH later AS MATERIALIZED (SELECT target, min(revision * 2 + \(none.before)::integer) AS first \
            FROM ledger.target_event WHERE at > \(until) AND (\(none.before) OR \(none.after)) GROUP BY target), \
            open AS (SELECT target FROM later WHERE first % 2 = 1 UNION ALL SELECT target FROM ledger.current_target c \
            WHERE collector IS NULL AND NOT EXISTS (SELECT FROM later l WHERE l.target = c.target)), \
            turns AS (SELECT target, sum((\(none.before)::integer - \(none.after)::integer) \
            * date_part('epoch', at - \(since))) AS seconds FROM ledger.target_event \
            WHERE true\(inside("at")) AND (\(none.before) OR \(none.after)) GROUP BY target), \
            spans AS (SELECT coalesce(t.target, o.target) AS target, o.target IS NOT NULL AS open, \
            coalesce(t.seconds, 0) + CASE WHEN o.target IS NULL THEN 0 \
            ELSE date_part('epoch', \(until) - \(since)) END AS seconds \
            FROM turns t FULL JOIN open o ON o.target = t.target) \
            SELECT s.target, j.name, t.identity, t.address, s.seconds, s.open, count(*) OVER (), \
            sum(s.seconds) OVER () FROM spans s JOIN ledger.target t ON t.id = s.target \
            JOIN ledger.job j ON j.id = t.job WHERE s.seconds > 0 ORDER BY s.seconds DESC, s.target LIMIT \(rowsMax)
            """)
        for row in rows {
            report.unassignedTargets = try row.decode(6)
            report.unassignedSeconds = try row.decode(7)
            report.worstUnassigned.append(
                .init(
                    target: RecordedTarget(
                        number: try row.decode(0), job: try row.decode(1),
                        identity: TargetIdentity(rawValue: UInt64(bitPattern: try row.decode(2, as: Int64.self))),
                        address: try row.decode(3)),
                    seconds: try row.decode(4), isOngoing: try row.decode(5)))
        }
    }
}
