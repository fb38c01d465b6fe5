//
// TermQuery.swift: who led, and when nothing could be recorded.
//

import PostgresDriver

/// One replica's leadership.
package struct Term: Sendable, Hashable {
    package var epoch: Int64
    package var holder: UUID128
    package var address: String
    package var acquiredAt: Timestamp
    /// Nil: it goes on.
    package var endedAt: Timestamp?
    package var endReason: String?
    /// The tip of the log that it found; 0: none.
    package var firstRevision: Int64
    package var firstDigest: Digest32
    /// Which PostgreSQL it was, where the role may ask.
    package var systemIdentifier: Int64?
    package var timeline: Int32?
}

/// Terms that reach into a window, newest first.
package struct TermQuery: Sendable {
    package var window: HistoryWindow
    package var limit: Int
    /// Behind the term of this epoch.
    package var after: RevisionCursor?

    /// - Parameter after: A cursor of this list; its number is an epoch.
    package init(
        window: HistoryWindow = HistoryWindow(), limit: Int = PageLimit.rowsDefault, after: RevisionCursor? = nil
    ) {
        self.window = window
        self.limit = limit
        self.after = after
    }

    package func run(_ connection: isolated PostgresConnection) async throws -> HistoryPage<Term, RevisionCursor> {
        let limit = PageLimit.clamped(limit)
        var place: SQL = "true"
        if let since = window.since { place = "\(place) AND coalesce(ended_at, 'infinity') >= \(since)" }
        if let until = window.until { place = "\(place) AND acquired_at < \(until)" }
        if let after { place = "\(place) AND epoch < \(after.revision)" }
        let rows = try await connection.query(
            """
            SELECT epoch, holder, address, acquired_at, ended_at, end_reason, first_revision, first_digest, \
            system_identifier, timeline FROM ledger.term WHERE \(place) ORDER BY epoch DESC LIMIT \(limit + 1)
            """)
        let items = try rows.prefix(limit).map { row in
            Term(
                epoch: try row.decode(0), holder: try row.decode(1), address: try row.decode(2),
                acquiredAt: try row.decode(3), endedAt: try row.decode(4), endReason: try row.decode(5),
                firstRevision: try row.decode(6),
                firstDigest: Digest32(try row.decode(7, as: [UInt8].self)) ?? .zero,
                systemIdentifier: try row.decode(8), timeline: try row.decode(9))
        }
        let next = rows.count > limit ? items.last.map { RevisionCursor(revision: $0.epoch) } : nil
        return HistoryPage(items: items, next: next)
    }
}

/// A period in which nothing could be recorded.
package struct Gap: Sendable, Hashable {
    package var from: Timestamp
    package var to: Timestamp
    package var cause: String
    package var detail: String

    package var seconds: Double { Double(to.microsecondsSince1970 - from.microsecondsSince1970) / 1_000_000 }
}

/// Gaps that reach into a window, newest first.
package struct GapQuery: Sendable {
    package var window: HistoryWindow
    package var limit: Int
    package var after: InstantCursor?

    package init(
        window: HistoryWindow = HistoryWindow(), limit: Int = PageLimit.rowsDefault, after: InstantCursor? = nil
    ) {
        self.window = window
        self.limit = limit
        self.after = after
    }

    package func run(_ connection: isolated PostgresConnection) async throws -> HistoryPage<Gap, InstantCursor> {
        let limit = PageLimit.clamped(limit)
        var place: SQL = "true"
        if let since = window.since { place = "\(place) AND to_at >= \(since)" }
        if let until = window.until { place = "\(place) AND from_at < \(until)" }
        if let after { place = "\(place) AND from_at <= \(after.timestamp)" }
        let rows = try await connection.query(
            """
            SELECT from_at, to_at, cause, detail FROM ledger.gap WHERE \(place) \
            ORDER BY from_at DESC, to_at DESC, cause, detail OFFSET \(after?.skipping ?? 0) LIMIT \(limit + 1)
            """)
        let items = try rows.prefix(limit).map { row in
            Gap(from: try row.decode(0), to: try row.decode(1), cause: try row.decode(2), detail: try row.decode(3))
        }
        let next = rows.count > limit ? InstantCursor.behind(items.map(\.from), after: after) : nil
        return HistoryPage(items: items, next: next)
    }
}
