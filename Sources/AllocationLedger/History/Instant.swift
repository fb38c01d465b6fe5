//
// Instant.swift: the moments that a question may name, and the revision that was in force then.
//
// Numbers grow and times never go back, so a time and a revision name the same thing: the latest revision at or
// before the time. Since each time is after the one before, `at > point.at` is `revision > point.revision`, and it lets
// the server skip the partitions of other days.
//

import AllocationCore
import PostgresDriver

/// A revision and its time.
package struct RevisionPoint: Sendable, Hashable, Comparable {
    package let revision: Revision
    /// When it was recorded, by the database's clock.
    package let at: Timestamp

    package init(revision: Revision, at: Timestamp) {
        self.revision = revision
        self.at = at
    }

    package static func < (a: RevisionPoint, b: RevisionPoint) -> Bool { a.revision < b.revision }
}

/// A moment as users name it.
package enum Instant: Sendable, Hashable {
    case latest
    case revision(Revision)
    case time(Timestamp)

    /// Reads a revision's number, or a time as RFC 3339.
    package init?(_ text: String) {
        if !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
            guard let number = Int64(text) else { return nil }
            self = .revision(Revision(number))
        } else if let time = Timestamp(rfc3339: text) {
            self = .time(time)
        } else {
            return nil
        }
    }

    /// Finds the revision in force: of a time, the latest at or before it. A time to come is the latest revision's.
    ///
    /// - Throws: ``HistoryError``, never `unknown`.
    package func resolve(_ connection: isolated PostgresConnection) async throws -> RevisionPoint {
        let bounds = try await RecordedBounds.read(connection)
        switch self {
        case .latest: return bounds.latest
        case .revision(let revision): return try await Self.resolve(revision, bounds, connection)
        case .time(let time):
            guard time >= bounds.oldest.at else { throw bounds.tooEarly }
            guard time < bounds.latest.at else { return bounds.latest }
            return try await Self.last(atOrBefore: time, connection) ?? bounds.oldest
        }
    }

    private static func resolve(
        _ revision: Revision, _ bounds: RecordedBounds, _ connection: isolated PostgresConnection
    ) async throws -> RevisionPoint {
        guard revision <= bounds.latest.revision else {
            throw HistoryError.notYetWritten(latest: bounds.latest.revision)
        }
        guard revision >= bounds.oldest.revision else { throw bounds.tooEarly }
        let row = try await connection.query("SELECT at FROM ledger.revision WHERE revision = \(revision.number)").first
        if let row { return RevisionPoint(revision: revision, at: try row.decode(0)) }
        let next = try await connection.query(
            """
            SELECT revision, cause, cause_detail FROM ledger.revision WHERE revision > \(revision.number) \
            ORDER BY revision LIMIT 1
            """
        ).first
        guard let next, try next.decode(1, as: String.self) == Cause.forkRepaired.rawValue,
            ForkRepair.skipped(in: try next.decode(2, as: String.self))?.contains(revision.number) == true
        else { throw LedgerError.corrupted("revision \(revision) is missing") }
        throw HistoryError.unused(revision, next: Revision(try next.decode(0)))
    }

    static func last(
        atOrBefore time: Timestamp, _ connection: isolated PostgresConnection
    ) async throws -> RevisionPoint? {
        let row = try await connection.query(
            "SELECT revision, at FROM ledger.revision WHERE at <= \(time) ORDER BY at DESC LIMIT 1"
        ).first
        return try row.map { RevisionPoint(revision: Revision(try $0.decode(0)), at: try $0.decode(1)) }
    }
}

/// The first and the last revision that there is.
package struct RecordedBounds: Sendable, Hashable {
    package let oldest: RevisionPoint
    package let latest: RevisionPoint

    /// Whether retention has removed something.
    package var isCompacted: Bool { oldest.revision > Revision(1) }

    /// What a question about a moment before `oldest` is answered.
    var tooEarly: HistoryError { isCompacted ? .compacted(oldest: oldest) : .beforeFirst(oldest) }

    /// - Throws: ``HistoryError/nothingRecorded``.
    package static func read(_ connection: isolated PostgresConnection) async throws -> RecordedBounds {
        let row = try await connection.query(
            """
            SELECT h.revision, h.at, o.revision, o.at FROM ledger.head h \
            LEFT JOIN LATERAL (SELECT revision, at FROM ledger.revision ORDER BY at LIMIT 1) o ON true \
            WHERE h.name = 'allocator'
            """
        ).first
        guard let row, let oldest = try row.decode(2, as: Int64?.self) else { throw HistoryError.nothingRecorded }
        return RecordedBounds(
            oldest: RevisionPoint(revision: Revision(oldest), at: try row.decode(3)),
            latest: RevisionPoint(revision: Revision(try row.decode(0)), at: try row.decode(1)))
    }

    /// - Throws: ``HistoryError/compacted(oldest:)`` when what a cursor points behind has been removed meanwhile: a list
    ///   that just ended there would look complete.
    func require(_ revision: Revision?) throws(HistoryError) {
        guard let revision, revision < oldest.revision else { return }
        throw .compacted(oldest: oldest)
    }
}
