//
// JobsQuery.swift: which jobs there were at a revision, how many targets each had, and what their discovery says now.
//
// As with collectors, counts are those of the nearest known state, with what came and went in between.
//

import AllocationCore
import PostgresDriver

/// A job as it was.
package struct JobState: Sendable, Hashable {
    package var name: String
    package var targets: Int64
    /// Targets that no collector had.
    package var unassignedTargets: Int64
    /// The providers' runs of results that go on now; empty where nothing was reported.
    package var runs: [DiscoveryRun]

    /// Providers whose last result is a failure.
    package var failures: [DiscoveryRun] { runs.filter { !$0.succeeded } }
}

/// Jobs that had a target at one revision, or have a discovery that goes on.
package struct JobsQuery: Sendable {
    package var point: RevisionPoint

    package init(at point: RevisionPoint) { self.point = point }

    /// One answer's jobs at most; there are never nearly as many.
    private static let jobsMax = 100_000

    private struct Counts {
        var targets: Int64 = 0
        var unassigned: Int64 = 0
    }

    /// - Returns: Ordered bytewise by name.
    /// - Throws: ``HistoryError/compacted(oldest:)``.
    package func run(_ connection: isolated PostgresConnection) async throws -> [JobState] {
        let bounds = try await RecordedBounds.read(connection)
        try bounds.require(point.revision)
        let counts = try await counts(connection)
        let names = try await connection.query("SELECT id, name FROM ledger.job ORDER BY id LIMIT \(Self.jobsMax)")
        var runs = Dictionary(grouping: try await openRuns(connection), by: \.job)
        var states = try names.compactMap { row -> JobState? in
            let name = try row.decode(1, as: String.self)
            let count = counts[try row.decode(0)] ?? Counts()
            let own = runs.removeValue(forKey: name) ?? []
            guard count.targets > 0 || !own.isEmpty else { return nil }
            return JobState(name: name, targets: count.targets, unassignedTargets: count.unassigned, runs: own)
        }
        // A job whose discovery has never found anything is not in the dictionary; the file itself is no job.
        for (name, own) in runs where !name.isEmpty {
            states.append(JobState(name: name, targets: 0, unassignedTargets: 0, runs: own))
        }
        return states.sorted { ByteOrder.precedes($0.name, $1.name) }
    }

    private func openRuns(_ connection: isolated PostgresConnection) async throws -> [DiscoveryRun] {
        try await connection.query(
            """
            SELECT \(DiscoveryRun.columns), true FROM ledger.discovery_run ORDER BY job, provider, source \
            LIMIT \(Self.jobsMax)
            """
        ).map { try DiscoveryRun($0) }
    }

    /// By job. From the nearest known state and what came in between.
    private func counts(_ connection: isolated PostgresConnection) async throws -> [Int32: Counts] {
        var counts: [Int32: Counts] = [:]
        let base = try await StateBase.nearest(to: point, connection)
        let known: SQL? =
            switch base.origin {
            case .beginning: nil
            case .current: "SELECT target, collector IS NULL AS is_unassigned FROM ledger.current_target"
            case .snapshot(let snapshot):
                """
                SELECT u.target, u.collector = 0 AS is_unassigned FROM ledger.state_snapshot s, \
                unnest(s.targets, s.collectors) AS u (target, collector) WHERE s.at = \(snapshot.at)
                """
            }
        if let known {
            let rows = try await connection.query(
                """
                SELECT t.job, count(*), count(*) FILTER (WHERE c.is_unassigned) FROM (\(known)) AS c \
                JOIN ledger.target t ON t.id = c.target GROUP BY t.job
                """)
            for row in rows {
                counts[try row.decode(0)] = Counts(targets: try row.decode(1), unassigned: try row.decode(2))
            }
        }
        let rows = try await connection.query(
            """
            SELECT t.job, \
            count(*) FILTER (WHERE e.label_set_after IS NOT NULL) \
            - count(*) FILTER (WHERE e.label_set_before IS NOT NULL), \
            count(*) FILTER (WHERE e.label_set_after IS NOT NULL AND e.collector_after IS NULL) \
            - count(*) FILTER (WHERE e.label_set_before IS NOT NULL AND e.collector_before IS NULL) \
            FROM ledger.target_event e JOIN ledger.target t ON t.id = e.target WHERE \(base.terms) GROUP BY t.job
            """)
        for row in rows {
            let job = try row.decode(0, as: Int32.self)
            let sign: Int64 = base.isForwards ? 1 : -1
            counts[job, default: Counts()].targets += sign * (try row.decode(1, as: Int64.self))
            counts[job, default: Counts()].unassigned += sign * (try row.decode(2, as: Int64.self))
        }
        return counts
    }
}

extension DiscoveryQuery {
    /// Providers whose last result is a failure, the latest to begin failing first.
    ///
    /// - Parameter limit: Runs at most.
    package static func failingNow(
        limit: Int, _ connection: isolated PostgresConnection
    ) async throws -> [DiscoveryRun] {
        try await connection.query(
            """
            SELECT \(DiscoveryRun.columns), true FROM ledger.discovery_run WHERE outcome = 'failed' \
            ORDER BY first_at DESC, job, provider, source LIMIT \(PageLimit.clamped(limit))
            """
        ).map { try DiscoveryRun($0) }
    }
}
