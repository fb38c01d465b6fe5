//
// RevisionQuery.swift: the revisions themselves: who wrote each, when, from which inputs, and what it changed.
//

import AllocationCore
import PostgresDriver

/// One revision, without its events.
package struct RevisionSummary: Sendable, Hashable {
    package var revision: Int64
    package var at: Timestamp
    /// When it happened, where that was long before it was recorded.
    package var occurredAt: Timestamp?
    package var cause: String
    package var causeDetail: String
    package var epoch: Int64
    /// Of the process that wrote it, and the address it gave for itself in its term.
    package var replica: UUID128
    package var replicaAddress: String?
    package var changeID: UUID128
    package var strategy: String
    /// Nil without a ring.
    package var ringVersion: String?
    /// Collectors that targets were placed on.
    package var members: [String]
    package var ringDigest: Digest32
    package var placementNote: String?
    /// SHA-256 of the configuration in force; nil before the first.
    package var configurationDigest: Digest32?
    package var targetsAdded: Int32
    package var targetsRemoved: Int32
    package var targetsMoved: Int32
    package var targetsRelabelled: Int32
    package var targetEvents: Int32
    package var collectorEvents: Int32
    package var eventsDigest: Digest32
    package var previousDigest: Digest32
    package var digest: Digest32

    package var point: RevisionPoint { RevisionPoint(revision: Revision(revision), at: at) }

    static let columns: SQL = """
        v.revision, v.at, v.occurred_at, v.cause, v.cause_detail, v.epoch, v.replica, m.address, v.change_id, r.strategy, \
        r.version, r.members, r.digest, r.note, c.digest, v.targets_added, v.targets_removed, v.targets_moved, \
        v.targets_relabelled, v.target_events, v.collector_events, v.events_digest, v.previous_digest, v.digest
        """
    static let joins: SQL = """
        JOIN ledger.ring r ON r.id = v.ring LEFT JOIN ledger.configuration c ON c.id = v.configuration \
        LEFT JOIN ledger.term m ON m.epoch = v.epoch
        """

    init(_ row: PostgresRow) throws {
        func digest(_ column: Int) throws -> Digest32? {
            try row.decode(column, as: [UInt8]?.self).flatMap { Digest32($0) }
        }
        revision = try row.decode(0)
        at = try row.decode(1)
        occurredAt = try row.decode(2)
        cause = try row.decode(3)
        causeDetail = try row.decode(4)
        epoch = try row.decode(5)
        replica = try row.decode(6)
        replicaAddress = try row.decode(7)
        changeID = try row.decode(8)
        strategy = try row.decode(9)
        ringVersion = try row.decode(10)
        members = try row.decode(11)
        ringDigest = try digest(12) ?? .zero
        placementNote = try row.decode(13)
        configurationDigest = try digest(14)
        targetsAdded = try row.decode(15)
        targetsRemoved = try row.decode(16)
        targetsMoved = try row.decode(17)
        targetsRelabelled = try row.decode(18)
        targetEvents = try row.decode(19)
        collectorEvents = try row.decode(20)
        eventsDigest = try digest(21) ?? .zero
        previousDigest = try digest(22) ?? .zero
        self.digest = try digest(23) ?? .zero
    }
}

/// Which revisions are wanted, newest first.
package struct RevisionQuery: Sendable {
    package var window: HistoryWindow
    package var cause: Cause?
    /// Only those that moved, added or removed targets, or changed collectors.
    package var changesOnly: Bool
    package var limit: Int
    package var after: RevisionCursor?

    package init(
        window: HistoryWindow = HistoryWindow(), cause: Cause? = nil, changesOnly: Bool = false,
        limit: Int = PageLimit.rowsDefault, after: RevisionCursor? = nil
    ) {
        self.window = window
        self.cause = cause
        self.changesOnly = changesOnly
        self.limit = limit
        self.after = after
    }

    /// - Throws: ``HistoryError/compacted(oldest:)`` when what the cursor names has been removed.
    package func run(
        _ connection: isolated PostgresConnection
    ) async throws -> HistoryPage<RevisionSummary, RevisionCursor> {
        var place: SQL = "true\(window.terms("v.at"))"
        if let after {
            let point = try await Instant.revision(Revision(after.revision)).resolve(connection)
            place = "\(place) AND v.at < \(point.at)"
        }
        if let cause { place = "\(place) AND v.cause = \(cause.rawValue)" }
        if changesOnly { place = "\(place) AND v.target_events + v.collector_events > 0" }
        let limit = PageLimit.clamped(limit, max: 1000)
        var items = try await connection.query(
            """
            SELECT \(RevisionSummary.columns) FROM ledger.revision v \(RevisionSummary.joins) \
            WHERE \(place) ORDER BY v.at DESC LIMIT \(limit + 1)
            """
        ).map { try RevisionSummary($0) }
        let hasMore = items.count > limit
        if hasMore { items.removeLast() }
        return HistoryPage(
            items: items, next: items.last.flatMap { hasMore ? RevisionCursor(revision: $0.revision) : nil })
    }

    /// One revision.
    ///
    /// - Throws: ``HistoryError``.
    package static func one(
        _ revision: Revision, _ connection: isolated PostgresConnection
    ) async throws -> RevisionSummary {
        let point = try await Instant.revision(revision).resolve(connection)
        let row = try await connection.query(
            """
            SELECT \(RevisionSummary.columns) FROM ledger.revision v \(RevisionSummary.joins) \
            WHERE v.revision = \(revision.number) AND v.at = \(point.at)
            """
        ).first
        guard let row else { throw LedgerError.corrupted("revision \(revision) names a rule that does not exist") }
        return try RevisionSummary(row)
    }

    /// The text of a configuration, without secrets, as recorded.
    package static func configuration(
        _ digest: Digest32, _ connection: isolated PostgresConnection
    ) async throws -> String? {
        try await connection.query("SELECT text FROM ledger.configuration WHERE digest = \(digest.bytes)").first?
            .decode(0)
    }
}
