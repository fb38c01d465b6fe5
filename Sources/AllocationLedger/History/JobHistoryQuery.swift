//
// JobHistoryQuery.swift: what happened to a job: the revisions that changed its targets, what discovery found, failures
// included, and when another configuration took effect.
//

import AllocationCore
import PostgresDriver

/// What one revision changed of one job.
package struct JobRevision: Sendable, Hashable {
    package var at: Timestamp
    package var revision: Int64
    package var cause: String
    package var causeDetail: String
    package var added: Int64
    package var removed: Int64
    /// There before and after, with another collector or none.
    package var moved: Int64
    package var relabelled: Int64
}

/// A run of equal discovery results of one provider.
package struct DiscoveryRun: Sendable, Hashable {
    package var firstAt: Timestamp
    package var lastAt: Timestamp
    package var job: String
    package var provider: String
    package var source: String
    package var succeeded: Bool
    package var targets: Int32
    package var added: Int32
    package var removed: Int32
    package var droppedByRelabelling: Int32
    package var error: String?
    package var durationSeconds: Double
    /// How many times this was found.
    package var rounds: Int64
    /// In force when the run began.
    package var revision: Int64
    /// It goes on.
    package var isOpen: Bool

    static let columns: SQL = """
        first_at, last_at, job, provider, source, outcome, targets, added, removed, dropped_by_relabelling, error, \
        duration, rounds, revision
        """

    init(_ row: PostgresRow) throws {
        firstAt = try row.decode(0)
        lastAt = try row.decode(1)
        job = try row.decode(2)
        provider = try row.decode(3)
        source = try row.decode(4)
        succeeded = try row.decode(5, as: String.self) == "succeeded"
        targets = try row.decode(6)
        added = try row.decode(7)
        removed = try row.decode(8)
        droppedByRelabelling = try row.decode(9)
        error = try row.decode(10)
        durationSeconds = try row.decode(11)
        rounds = try row.decode(12)
        revision = try row.decode(13)
        isOpen = try row.decode(14)
    }
}

/// A job's history, newest first.
package struct JobHistoryQuery: Sendable {
    package var job: String
    package var window: HistoryWindow
    package var limit: Int

    package init(job: String, window: HistoryWindow = HistoryWindow(), limit: Int = PageLimit.rowsDefault) {
        self.job = job
        self.window = window
        self.limit = limit
    }

    /// Revisions that changed targets of the job.
    ///
    /// - Throws: ``HistoryError/unknown(_:)``, ``HistoryError/compacted(oldest:)``.
    package func revisions(
        after: RevisionCursor? = nil, _ connection: isolated PostgresConnection
    ) async throws -> HistoryPage<JobRevision, RevisionCursor> {
        guard let number = try await NameReader.job(named: job, connection) else {
            throw HistoryError.unknown("job \(job)")
        }
        var place = window.terms("e.at")
        if let after {
            let point = try await Instant.revision(Revision(after.revision)).resolve(connection)
            place = "\(place) AND e.revision < \(after.revision) AND e.at < \(point.at)"
        }
        let limit = PageLimit.clamped(limit, max: 1000)
        let rows = try await connection.query(
            """
            SELECT e.at, e.revision, count(*) FILTER (WHERE e.label_set_before IS NULL), \
            count(*) FILTER (WHERE e.label_set_after IS NULL), count(*) FILTER (WHERE e.label_set_before IS NOT NULL \
            AND e.label_set_after IS NOT NULL AND e.collector_before IS DISTINCT FROM e.collector_after), \
            count(*) FILTER (WHERE e.label_set_before <> e.label_set_after) \
            FROM ledger.target_event e JOIN ledger.target t ON t.id = e.target \
            WHERE t.job = \(number)\(place) GROUP BY e.revision, e.at ORDER BY e.revision DESC LIMIT \(limit + 1)
            """)
        guard !rows.isEmpty else { return HistoryPage(items: [], next: nil) }
        let times = try rows.map { (try $0.decode(1, as: Int64.self), try $0.decode(0, as: Timestamp.self)) }
        let facts = try await RevisionFacts.read(Dictionary(uniqueKeysWithValues: times), connection)
        let items = try rows.prefix(limit).map { row in
            let revision = try row.decode(1, as: Int64.self)
            return JobRevision(
                at: try row.decode(0), revision: revision, cause: facts[revision]?.cause ?? "unknown",
                causeDetail: facts[revision]?.causeDetail ?? "", added: try row.decode(2), removed: try row.decode(3),
                moved: try row.decode(4), relabelled: try row.decode(5))
        }
        let next = rows.count > limit ? items.last.map { RevisionCursor(revision: $0.revision) } : nil
        return HistoryPage(items: items, next: next)
    }

    /// What discovery found, failures included: the runs that go on, and those that ended, by when they began.
    package func discoveries(
        after: InstantCursor? = nil, _ connection: isolated PostgresConnection
    ) async throws -> HistoryPage<DiscoveryRun, InstantCursor> {
        try await DiscoveryQuery(job: job, window: window, limit: limit, after: after).run(connection)
    }
}

/// Discovery results of one job or of all, newest first by when the run began. A window selects the runs that reach into
/// it.
package struct DiscoveryQuery: Sendable {
    package var job: String?
    package var window: HistoryWindow
    package var failuresOnly: Bool
    package var limit: Int
    package var after: InstantCursor?

    package init(
        job: String? = nil, window: HistoryWindow = HistoryWindow(), failuresOnly: Bool = false,
        limit: Int = PageLimit.rowsDefault, after: InstantCursor? = nil
    ) {
        self.job = job
        self.window = window
        self.failuresOnly = failuresOnly
        self.limit = limit
        self.after = after
    }

    package func run(
        _ connection: isolated PostgresConnection
    ) async throws -> HistoryPage<DiscoveryRun, InstantCursor> {
        let limit = PageLimit.clamped(limit)
        var place: SQL = "true"
        if let job { place = "\(place) AND job = \(job)" }
        if let since = window.since { place = "\(place) AND last_at >= \(since)" }
        if let until = window.until { place = "\(place) AND first_at < \(until)" }
        if failuresOnly { place = "\(place) AND outcome = 'failed'" }
        if let after { place = "\(place) AND first_at <= \(after.timestamp)" }
        let rows = try await connection.query(
            """
            SELECT * FROM (SELECT \(DiscoveryRun.columns), true AS open FROM ledger.discovery_run WHERE \(place) \
            UNION ALL SELECT \(DiscoveryRun.columns), false FROM ledger.discovery_report WHERE \(place)) AS runs \
            ORDER BY first_at DESC, job, provider, source OFFSET \(after?.skipping ?? 0) LIMIT \(limit + 1)
            """)
        let items = try rows.prefix(limit).map { try DiscoveryRun($0) }
        let next = rows.count > limit ? InstantCursor.behind(items.map(\.firstAt), after: after) : nil
        return HistoryPage(items: items, next: next)
    }

}

/// When another configuration took effect, newest first.
package struct ConfigurationChangeQuery: Sendable {
    package var window: HistoryWindow
    package var limit: Int
    package var after: RevisionCursor?

    package init(
        window: HistoryWindow = HistoryWindow(), limit: Int = PageLimit.rowsDefault, after: RevisionCursor? = nil
    ) {
        self.window = window
        self.limit = limit
        self.after = after
    }

    package func run(
        _ connection: isolated PostgresConnection
    ) async throws -> HistoryPage<RevisionSummary, RevisionCursor> {
        let limit = PageLimit.clamped(limit, max: 1000)
        var place = window.terms("v.at")
        if let after {
            let point = try await Instant.revision(Revision(after.revision)).resolve(connection)
            place = "\(place) AND v.at < \(point.at)"
        }
        var items = try await connection.query(
            """
            SELECT \(RevisionSummary.columns) FROM ledger.revision v \(RevisionSummary.joins) \
            WHERE v.configuration IS NOT NULL\(place) AND v.configuration IS DISTINCT FROM \
            (SELECT b.configuration FROM ledger.revision b WHERE b.at < v.at ORDER BY b.at DESC LIMIT 1) \
            ORDER BY v.at DESC LIMIT \(limit + 1)
            """
        ).map { try RevisionSummary($0) }
        let hasMore = items.count > limit
        if hasMore { items.removeLast() }
        return HistoryPage(
            items: items, next: items.last.flatMap { hasMore ? RevisionCursor(revision: $0.revision) : nil })
    }
}
