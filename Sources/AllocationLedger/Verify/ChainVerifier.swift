//
// ChainVerifier.swift: walks the digest chain from the first revision to the tip.
//
// Everything is computed again from the rows: the digests of dictionary rows from their contents, each event's hash from
// what it refers to, each revision's tree and record, the link to the one before. In one snapshot, in slices, so a long
// ledger needs little memory. The format is on the module's README page.
//

import Logging
import PostgresDriver

/// Verifies a ledger.
///
/// The root over a revision's events proves that one of them was altered; the first four bytes of each leaf hash, kept in
/// the event's row, tell which.
package struct ChainVerifier {
    /// Told how many revisions of how many are done.
    package typealias Progress = @Sendable (_ done: Int64, _ total: Int64) -> Void

    struct Row {
        let record: RevisionRecord
        let digest: Digest32
    }

    private var report = VerificationReport()
    private var digester = RecordDigester()
    private var previous = Digest32.zero
    private var previousAt: Timestamp?
    private var expected: Int64 = 1
    /// The last revision that retention has dropped; 0: none.
    private var dropped: Int64 = 0

    private static let revisionsPerSlice: Int64 = 500
    /// After this many findings the rest adds nothing.
    static let findingsMax = 100

    /// Walks the whole ledger.
    ///
    /// - Throws: ``LedgerError`` when it cannot be read; what is wrong with it is in the report instead.
    package static func verify(
        _ configuration: PostgresConfiguration, logger: Logger, progress: @escaping Progress = { _, _ in }
    ) async throws -> VerificationReport {
        try await LedgerError.translating {
            let connection = try await PostgresConnection.connect(configuration, logger: logger)
            do {
                try await Migrator.requireCurrent(connection)
                let report = try await connection.transaction(
                    isolation: .repeatableRead, readOnly: true, deadline: .now + .seconds(24 * 3600)
                ) { @Sendable connection in
                    var verifier = ChainVerifier()
                    return try await verifier.run(connection, progress)
                }
                await connection.close()
                return report
            } catch {
                await connection.close()
                throw error
            }
        }
    }

    private init() {}

    private mutating func run(
        _ connection: isolated PostgresConnection, _ progress: Progress
    ) async throws -> VerificationReport {
        report.head = try await LedgerQueries.head(connection)
        var dictionaries = DictionaryCheck()
        try await dictionaries.run(connection)
        report.labelSets = dictionaries.labelSets
        report.findings = dictionaries.findings

        let tip = report.head?.revision.number ?? 0
        let last = try await connection.query("SELECT coalesce(max(revision), 0) FROM ledger.revision").first?
            .decode(0, as: Int64.self)
        let end = max(tip, last ?? 0)
        try await skipDropped(connection)
        var start = expected
        while start <= end, report.findings.count < Self.findingsMax {
            let stop = min(start + Self.revisionsPerSlice - 1, end)
            try await checkSlice(start, stop, connection)
            progress(stop, end)
            start = stop + 1
        }
        checkTip()
        try await checkStrays(end, connection)
        try await checkCurrentState(connection)
        return report
    }

    /// Goes on from the seal of what retention has dropped.
    private mutating func skipDropped(_ connection: isolated PostgresConnection) async throws {
        let row = try await connection.query(
            """
            SELECT s.last_revision, s.digest FROM ledger.seal s JOIN ledger.partition_drop d USING (partition) \
            WHERE s.partition LIKE 'revision%' AND s.last_revision IS NOT NULL \
            AND NOT EXISTS (SELECT FROM ledger.revision v WHERE v.revision <= s.last_revision) \
            ORDER BY s.last_revision DESC LIMIT 1
            """
        ).first
        guard let row, let digest = Digest32(try row.decode(1, as: [UInt8].self)) else { return }
        dropped = try row.decode(0)
        expected = dropped + 1
        previous = digest
    }

    private mutating func find(
        _ kind: VerificationReport.Finding.Kind, revision: Int64? = nil, ordinal: Int32? = nil, _ detail: String
    ) {
        find(.init(kind: kind, revision: revision, ordinal: ordinal, detail: detail))
    }

    private mutating func find(_ finding: VerificationReport.Finding) {
        guard report.findings.count < Self.findingsMax else { return }
        report.findings.append(finding)
    }

    // MARK: Revisions

    private mutating func checkSlice(
        _ start: Int64, _ stop: Int64, _ connection: isolated PostgresConnection
    ) async throws {
        let revisions = try await revisions(start, stop, connection)
        var walk = EventWalk(revisions: revisions)
        try await walk.run(start, stop, connection)
        for row in revisions {
            let number = row.record.revision
            noteMissing(before: number)
            guard number == expected else {
                find(.reordered, revision: number, "its number occurs twice")
                continue
            }
            expected += 1
            report.revisions += 1
            if let previousAt, row.record.at <= previousAt {
                find(.reordered, revision: number, "its time is not after the one before it")
            }
            previousAt = row.record.at
            check(row, walk.take(number))
            previous = row.digest
        }
        noteMissing(before: stop + 1)
        for (number, events) in walk.rest {
            find(
                .altered, revision: number,
                "it has \(events.tree.count) events, and its row in ledger.revision is gone")
        }
    }

    private mutating func noteMissing(before number: Int64) {
        while expected < number {
            find(.missing, revision: expected, "its row in ledger.revision is gone")
            expected += 1
        }
    }

    private mutating func check(_ row: Row, _ events: EventWalk.Events) {
        let number = row.record.revision
        report.events += Int64(events.tree.count)
        if digester.revision(row.record) != row.digest {
            find(.altered, revision: number, "its row in ledger.revision is not what was recorded")
        }
        if row.record.previousDigest != previous {
            find(.altered, revision: number, "it does not continue the revision before it")
        }
        for finding in events.findings { find(finding) }
        if events.findings.isEmpty, events.tree.root != row.record.eventsDigest {
            find(
                .altered, revision: number,
                "its events are not those that were recorded; each row agrees with its own mark, so marks were altered too"
            )
        }
    }

    private func revisions(
        _ start: Int64, _ stop: Int64, _ connection: isolated PostgresConnection
    ) async throws -> [Row] {
        let rows = try await connection.query(
            """
            SELECT v.revision, v.epoch, v.at, v.change_id, v.cause, v.cause_detail, v.occurred_at, v.replica, \
            c.digest, r.digest, v.events_digest, v.previous_digest, v.digest, v.targets_added, v.targets_removed, \
            v.targets_moved, v.targets_relabelled, v.target_events, v.collector_events FROM ledger.revision v \
            LEFT JOIN ledger.configuration c ON c.id = v.configuration LEFT JOIN ledger.ring r ON r.id = v.ring \
            WHERE v.revision BETWEEN \(start) AND \(stop) ORDER BY v.revision, v.at
            """)
        return try rows.map { row in
            func digest(_ column: Int) throws -> Digest32? { Digest32(try row.decode(column, as: [UInt8]?.self) ?? []) }
            let counts = RevisionCounts(
                targetsAdded: try row.decode(13), targetsRemoved: try row.decode(14), targetsMoved: try row.decode(15),
                targetsRelabelled: try row.decode(16), targetEvents: try row.decode(17),
                collectorEvents: try row.decode(18))
            let record = RevisionRecord(
                revision: try row.decode(0, as: Int64.self), epoch: try row.decode(1, as: Int64.self),
                at: try row.decode(2, as: Timestamp.self), changeID: try row.decode(3, as: UUID128.self),
                cause: try row.decode(4, as: String.self), causeDetail: try row.decode(5, as: String.self),
                occurredAt: try row.decode(6, as: Timestamp?.self), replica: try row.decode(7, as: UUID128.self),
                configuration: try digest(8), ring: try digest(9) ?? .zero, counts: counts,
                eventsDigest: try digest(10) ?? .zero, previousDigest: try digest(11) ?? .zero)
            return Row(record: record, digest: try digest(12) ?? .zero)
        }
    }

    // MARK: The tip and the current state

    private mutating func checkTip() {
        let tip = report.head?.revision.number ?? 0
        if expected - 1 > tip {
            find(.altered, "the tip says revision \(tip), but there is a revision \(expected - 1)")
        } else if report.findings.isEmpty, report.head?.digest ?? .zero != previous {
            find(.altered, "the tip's digest is not that of revision \(tip)")
        }
    }

    /// Events of revisions that there never were.
    private mutating func checkStrays(_ end: Int64, _ connection: isolated PostgresConnection) async throws {
        for table in ["target_event", "collector_event"] {
            let rows = try await connection.query(
                """
                SELECT revision, ordinal FROM ledger.\(unsafeSQL: table) WHERE revision < 1 OR revision > \(end) \
                ORDER BY revision, ordinal LIMIT 10
                """)
            for row in rows {
                find(
                    .altered, revision: try row.decode(0), ordinal: try row.decode(1),
                    "its row in ledger.\(table) belongs to no revision")
            }
        }
    }

    private mutating func checkCurrentState(_ connection: isolated PostgresConnection) async throws {
        let rows = try await connection.query(
            """
            SELECT coalesce(c.target, e.target), t.address FROM ledger.current_target c \
            FULL JOIN (SELECT DISTINCT ON (target) target, collector_after, label_set_after FROM ledger.target_event \
                       ORDER BY target, revision DESC) e ON e.target = c.target \
            LEFT JOIN ledger.target t ON t.id = coalesce(c.target, e.target) \
            WHERE (c.target IS NULL AND e.label_set_after IS NOT NULL) OR (c.target IS NOT NULL AND \
            NOT (e.target IS NULL AND c.since_revision <= \(dropped)) AND \
            (e.label_set_after IS DISTINCT FROM c.label_set OR e.collector_after IS DISTINCT FROM c.collector)) \
            ORDER BY 1 LIMIT 10
            """)
        for row in rows {
            let address = try row.decode(1, as: String?.self) ?? "?"
            find(
                .altered,
                "the current state of target \(try row.decode(0, as: Int32.self)) (\(address)) is not what its last event left"
            )
        }
    }
}
