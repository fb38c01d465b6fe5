//
// DeliveryAppender.swift: appends first fetches to ledger.delivery, each changed answer once.
//
// A fetch is timed by this process's monotonic clock and recorded by the database's, so that it can be compared with the
// times of revisions whatever the clocks of machines show. An answer whose last change was seen here names its revision.
// One that was loaded names a range; the revision is then looked up, and whether that was recorded before a restart.
//

import PostgresDriver

/// The first fetch of a changed answer: a collector's list of one job.
package struct DeliveryNote: Sendable {
    package var collector: String
    package var job: String
    /// The list last changed in these revisions; the first is 0 for a list that was loaded by a process that knew nothing.
    package var revisions: ClosedRange<Int64>
    /// When the last of these was recorded.
    package var at: Timestamp
    package var fetchedAt: ContinuousClock.Instant

    package init(
        collector: String, job: String, revisions: ClosedRange<Int64>, at: Timestamp,
        fetchedAt: ContinuousClock.Instant
    ) {
        self.collector = collector
        self.job = job
        self.revisions = revisions
        self.at = at
        self.fetchedAt = fetchedAt
    }

    package var isExact: Bool { revisions.lowerBound == revisions.upperBound }
}

/// One process's way into ledger.delivery.
package actor DeliveryAppender {
    private let replica: UUID128
    private let pool: PostgresPool
    /// Of the lists that were loaded, as long as they are still being fetched for the first time.
    private var loaded: ListChanges?

    /// - Parameter replica: This process, as ledger.term names its holder.
    package init(replica: UUID128, pool: PostgresPool) {
        self.replica = replica
        self.pool = pool
    }

    /// Appends those that are not there yet. May be repeated.
    ///
    /// - Returns: Rows appended.
    /// - Throws: ``LedgerError``; some may be appended then.
    package func append(_ notes: [DeliveryNote], deadline: ContinuousClock.Instant) async throws -> Int {
        let ranges = notes.filter { !$0.isExact }
        if ranges.isEmpty, let loaded, loaded.readAt.duration(to: .now) > .seconds(120) { self.loaded = nil }
        let (known, replica) = (loaded, replica)
        let (count, read) = try await LedgerError.translating {
            try await pool.withConnection(deadline: deadline) { connection in
                let (resolved, changes) = try await Self.resolve(ranges, known, connection)
                let exact = notes.filter(\.isExact).map { Resolved(note: $0, revision: $0.revisions.lowerBound) }
                var count = try await Self.insert(
                    exact, notBefore: exact.map(\.note.at).min(), replica, deadline, connection)
                count += try await Self.insert(resolved, notBefore: nil, replica, deadline, connection)
                return (count, changes)
            }
        }
        loaded = read
        return count
    }

    private struct Resolved: Sendable {
        let note: DeliveryNote
        let revision: Int64
    }

    /// Of a list's rows the newest has its highest revision, so that one is looked at.
    ///
    /// - Parameter notBefore: Since when the same may have been recorded; nil: ever.
    private static func insert(
        _ rows: [Resolved], notBefore: Timestamp?, _ replica: UUID128, _ deadline: ContinuousClock.Instant,
        _ connection: isolated PostgresConnection
    ) async throws -> Int {
        guard !rows.isEmpty else { return 0 }
        let now = ContinuousClock.now
        let ages = rows.map { row -> Double in
            let (seconds, attoseconds) = row.note.fetchedAt.duration(to: now).components
            return Double(seconds) + Double(attoseconds) / 1e18
        }
        let since: SQL = notBefore.map { " AND d.first_fetch_at >= \($0)" } ?? ""
        return try await connection.query(
            """
            INSERT INTO ledger.delivery (first_fetch_at, collector, job, revision, replica) \
            SELECT greatest(now() - make_interval(secs => n.age), (SELECT max(s.to_at) FROM ledger.seal s)), n.collector, n.job, n.revision, \(replica) \
            FROM unnest(\(ages), \(rows.map { StorableText.mended($0.note.collector) }), \
            \(rows.map { StorableText.mended($0.note.job) }), \(rows.map(\.revision))) \
            AS n (age, collector, job, revision) WHERE n.revision > coalesce((SELECT d.revision FROM ledger.delivery d \
            WHERE d.collector = n.collector AND d.job = n.job\(since) ORDER BY d.first_fetch_at DESC LIMIT 1), -1) \
            RETURNING 1
            """, deadline: deadline
        ).count
    }

    /// The revisions of lists that were loaded; one whose change is no longer known is left out.
    ///
    /// - Returns: Also what to keep for the next ones.
    private static func resolve(
        _ notes: [DeliveryNote], _ loaded: ListChanges?, _ connection: isolated PostgresConnection
    ) async throws -> ([Resolved], ListChanges?) {
        guard let highest = notes.map(\.revisions.upperBound).max(),
            let lowest = notes.map(\.revisions.lowerBound).min()
        else { return ([], loaded) }
        var changes: ListChanges
        if lowest > 0 {
            changes = try await .between(lowest, highest, connection)
        } else if let loaded, loaded.upTo >= highest {
            changes = loaded
        } else {
            changes = try await .all(upTo: highest, connection)
        }
        changes.readAt = .now
        try await changes.names.read(
            collectors: Set(notes.map(\.collector)), jobs: Set(notes.map(\.job)), connection)
        let found = notes.compactMap { note in
            changes.revision(of: note.collector, note.job, in: note.revisions).map {
                Resolved(note: note, revision: $0)
            }
        }
        return (found, lowest > 0 ? loaded : changes)
    }
}
