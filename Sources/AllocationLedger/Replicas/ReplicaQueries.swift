//
// ReplicaQueries.swift: the rows of ledger.replica: written by each process for itself, read by all.
//
// A process that can ask for the lease reports on the session on which it asks: one that is heard of is one that would
// lead. So it is safe to leave the lease to a replica that was heard of lately.
//

import PostgresDriver

enum ReplicaQueries {
    /// How often a process reports.
    static let interval = Duration.seconds(3)
    /// One that was not heard of for this long is not counted on.
    static let aliveFor: SQL = "interval '15 seconds'"
    /// And one that was not for this long is forgotten.
    private static let keptFor: SQL = "interval '10 minutes'"

    static func report(
        _ report: ReplicaReport, _ connection: PostgresConnection, deadline: ContinuousClock.Instant
    ) async throws {
        _ = try await connection.pipeline(
            [
                """
                INSERT INTO ledger.replica (id, name, version, configuration_digest, applied_revision, applied_digest, \
                state, epoch, behind_revisions, behind_seconds, hearing, started_at, seen_at) VALUES (\(report.id), \
                \(report.name), \("\(Migrator.knownVersion)"), \(report.configuration?.bytes), \
                \(report.applied?.revision), \(report.applied?.digest.bytes), \(report.state.rawValue), \(report.epoch), \
                \(report.behindRevisions), \(report.behindSeconds), \(report.hearing.rawValue), clock_timestamp(), \
                clock_timestamp()) ON CONFLICT (id) DO UPDATE SET name = excluded.name, \
                configuration_digest = excluded.configuration_digest, applied_revision = excluded.applied_revision, \
                applied_digest = excluded.applied_digest, state = excluded.state, epoch = excluded.epoch, \
                behind_revisions = excluded.behind_revisions, behind_seconds = excluded.behind_seconds, \
                hearing = excluded.hearing, seen_at = excluded.seen_at
                """,
                "DELETE FROM ledger.replica WHERE seen_at < clock_timestamp() - \(Self.keptFor)",
            ], deadline: deadline)
    }

    static func withdraw(_ id: UUID128, _ connection: PostgresConnection, deadline: ContinuousClock.Instant)
        async throws
    {
        _ = try await connection.query("DELETE FROM ledger.replica WHERE id = \(id)", deadline: deadline)
    }

    /// True where another configuration was recorded after this one, and a replica that has it is alive.
    ///
    /// During a rolling update old and new processes are there together. A configuration that was in force and is not
    /// any more is an older one: its process leaves the lease to those that have the one in force, as long as there are
    /// any. A configuration that was never recorded is a new one, whoever has it. So a process of the old version that
    /// is restarted in the middle of the update does not win back, and one that is left alone goes on.
    static func isSuperseded(_ configuration: Digest32?, _ id: UUID128) -> SQL {
        guard let configuration else { return "false" }
        return """
            EXISTS (SELECT FROM ledger.current_rule u JOIN ledger.configuration c ON c.id = u.configuration \
            JOIN ledger.replica r ON r.configuration_digest = c.digest \
            WHERE u.name = 'allocator' AND c.digest <> \(configuration.bytes) AND r.id <> \(id) \
            AND r.seen_at > clock_timestamp() - \(Self.aliveFor) \
            AND EXISTS (SELECT FROM ledger.configuration m WHERE m.digest = \(configuration.bytes)))
            """
    }
}

/// The replicas that were heard of, those that lead first. One that says that it leads in a term that is over has not been
/// heard of since it ended: one that lives notices within a second or two.
package struct ReplicaQuery: Sendable {
    package init() {}

    package func run(_ connection: isolated PostgresConnection) async throws -> [Replica] {
        let rows = try await connection.query(
            """
            SELECT id, name, version, configuration_digest, applied_revision, applied_digest, state, epoch, \
            behind_revisions, behind_seconds, hearing, started_at, seen_at, \
            seen_at > clock_timestamp() - \(ReplicaQueries.aliveFor) \
            AND coalesce(epoch >= (SELECT l.epoch FROM ledger.lease l WHERE l.name = 'allocator'), true) AS alive \
            FROM ledger.replica ORDER BY epoch IS NULL, alive DESC, name, id
            """)
        return try rows.map { row in
            let applied: FollowerLog.Tip? =
                if let revision = try row.decode(4, as: Int64?.self) {
                    FollowerLog.Tip(
                        revision: revision, digest: try row.decode(5, as: [UInt8]?.self).flatMap(Digest32.init) ?? .zero
                    )
                } else { nil }
            return Replica(
                report: ReplicaReport(
                    id: try row.decode(0), name: try row.decode(1),
                    configuration: try row.decode(3, as: [UInt8]?.self).flatMap(Digest32.init), applied: applied,
                    state: ReplicaReport.State(rawValue: try row.decode(6)) ?? .following, epoch: try row.decode(7),
                    behindRevisions: try row.decode(8), behindSeconds: try row.decode(9),
                    hearing: ReplicaReport.Hearing(rawValue: try row.decode(10)) ?? .connecting),
                version: try row.decode(2), startedAt: try row.decode(11), seenAt: try row.decode(12),
                isAlive: try row.decode(13))
        }
    }
}
