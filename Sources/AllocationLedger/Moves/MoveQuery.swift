//
// MoveQuery.swift: when and why targets came to another collector, read from the database alone.
//

import AllocationCore
import Logging
import PostgresDriver

/// One target's way from one collector, or none, to another, or none.
package struct Move: Sendable, Hashable {
    package var at: Timestamp
    package var revision: Int64
    package var ordinal: Int32
    package var job: String
    package var address: String
    package var identity: TargetIdentity
    package var from: String?
    package var to: String?
    package var reason: String
    package var cause: String
    package var causeDetail: String
    /// The ring's partition of the address; nil without a ring.
    package var partition: Int?
    /// Who owned that partition before this revision; nil without a ring or before the first.
    package var ownerBefore: String?

    /// Neither collector joined or left.
    package var isCascade: Bool { reason == Reason.cascadeLoadBound.code }
}

/// Which moves are wanted. Empty: all, newest first.
package struct MoveQuery: Sendable {
    package var since: Timestamp?
    package var until: Timestamp?
    /// A part of the address.
    package var target: String?
    package var job: String?
    /// Came from or went to this collector.
    package var collector: String?
    package var reason: Reason?
    package var limit: Int

    package init(
        since: Timestamp? = nil, until: Timestamp? = nil, target: String? = nil, job: String? = nil,
        collector: String? = nil, reason: Reason? = nil, limit: Int = 1000
    ) {
        self.since = since
        self.until = until
        self.target = target
        self.job = job
        self.collector = collector
        self.reason = reason
        self.limit = limit
    }

    /// - Returns: At most `limit` moves, newest first.
    /// - Throws: ``LedgerError``.
    package func run(_ configuration: PostgresConfiguration, logger: Logger) async throws -> [Move] {
        try await LedgerError.translating {
            let connection = try await PostgresConnection.connect(configuration, logger: logger)
            do {
                try await Migrator.requireCurrent(connection)
                let moves = try await moves(connection)
                await connection.close()
                return moves
            } catch {
                await connection.close()
                throw error
            }
        }
    }

    private func moves(_ connection: PostgresConnection) async throws -> [Move] {
        let rows = try await connection.query(
            """
            SELECT e.at, e.revision, e.ordinal, j.name, t.address, t.identity, b.name, a.name, e.reason, v.cause, \
            v.cause_detail, v.ring, p.ring FROM ledger.target_event e \
            JOIN ledger.revision v ON v.revision = e.revision AND v.at = e.at \
            LEFT JOIN ledger.revision p ON p.revision = e.revision - 1 \
            JOIN ledger.target t ON t.id = e.target JOIN ledger.job j ON j.id = t.job \
            LEFT JOIN ledger.collector b ON b.id = e.collector_before \
            LEFT JOIN ledger.collector a ON a.id = e.collector_after \
            WHERE b.name IS DISTINCT FROM a.name \
            AND (\(since)::timestamptz IS NULL OR e.at >= \(since)) AND (\(until)::timestamptz IS NULL OR e.at < \(until)) \
            AND (\(target)::text IS NULL OR strpos(t.address, \(target)) > 0) \
            AND (\(job)::text IS NULL OR j.name = \(job)) \
            AND (\(collector)::text IS NULL OR b.name = \(collector) OR a.name = \(collector)) \
            AND (\(reason?.rawValue)::smallint IS NULL OR e.reason = \(reason?.rawValue)) \
            ORDER BY e.revision DESC, e.ordinal LIMIT \(limit)
            """)
        var rings: [Int32: Placement] = [:]
        for row in rows {
            for column in [11, 12] {
                guard let id = try row.decode(column, as: Int32?.self), rings[id] == nil else { continue }
                rings[id] = try await ring(id, connection)
            }
        }
        return try rows.map { row in
            let address = try row.decode(4, as: String.self)
            let now = try row.decode(11, as: Int32?.self).flatMap { rings[$0] }
            let before = try row.decode(12, as: Int32?.self).flatMap { rings[$0] }
            let isRing = now?.ringVersion != nil
            let partition = ConsistentHashRing.partition(of: address)
            return Move(
                at: try row.decode(0, as: Timestamp.self), revision: try row.decode(1, as: Int64.self),
                ordinal: try row.decode(2, as: Int32.self), job: try row.decode(3, as: String.self), address: address,
                identity: TargetIdentity(rawValue: UInt64(bitPattern: try row.decode(5, as: Int64.self))),
                from: try row.decode(6, as: String?.self), to: try row.decode(7, as: String?.self),
                reason: Reason(rawValue: try row.decode(8, as: Int16.self))?.code ?? "unknown",
                cause: try row.decode(9, as: String.self), causeDetail: try row.decode(10, as: String.self),
                partition: isRing ? partition : nil, ownerBefore: before.flatMap { Self.owner(of: partition, in: $0) })
        }
    }

    private func ring(_ id: Int32, _ connection: PostgresConnection) async throws -> Placement? {
        let row = try await connection.query(
            "SELECT strategy, version, members, partition_owners FROM ledger.ring WHERE id = \(id)"
        ).first
        return try row.map { row in
            Placement(
                strategy: try row.decode(0, as: String.self), ringVersion: try row.decode(1, as: String?.self),
                members: try row.decode(2, as: [String].self),
                partitionOwners: try row.decode(3, as: [Int16].self).map { UInt16(bitPattern: $0) })
        }
    }

    private static func owner(of partition: Int, in placement: Placement) -> String? {
        guard partition < placement.partitionOwners.count else { return nil }
        let owner = Int(placement.partitionOwners[partition])
        return owner < placement.members.count ? placement.members[owner] : nil
    }
}
