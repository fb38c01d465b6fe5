//
// DaySealer.swift: computes what a day's seals say.
//
// A seal binds what its partition holds. Of revisions: the digest of the last one, from which the whole day follows, and the
// right edge of the tree over the log, so that roots can be computed when the day is gone. Of events: the root over the
// events_digest of the day's revisions. Of discovery reports and deliveries, which no revision binds: the root over the
// hashes of their rows, ordered bytewise, so that no database's sort order matters.
//

import PostgresDriver

/// Seals one day, whose partitions take no row any more.
struct DaySealer {
    let day: RetentionDay
    private var digester = RecordDigester()

    init(_ day: RetentionDay) { self.day = day }

    /// The seals of all partitions of the day.
    ///
    /// - Throws: ``LedgerError/corrupted(_:)`` when what is there is not what the revisions say: nothing must be sealed then.
    mutating func seals(_ connection: isolated PostgresConnection) async throws -> [SealRecord] {
        var sealer = self
        let log = try await LogBefore.read(day, connection)
        let (revisions, tree, events) = try await sealer.revisions(after: log, connection)
        var seals = [revisions]
        for (table, expected) in [(HistoryTable.targetEvent, events.target), (.collectorEvent, events.collector)] {
            let found = try await sealer.count(table, connection)
            guard found == expected else {
                throw LedgerError.corrupted(
                    "ledger.\(table.rawValue) has \(found) rows of \(day), and the revisions say \(expected)")
            }
            seals.append(sealer.record(table, rows: found, revisions, digest: tree.root))
        }
        seals.append(try await sealer.discoveryReports(connection))
        seals.append(try await sealer.deliveries(connection))
        self = sealer
        return seals
    }

    private func record(
        _ table: HistoryTable, rows: Int64, _ revisions: SealRecord? = nil, digest: Digest32, tree: [UInt8]? = nil
    ) -> SealRecord {
        SealRecord(
            partition: day.partition(of: table), from: day.start, to: day.end, rows: rows,
            firstRevision: revisions?.firstRevision, lastRevision: revisions?.lastRevision, digest: digest, tree: tree)
    }

    private func inside(_ table: HistoryTable) -> SQL {
        let column = SQL(unsafeSQL: table.timeColumn)
        return "\(column) >= \(day.start) AND \(column) < \(day.end)"
    }

    /// The same for COPY, which takes no binds; these are texts of ours.
    private func insideText(_ table: HistoryTable) -> SQL {
        SQL(unsafeSQL: "\(table.timeColumn) >= '\(day.start)' AND \(table.timeColumn) < '\(day.end)'")
    }

    private func count(_ table: HistoryTable, _ connection: isolated PostgresConnection) async throws -> Int64 {
        try await connection.query(
            "SELECT count(*) FROM ledger.\(unsafeSQL: table.rawValue) WHERE \(inside(table))"
        ).first?.decode(0) ?? 0
    }

    // MARK: Revisions

    /// The log as it was at the day's beginning.
    private struct LogBefore {
        var tree: MerkleTree
        var digest: Digest32

        static func read(_ day: RetentionDay, _ connection: isolated PostgresConnection) async throws -> LogBefore {
            let row = try await connection.query(
                """
                SELECT partition, coalesce(last_revision, (SELECT max(b.last_revision) FROM ledger.seal b \
                WHERE b.partition LIKE 'revision%' AND b.to_at <= s.to_at), 0), digest, tree FROM ledger.seal s \
                WHERE partition LIKE 'revision%' AND to_at <= \(day.start) ORDER BY to_at DESC LIMIT 1
                """
            ).first
            guard let row else { return LogBefore(tree: MerkleTree(), digest: .zero) }
            guard let digest = Digest32(try row.decode(2, as: [UInt8].self)),
                let tree = MerkleTree(count: try row.decode(1), edge: try row.decode(3, as: [UInt8]?.self) ?? [])
            else { throw LedgerError.corrupted("the seal of \(try row.decode(0, as: String.self)) cannot be read") }
            return LogBefore(tree: tree, digest: digest)
        }
    }

    private func revisions(
        after log: LogBefore, _ connection: isolated PostgresConnection
    ) async throws -> (SealRecord, events: MerkleTree, counts: (target: Int64, collector: Int64)) {
        var (log, events, counts) = (log, MerkleTree(), (target: Int64(0), collector: Int64(0)))
        let before = log.tree.count
        let rows = try await connection.copyOut(
            """
            COPY (SELECT revision, previous_digest, digest, events_digest, target_events, collector_events, \
            cause = 'fork_repaired' FROM ledger.revision \
            WHERE \(insideText(.revision)) ORDER BY revision) TO STDOUT (FORMAT binary)
            """
        ) { row in
            let number = try row.int64()
            let previous = Digest32(try row.bytes())
            guard let digest = Digest32(try row.bytes()), let eventsDigest = Digest32(try row.bytes()) else {
                throw LedgerError.corrupted("revision \(number) of \(day) cannot be read")
            }
            let (targetEvents, collectorEvents) = (Int64(try row.int32()), Int64(try row.int32()))
            // Numbers that the repair of a fork left out belong to its day.
            if try row.bool(), previous == log.digest { log.tree.skip(to: number) }
            guard number == log.tree.count + 1 else {
                throw LedgerError.corrupted("revision \(log.tree.count + 1) of \(day) is missing")
            }
            // A revision's digest begins with byte 00, so it is the leaf itself.
            log.tree.append(digest)
            log.digest = digest
            events.append(MerkleTree.leaf(eventsDigest))
            counts.target += targetEvents
            counts.collector += collectorEvents
        }
        let seal = SealRecord(
            partition: day.partition(of: .revision), from: day.start, to: day.end, rows: Int64(rows),
            firstRevision: rows > 0 ? before + 1 : nil, lastRevision: rows > 0 ? log.tree.count : nil,
            digest: log.digest, tree: log.tree.edge)
        return (seal, events, counts)
    }

    // MARK: What no revision binds

    private mutating func discoveryReports(_ connection: isolated PostgresConnection) async throws -> SealRecord {
        var (leaves, digester): ([Digest32], RecordDigester) = ([], digester)
        try await connection.copyOut(
            """
            COPY (SELECT first_at, last_at, job, provider, source, outcome, targets, added, removed, \
            dropped_by_relabelling, error, duration, rounds, revision FROM ledger.discovery_report \
            WHERE \(insideText(.discoveryReport))) TO STDOUT (FORMAT binary)
            """
        ) { row in
            leaves.append(
                try digester.row("D") { encoder in
                    for _ in 0..<2 { encoder.field(try row.timestamp().microsecondsSince1970) }
                    for _ in 0..<4 { encoder.field(try row.string()) }
                    for _ in 0..<4 { encoder.field(Int64(try row.int32())) }
                    encoder.field(try row.stringIfPresent())
                    encoder.field(try row.double().bitPattern)
                    for _ in 0..<2 { encoder.field(try row.int64()) }
                })
        }
        self.digester = digester
        return record(.discoveryReport, rows: Int64(leaves.count), digest: Self.root(&leaves))
    }

    private mutating func deliveries(_ connection: isolated PostgresConnection) async throws -> SealRecord {
        var (leaves, digester): ([Digest32], RecordDigester) = ([], digester)
        try await connection.copyOut(
            """
            COPY (SELECT first_fetch_at, collector, job, revision, replica FROM ledger.delivery \
            WHERE \(insideText(.delivery))) TO STDOUT (FORMAT binary)
            """
        ) { row in
            leaves.append(
                try digester.row("V") { encoder in
                    encoder.field(try row.timestamp().microsecondsSince1970)
                    for _ in 0..<2 { encoder.field(try row.string()) }
                    encoder.field(try row.int64())
                    encoder.field(try row.uuid().description)
                })
        }
        self.digester = digester
        return record(.delivery, rows: Int64(leaves.count), digest: Self.root(&leaves))
    }

    private static func root(_ leaves: inout [Digest32]) -> Digest32 {
        leaves.sort(by: Digest32.precedes)
        var tree = MerkleTree()
        for leaf in leaves { tree.append(leaf) }
        return tree.root
    }
}

extension MerkleTree {
    /// The leaf of an entry that is a digest itself: SHA-256 of byte 00 and the digest.
    static func leaf(_ digest: Digest32) -> Digest32 { Digest32.hash([0] + digest.bytes) }
}

extension RecordDigester {
    /// Of a row that no revision binds.
    mutating func row(_ type: Character, _ fields: (inout RecordEncoder) throws -> Void) rethrows -> Digest32 {
        var encoder = RecordEncoder()
        encoder.begin(type: type)
        try fields(&encoder)
        return encoder.digest
    }
}
