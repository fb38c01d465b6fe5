//
// ChainVerifier.swift: walks the digest chain from the first revision to the tip.
//
// Everything is computed again from the rows: the digests of label sets from their labels, each event's hash from what
// it refers to, each revision's tree and record, the link to the one before. In one snapshot, in slices, so a long
// ledger needs little memory.
//

import Logging
import PostgresDriver

/// Verifies a ledger.
package struct ChainVerifier {
    /// Told how many revisions of how many are done.
    package typealias Progress = @Sendable (_ done: Int64, _ total: Int64) -> Void

    private struct Row {
        let record: RevisionRecord
        let digest: Digest32
    }

    private var report = VerificationReport()
    private var digester = RecordDigester()
    private var previous = Digest32.zero
    private var previousAt: Timestamp?
    private var expected: Int64 = 1

    private static let revisionsPerSlice: Int64 = 500
    private static let labelSetsPerSlice: Int32 = 5_000
    /// After this many findings the rest adds nothing.
    private static let findingsMax = 100

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
        report.head = try await connection.query(LedgerQueries.headStatement).first.map { try LedgerQueries.head($0) }
        let tip = report.head?.revision.number ?? 0
        try await checkLabelSets(connection)
        let last = try await connection.query("SELECT coalesce(max(revision), 0) FROM ledger.revision").first?
            .decode(0, as: Int64.self)
        let end = max(tip, last ?? 0)
        var start: Int64 = 1
        while start <= end, report.findings.count < Self.findingsMax {
            let stop = min(start + Self.revisionsPerSlice - 1, end)
            try await checkSlice(start, stop, connection)
            progress(stop, end)
            start = stop + 1
        }
        checkTip()
        try await checkCurrentState(connection)
        return report
    }

    private mutating func find(
        _ kind: VerificationReport.Finding.Kind, revision: Int64? = nil, ordinal: Int32? = nil, _ detail: String
    ) {
        guard report.findings.count < Self.findingsMax else { return }
        report.findings.append(.init(kind: kind, revision: revision, ordinal: ordinal, detail: detail))
    }

    // MARK: Dictionaries

    private mutating func checkLabelSets(_ connection: isolated PostgresConnection) async throws {
        let highest = try await connection.query("SELECT coalesce(max(id), 0) FROM ledger.label_set").first?
            .decode(0, as: Int32.self)
        for start in stride(from: Int32(1), through: highest ?? 0, by: Int(Self.labelSetsPerSlice)) {
            let rows = try await connection.query(
                """
                SELECT s.id, s.digest, cardinality(s.labels), array_agg(l.name ORDER BY u.place) FILTER (WHERE l.id IS NOT NULL), \
                array_agg(l.value ORDER BY u.place) FILTER (WHERE l.id IS NOT NULL) FROM ledger.label_set s \
                LEFT JOIN LATERAL unnest(s.labels) WITH ORDINALITY AS u(id, place) ON true \
                LEFT JOIN ledger.label l ON l.id = u.id \
                WHERE s.id BETWEEN \(start) AND \(start + Self.labelSetsPerSlice - 1) \
                GROUP BY s.id, s.digest, s.labels ORDER BY s.id
                """)
            for row in rows {
                report.labelSets += 1
                let id = try row.decode(0, as: Int32.self)
                let names = try row.decode(3, as: [String]?.self) ?? []
                let values = try row.decode(4, as: [String]?.self) ?? []
                guard names.count == Int(try row.decode(2, as: Int32.self)) else {
                    find(.missing, "label set \(id) names a label that does not exist")
                    continue
                }
                let pairs = zip(names, values).map { (name: $0, value: $1) }
                if digester.labelSet(pairs) != Digest32(try row.decode(1, as: [UInt8].self)) {
                    find(.altered, "label set \(id) or one of its labels is not what it was")
                }
            }
        }
    }

    // MARK: Revisions

    private mutating func checkSlice(
        _ start: Int64, _ stop: Int64, _ connection: isolated PostgresConnection
    ) async throws {
        let revisions = try await revisions(start, stop, connection)
        var trees = try await eventTrees(start, stop, connection)
        for row in revisions {
            let number = row.record.revision
            while expected < number {
                find(.missing, revision: expected, "its row in ledger.revision is gone")
                expected += 1
            }
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
            let tree = trees.removeValue(forKey: number) ?? MerkleTree()
            report.events += Int64(tree.count)
            check(row, tree)
            previous = row.digest
        }
        for (number, _) in trees.sorted(by: { $0.key < $1.key }) where number < expected {
            find(.altered, revision: number, "it has events and no row in ledger.revision")
        }
        while expected <= stop {
            find(.missing, revision: expected, "its row in ledger.revision is gone")
            expected += 1
        }
    }

    private mutating func check(_ row: Row, _ tree: MerkleTree) {
        let number = row.record.revision
        if row.record.previousDigest != previous {
            find(.altered, revision: number, "it does not continue the revision before it")
        }
        var record = row.record
        record.events = Int64(tree.count)
        record.eventsDigest = tree.root
        if tree.root != row.record.eventsDigest {
            find(.altered, revision: number, "its events are not those that were recorded (\(tree.count) found)")
            record.eventsDigest = row.record.eventsDigest
        }
        // With altered events the record can still be whole; its number of events is then not known.
        if tree.root == row.record.eventsDigest, digester.revision(record) != row.digest {
            find(.altered, revision: number, "its row in ledger.revision is not what was recorded")
        }
    }

    private func revisions(
        _ start: Int64, _ stop: Int64, _ connection: isolated PostgresConnection
    ) async throws -> [Row] {
        let rows = try await connection.query(
            """
            SELECT v.revision, v.epoch, v.at, v.change_id, v.cause, v.cause_detail, v.occurred_at, v.replica, \
            c.digest, r.digest, v.events_digest, v.previous_digest, v.digest FROM ledger.revision v \
            LEFT JOIN ledger.configuration c ON c.id = v.configuration LEFT JOIN ledger.ring r ON r.id = v.ring \
            WHERE v.revision BETWEEN \(start) AND \(stop) ORDER BY v.revision, v.at
            """)
        return try rows.map { row in
            func digest(_ column: Int) throws -> Digest32? { Digest32(try row.decode(column, as: [UInt8]?.self) ?? []) }
            let record = RevisionRecord(
                revision: try row.decode(0, as: Int64.self), epoch: try row.decode(1, as: Int64.self),
                at: try row.decode(2, as: Timestamp.self), changeID: try row.decode(3, as: UUID128.self),
                cause: try row.decode(4, as: String.self), causeDetail: try row.decode(5, as: String.self),
                occurredAt: try row.decode(6, as: Timestamp?.self), replica: try row.decode(7, as: UUID128.self),
                configuration: try digest(8), ring: try digest(9) ?? .zero, events: 0,
                eventsDigest: try digest(10) ?? .zero, previousDigest: try digest(11) ?? .zero)
            return Row(record: record, digest: try digest(12) ?? .zero)
        }
    }

    // MARK: Events

    private mutating func eventTrees(
        _ start: Int64, _ stop: Int64, _ connection: isolated PostgresConnection
    ) async throws -> [Int64: MerkleTree] {
        var trees: [Int64: MerkleTree] = [:]
        var nextOrdinal: [Int64: Int32] = [:]
        var findings: [VerificationReport.Finding] = []
        var digester = RecordDigester()
        // COPY takes no binds; these are numbers of ours.
        let range = "BETWEEN \(start) AND \(stop)"
        try await connection.copyOut(
            """
            COPY (SELECT e.revision, e.ordinal, j.name, t.identity, b.name, a.name, sb.digest, sa.digest, e.reason, \
            e.flags, e.at = v.at FROM ledger.target_event e \
            LEFT JOIN ledger.revision v ON v.revision = e.revision \
            LEFT JOIN ledger.target t ON t.id = e.target LEFT JOIN ledger.job j ON j.id = t.job \
            LEFT JOIN ledger.collector b ON b.id = e.collector_before \
            LEFT JOIN ledger.collector a ON a.id = e.collector_after \
            LEFT JOIN ledger.label_set sb ON sb.id = e.label_set_before \
            LEFT JOIN ledger.label_set sa ON sa.id = e.label_set_after \
            WHERE e.revision \(unsafeSQL: range) ORDER BY e.revision, e.ordinal) TO STDOUT (FORMAT binary)
            """
        ) { row in
            let revision = try row.int64()
            let ordinal = try row.int32()
            let wanted = nextOrdinal[revision, default: 0]
            if ordinal > wanted {
                findings.append(
                    .init(
                        kind: .missing, revision: revision, ordinal: wanted,
                        detail: "its row in ledger.target_event is gone"))
            } else if ordinal < wanted {
                findings.append(
                    .init(kind: .reordered, revision: revision, ordinal: ordinal, detail: "its number occurs twice"))
            }
            nextOrdinal[revision] = ordinal + 1
            let job = try row.stringIfPresent() ?? ""
            let identity = try row.int64IfPresent() ?? 0
            let (before, after) = (try row.stringIfPresent(), try row.stringIfPresent())
            let labelsBefore = try row.bytesIfPresent().flatMap { Digest32($0) }
            let labelsAfter = try row.bytesIfPresent().flatMap { Digest32($0) }
            let (reason, flags) = (try row.int16(), try row.int16())
            if try row.boolIfPresent() == false {
                findings.append(
                    .init(
                        kind: .altered, revision: revision, ordinal: ordinal, detail: "its time is not its revision's"))
            }
            trees[revision, default: MerkleTree()].append(
                digester.targetEvent(
                    .init(
                        job: job, identity: UInt64(bitPattern: identity), collectorBefore: before,
                        collectorAfter: after, labelsBefore: labelsBefore, labelsAfter: labelsAfter, reason: reason,
                        flags: flags)))
        }
        let rows = try await connection.query(
            """
            SELECT e.revision, e.kind, c.name, c.uid, e.node, e.evidence FROM ledger.collector_event e \
            LEFT JOIN ledger.collector c ON c.id = e.collector \
            WHERE e.revision BETWEEN \(start) AND \(stop) ORDER BY e.revision, e.ordinal
            """)
        for row in rows {
            trees[try row.decode(0, as: Int64.self), default: MerkleTree()].append(
                digester.collectorEvent(
                    kind: try row.decode(1, as: Int16.self), name: try row.decode(2, as: String?.self) ?? "",
                    uid: try row.decode(3, as: String?.self) ?? "", node: try row.decode(4, as: String?.self),
                    evidence: try row.decode(5, as: String.self)))
        }
        for finding in findings {
            find(finding.kind, revision: finding.revision, ordinal: finding.ordinal, finding.detail)
        }
        return trees
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

    private mutating func checkCurrentState(_ connection: isolated PostgresConnection) async throws {
        let rows = try await connection.query(
            """
            SELECT coalesce(c.target, e.target), t.address FROM ledger.current_target c \
            FULL JOIN (SELECT DISTINCT ON (target) target, collector_after, label_set_after FROM ledger.target_event \
                       ORDER BY target, revision DESC) e ON e.target = c.target \
            LEFT JOIN ledger.target t ON t.id = coalesce(c.target, e.target) \
            WHERE (c.target IS NULL AND e.label_set_after IS NOT NULL) OR (c.target IS NOT NULL AND \
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
