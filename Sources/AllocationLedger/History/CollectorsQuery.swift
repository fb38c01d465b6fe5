//
// CollectorsQuery.swift: which collectors there were at a revision, and how many targets each had.
//
// As with targets, read backwards: who is present now, less who joined later, and who left later. Counts are today's less
// what came and plus what went since, so no state has to be made.
//

import AllocationCore
import PostgresDriver

/// A collector as it was.
package struct CollectorState: Sendable, Hashable {
    package var name: String
    /// Tells incarnations under one name apart; nil where there is none.
    package var uid: String?
    package var node: String?
    /// False for one that had left and still had targets.
    package var isPresent: Bool
    /// False between a `not_ready` and the next `ready`.
    package var isReady: Bool
    /// When it last joined; nil where that has been removed.
    package var joined: RevisionPoint?
    /// Where its last joining was seen.
    package var evidence: String?
    package var targets: Int64
}

/// All collectors at one revision.
package struct CollectorsQuery: Sendable {
    package var point: RevisionPoint

    package init(at point: RevisionPoint) { self.point = point }

    /// Collectors ordered bytewise by name, and targets that none had.
    package struct Answer: Sendable, Hashable {
        package var collectors: [CollectorState]
        package var unassignedTargets: Int64
        /// Targets in all.
        package var targets: Int64
    }

    /// One answer's collectors at most; there are never nearly as many.
    private static let collectorsMax = 100_000

    /// - Throws: ``HistoryError/compacted(oldest:)``.
    package func run(_ connection: isolated PostgresConnection) async throws -> Answer {
        let bounds = try await RecordedBounds.read(connection)
        try bounds.require(point.revision)
        let counts = try await counts(connection)
        let rows = try await connection.query(
            """
            SELECT c.id, c.name, c.uid, n.collector IS NOT NULL, n.node, f.kind, l.kind, l.node, j.revision, j.at, \
            j.evidence, s.kind FROM ledger.collector c \
            LEFT JOIN ledger.current_collector n ON n.collector = c.id \
            LEFT JOIN (\(first)) f ON f.collector = c.id LEFT JOIN (\(last())) l ON l.collector = c.id \
            LEFT JOIN (\(last("AND kind = 1"))) j ON j.collector = c.id \
            LEFT JOIN (\(last("AND kind IN (1, 3, 4)"))) s ON s.collector = c.id ORDER BY c.id LIMIT \(Self.collectorsMax)
            """)
        var found: [String: CollectorState] = [:]
        for row in rows {
            let state = try state(row, counts)
            guard state.isPresent || state.targets > 0 else { continue }
            guard let other = found[state.name] else {
                found[state.name] = state
                continue
            }
            // Incarnations of one name: the one that is present, or the later one, with the targets of all.
            var kept = other.isPresent && !state.isPresent ? other : state
            kept.targets = other.targets + state.targets
            found[state.name] = kept
        }
        return Answer(
            collectors: found.values.sorted { ByteOrder.precedes($0.name, $1.name) },
            unassignedTargets: counts[0] ?? 0, targets: counts.values.reduce(0, +))
    }

    /// The first event after the revision, by collector.
    private var first: SQL {
        """
        SELECT DISTINCT ON (collector) collector, kind FROM ledger.collector_event \
        WHERE revision > \(point.revision.number) AND at > \(point.at) ORDER BY collector, revision, ordinal
        """
    }

    /// The last event up to the revision, by collector.
    private func last(_ terms: SQL = "") -> SQL {
        """
        SELECT DISTINCT ON (collector) collector, kind, node, revision, at, evidence FROM ledger.collector_event \
        WHERE revision <= \(point.revision.number) AND at <= \(point.at) \(terms) \
        ORDER BY collector, revision DESC, ordinal DESC
        """
    }

    private func state(_ row: PostgresRow, _ counts: [Int32: Int64]) throws -> CollectorState {
        func kind(_ column: Int) throws -> CollectorChangeKind? {
            try row.decode(column, as: Int16?.self).flatMap { CollectorChangeKind(rawValue: $0) }
        }
        let isPresentNow = try row.decode(3, as: Bool.self)
        // What came first after the revision tells how it was; nothing after: it is as it is now.
        let isPresent = try kind(5).map { $0 != .joined } ?? isPresentNow
        let uid = try row.decode(2, as: String.self)
        let joined = try row.decode(8, as: Int64?.self)
        let lastKind = try kind(6)
        return CollectorState(
            name: try row.decode(1), uid: uid.isEmpty ? nil : uid,
            node: lastKind != nil ? try row.decode(7, as: String?.self) : try row.decode(4, as: String?.self),
            isPresent: isPresent, isReady: try kind(11) != .notReady && isPresent,
            joined: try joined.map { RevisionPoint(revision: Revision($0), at: try row.decode(9)) },
            evidence: try row.decode(10), targets: counts[try row.decode(0)] ?? 0)
    }

    /// Targets by collector; 0 stands for none. From the nearest known state and what came in between.
    private func counts(_ connection: isolated PostgresConnection) async throws -> [Int32: Int64] {
        var counts: [Int32: Int64] = [:]
        let base = try await StateBase.nearest(to: point, connection)
        let known: SQL? =
            switch base.origin {
            case .beginning: nil
            case .current: "SELECT coalesce(collector, 0), count(*) FROM ledger.current_target GROUP BY 1"
            case .snapshot(let snapshot):
                """
                SELECT c, count(*) FROM ledger.state_snapshot, unnest(collectors) AS c WHERE at = \(snapshot.at) GROUP BY 1
                """
            }
        if let known {
            for row in try await connection.query(known) {
                counts[try row.decode(0)] = try row.decode(1, as: Int64.self)
            }
        }
        let rows = try await connection.query(
            """
            SELECT coalesce(collector_before, 0), coalesce(collector_after, 0), label_set_before IS NOT NULL, \
            label_set_after IS NOT NULL, count(*) FROM ledger.target_event WHERE \(base.terms) GROUP BY 1, 2, 3, 4
            """)
        for row in rows {
            let count = try row.decode(4, as: Int64.self) * (base.isForwards ? 1 : -1)
            if try row.decode(2, as: Bool.self) { counts[try row.decode(0), default: 0] -= count }
            if try row.decode(3, as: Bool.self) { counts[try row.decode(1), default: 0] += count }
        }
        return counts
    }
}
