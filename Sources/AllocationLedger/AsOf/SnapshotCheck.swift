//
// SnapshotCheck.swift: compares every snapshot of the state with what the events say it was.
//
// From the current state backwards, from snapshot to snapshot, so each event is read once, whatever retention has
// removed. The events themselves and the current state are proved by others.
//

import PostgresDriver

/// Verifies `ledger.state_snapshot`.
package enum SnapshotCheck {
    /// A snapshot that is not what it should be.
    package struct Finding: Sendable, Hashable {
        package var revision: Int64
        package var detail: String
    }

    /// Run it in a transaction that sees one moment.
    ///
    /// - Returns: What is wrong, the latest snapshot first; empty when every snapshot is right.
    package static func run(_ connection: isolated PostgresConnection) async throws -> [Finding] {
        var findings = try await misplaced(connection)
        guard let latest = try await LedgerQueries.head(connection) else { return findings }
        let wrong = Set(findings.map(\.revision))
        var known = StateBase.Origin.current
        var state: DenseState?
        for snapshot in try await snapshots(connection) where !wrong.contains(snapshot.revision.number) {
            guard snapshot.revision <= latest.revision else {
                findings.append(
                    Finding(revision: snapshot.revision.number, detail: "its snapshot is of a revision that never was"))
                continue
            }
            let walk = StateWalk(from: StateBase(origin: known, point: snapshot))
            if state == nil {
                state = try await walk.dense(connection)
            } else {
                state?.settle()
                if var next = state {
                    try await walk.apply(to: &next, connection)
                    state = next
                }
            }
            known = .snapshot(snapshot)
            guard let expected = state else { continue }
            var found = DenseState(count: expected.count)
            try await StateWalk.read(snapshot, into: &found, connection)
            let difference = expected.differences(from: found)
            if difference > 0 {
                findings.append(
                    Finding(
                        revision: snapshot.revision.number,
                        detail: "its snapshot differs from what the events say in \(difference) targets"))
            }
        }
        return findings
    }

    private static func snapshots(_ connection: isolated PostgresConnection) async throws -> [RevisionPoint] {
        try await connection.query("SELECT DISTINCT revision, at FROM ledger.state_snapshot ORDER BY at DESC").map {
            RevisionPoint(revision: Revision(try $0.decode(0)), at: try $0.decode(1))
        }
    }

    /// Rows that a read would not find, or would find for another revision: each would make one part of a state wrong.
    private static func misplaced(_ connection: isolated PostgresConnection) async throws -> [Finding] {
        let bits = StateSnapshot.blockBits
        return try await connection.query(
            """
            SELECT DISTINCT s.revision, s.at FROM ledger.state_snapshot s \
            LEFT JOIN ledger.revision v ON v.revision = s.revision AND v.at = s.at \
            WHERE v.revision IS NULL OR cardinality(s.targets) <> cardinality(s.collectors) \
            OR cardinality(s.targets) <> cardinality(s.label_sets) \
            OR EXISTS (SELECT FROM (SELECT t, lag(t) OVER (ORDER BY place) AS before \
            FROM unnest(s.targets) WITH ORDINALITY AS u(t, place)) o WHERE t >> \(bits) <> s.block OR before >= t) \
            ORDER BY s.at DESC
            """
        ).map { Finding(revision: try $0.decode(0), detail: "a row of its snapshot is not as it was written") }
    }
}
