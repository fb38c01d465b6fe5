//
// DatabaseRecords.swift: a ledger's records out of the database, in one snapshot, in slices, so a long ledger needs little
// memory.
//

import AllocationCore
import PostgresDriver

/// Reads everything that a verification needs and hands it on.
struct DatabaseRecords {
    /// Told how many revisions of how many are done.
    typealias Progress = @Sendable (_ done: Int64, _ total: Int64) -> Void

    /// Nil: everything. Else these revisions and what their events name; no current state.
    var revisions: ClosedRange<Int64>?
    var progress: Progress = { _, _ in }
    /// Rows that are read at a time; what a sink gathers until it is drained.
    var rowsPerSlice = 50_000

    private static let revisionsPerBlock: Int64 = 2000
    private static let labelSetsPerSlice = 5000

    func read(into sink: some LedgerRecordSink, _ connection: isolated PostgresConnection) async throws {
        try await readPartitions(into: sink, connection)
        if let head = try await LedgerQueries.head(connection) { try sink.take(.head(head)) }
        try await readSmallDictionaries(into: sink, connection)
        try await readTargets(into: sink, connection)
        try await readLabelSets(into: sink, connection)
        try await readControl(into: sink, connection)
        try await readBlocks(into: sink, connection)
        if revisions == nil { try await readCurrentState(into: sink, connection) }
    }

    private func readPartitions(
        into sink: some LedgerRecordSink, _ connection: isolated PostgresConnection
    ) async throws {
        let rows = try await connection.query(
            """
            SELECT p.relname::text, c.relname::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid \
            JOIN pg_class p ON p.oid = i.inhparent JOIN pg_namespace n ON n.oid = p.relnamespace \
            WHERE n.nspname = 'ledger' AND p.relkind = 'p' ORDER BY 1, 2
            """)
        for row in rows {
            try sink.take(.partition(PartitionRow(table: try row.decode(0), name: try row.decode(1))))
        }
    }

    // MARK: Dictionaries

    private func readSmallDictionaries(
        into sink: some LedgerRecordSink, _ connection: isolated PostgresConnection
    ) async throws {
        for row in try await connection.query("SELECT id, name FROM ledger.job ORDER BY id") {
            try sink.take(.job(id: try row.decode(0), name: try row.decode(1)))
        }
        for row in try await connection.query("SELECT id, name, uid FROM ledger.collector ORDER BY id") {
            try sink.take(.collector(id: try row.decode(0), name: try row.decode(1), uid: try row.decode(2)))
        }
        // One by one: a configuration may be megabytes, a rule has a member for each collector.
        for id in try await ids("configuration", connection) {
            let row = try await connection.query("SELECT digest, text FROM ledger.configuration WHERE id = \(id)").first
            guard let row else { continue }
            try sink.take(
                .configuration(id: id, digest: Digest32(try row.decode(0, as: [UInt8].self)), text: try row.decode(1)))
        }
        for id in try await ids("ring", connection) {
            let row = try await connection.query(
                "SELECT digest, strategy, version, members, partition_owners, note FROM ledger.ring WHERE id = \(id)"
            ).first
            guard let row else { continue }
            let placement = Placement(
                strategy: try row.decode(1), ringVersion: try row.decode(2, as: String?.self),
                members: try row.decode(3, as: [String].self),
                partitionOwners: try row.decode(4, as: [Int16].self).map { UInt16(bitPattern: $0) },
                note: try row.decode(5, as: String?.self))
            try sink.take(.ring(id: id, digest: Digest32(try row.decode(0, as: [UInt8].self)), placement))
        }
    }

    private func ids(_ table: String, _ connection: isolated PostgresConnection) async throws -> [Int32] {
        let place: SQL =
            revisions.map {
                """
                 WHERE id IN (SELECT \(unsafeSQL: table) FROM ledger.revision \
                WHERE revision BETWEEN \($0.lowerBound) AND \($0.upperBound))
                """
            } ?? ""
        return try await connection.query("SELECT id FROM ledger.\(unsafeSQL: table)\(place) ORDER BY id").map {
            try $0.decode(0, as: Int32.self)
        }
    }

    /// Which rows the events of the wanted revisions name, as the end of a statement of COPY, which takes no binds.
    private func named(by columns: [String]) -> String {
        guard let revisions else { return "" }
        let range = "revision BETWEEN \(revisions.lowerBound) AND \(revisions.upperBound)"
        let parts = columns.map { "SELECT \($0) FROM ledger.target_event WHERE \(range)" }
        return " WHERE id IN (\(parts.joined(separator: " UNION ")))"
    }

    private func readTargets(into sink: some LedgerRecordSink, _ connection: isolated PostgresConnection) async throws {
        let place = named(by: ["target"])
        var after = Int32.min
        var count = 0
        repeat {
            count = try await connection.copyOut(
                """
                COPY (SELECT id, job, identity, address FROM ledger.target\(unsafeSQL: behind(place, after)) ORDER BY id \
                LIMIT \(unsafeSQL: "\(rowsPerSlice)")) TO STDOUT (FORMAT binary)
                """
            ) { row in
                after = try row.int32()
                try sink.take(
                    .target(
                        id: after, job: try row.int32(), identity: UInt64(bitPattern: try row.int64()),
                        address: try row.string()))
            }
            try await sink.drain()
        } while count == rowsPerSlice
    }

    private func behind(_ place: String, _ id: Int32) -> String {
        place.isEmpty ? " WHERE id > \(id)" : "\(place) AND id > \(id)"
    }

    private func readLabelSets(
        into sink: some LedgerRecordSink, _ connection: isolated PostgresConnection
    ) async throws {
        let place = named(by: ["label_set_before", "label_set_after"])
        var after = Int32.min
        while true {
            var sets: [(id: Int32, digest: Digest32?, labels: [Int32])] = []
            try await connection.copyOut(
                """
                COPY (SELECT id, digest, labels FROM ledger.label_set\(unsafeSQL: behind(place, after)) ORDER BY id \
                LIMIT \(unsafeSQL: "\(Self.labelSetsPerSlice)")) TO STDOUT (FORMAT binary)
                """
            ) { row in
                let id = try row.int32()
                let digest = Digest32(try row.bytes())
                var labels: [Int32] = []
                try row.int32Array(into: &labels)
                sets.append((id, digest, labels))
            }
            guard let last = sets.last else { return }
            after = last.id
            let pairs = try await labels(Set(sets.lazy.flatMap(\.labels)).sorted(), connection)
            for set in sets {
                try sink.take(.labelSet(id: set.id, digest: set.digest, set.labels.map { pairs[$0] ?? .gone(id: $0) }))
            }
            try await sink.drain()
        }
    }

    /// The pairs as bytes, by id.
    private func labels(_ ids: [Int32], _ connection: isolated PostgresConnection) async throws -> [Int32: LabelPair] {
        let rows = try await connection.query(
            """
            SELECT id, convert_to(name, 'UTF8'), convert_to(value, 'UTF8'), raw FROM ledger.label WHERE id = ANY(\(ids))
            """)
        var pairs: [Int32: LabelPair] = [:]
        pairs.reserveCapacity(rows.count)
        for row in rows {
            var pair = LabelPair.pair(
                name: try row.decode(1, as: [UInt8].self), value: try row.decode(2, as: [UInt8].self))
            if let raw = try row.decode(3, as: [UInt8]?.self) { pair = LabelPair(raw: raw) ?? pair }
            pairs[try row.decode(0, as: Int32.self)] = pair
        }
        return pairs
    }

    // MARK: Control

    private func readControl(into sink: some LedgerRecordSink, _ connection: isolated PostgresConnection) async throws {
        var after: RevisionCursor?
        repeat {
            let page = try await TermQuery(limit: 1000, after: after).run(connection)
            for term in page.items { try sink.take(.term(term)) }
            after = page.next
        } while after != nil
        for row in try await connection.query(
            "SELECT from_at, to_at, cause, detail FROM ledger.gap ORDER BY from_at, to_at")
        {
            try sink.take(
                .gap(
                    Gap(
                        from: try row.decode(0), to: try row.decode(1), cause: try row.decode(2),
                        detail: try row.decode(3))))
        }
        for seal in try await SealRecord.all(connection) { try sink.take(.seal(seal)) }
        guard revisions == nil else { return }
        let witnesses: [(table: String, column: String)] = [
            ("delivery", "revision"), ("discovery_report", "revision"), ("discovery_run", "revision"),
            ("replica", "applied_revision"), ("current_target", "since_revision"),
            ("current_collector", "since_revision"), ("seal", "last_revision"),
        ]
        for (table, column) in witnesses {
            let row = try await connection.query(
                "SELECT max(\(unsafeSQL: column)) FROM ledger.\(unsafeSQL: table)"
            ).first
            if let revision = try row?.decode(0, as: Int64?.self) {
                try sink.take(.witness(table: table, revision: revision))
            }
        }
    }

    // MARK: History

    private func readBlocks(into sink: some LedgerRecordSink, _ connection: isolated PostgresConnection) async throws {
        let bounds = try await connection.query(
            "SELECT coalesce(min(revision), 1), coalesce(max(revision), 0) FROM ledger.revision"
        ).first
        let whole = (try bounds?.decode(0, as: Int64.self) ?? 1, try bounds?.decode(1, as: Int64.self) ?? 0)
        let first = revisions?.lowerBound ?? whole.0
        let end = revisions?.upperBound ?? .max
        var behind = revisions.map { $0.lowerBound - 1 } ?? Int64.min
        while behind < end {
            let next = try await connection.query(
                "SELECT min(revision) FROM ledger.revision WHERE revision > \(behind) AND revision <= \(end)"
            ).first?.decode(0, as: Int64?.self)
            let isLast = next.map { $0 > end - Self.revisionsPerBlock || $0 > whole.1 - Self.revisionsPerBlock } ?? true
            let last = isLast ? end : (next ?? 0) + Self.revisionsPerBlock - 1
            try sink.take(.block(last: last))
            try await readBlock(behind, last, into: sink, connection)
            progress(min(last, whole.1) - first + 1, min(end, whole.1) - first + 1)
            behind = last
        }
    }

    private func readBlock(
        _ behind: Int64, _ last: Int64, into sink: some LedgerRecordSink, _ connection: isolated PostgresConnection
    ) async throws {
        let revisions = try await connection.query(
            """
            SELECT revision, at, epoch, change_id, cause, cause_detail, occurred_at, replica, ring, configuration, \
            targets_added, targets_removed, targets_moved, targets_relabelled, target_events, collector_events, \
            events_digest, previous_digest, digest FROM ledger.revision \
            WHERE revision > \(behind) AND revision <= \(last) ORDER BY revision, at
            """)
        for row in revisions { try sink.take(.revision(try RevisionRow(row))) }
        try await sink.drain()
        try await readTargetEvents(behind, last, into: sink, connection)
        try await readCollectorEvents(behind, last, into: sink, connection)
    }

    private func readTargetEvents(
        _ behind: Int64, _ last: Int64, into sink: some LedgerRecordSink, _ connection: isolated PostgresConnection
    ) async throws {
        var after = (revision: behind, ordinal: Int32.max)
        var count = 0
        repeat {
            let place = "(revision, ordinal) > (\(after.revision), \(after.ordinal)) AND revision <= \(last)"
            count = try await connection.copyOut(
                """
                COPY (SELECT revision, ordinal, at, target, collector_before, collector_after, label_set_before, \
                label_set_after, leaf, reason, flags FROM ledger.target_event \
                WHERE \(unsafeSQL: place) ORDER BY revision, ordinal LIMIT \(unsafeSQL: "\(rowsPerSlice)")) \
                TO STDOUT (FORMAT binary)
                """
            ) { row in
                let event = TargetEventRow(
                    revision: try row.int64(), ordinal: try row.int32(), at: try row.timestamp(),
                    target: try row.int32(), collectorBefore: try row.int32IfPresent() ?? 0,
                    collectorAfter: try row.int32IfPresent() ?? 0, labelSetBefore: try row.int32IfPresent() ?? 0,
                    labelSetAfter: try row.int32IfPresent() ?? 0, leaf: try row.int32(), reason: try row.int16(),
                    flags: try row.int16())
                after = (event.revision, event.ordinal)
                try sink.take(.targetEvent(event))
            }
            try await sink.drain()
        } while count == rowsPerSlice
    }

    private func readCollectorEvents(
        _ behind: Int64, _ last: Int64, into sink: some LedgerRecordSink, _ connection: isolated PostgresConnection
    ) async throws {
        var after = (revision: behind, ordinal: Int32.max)
        var count = 0
        repeat {
            let place = "(revision, ordinal) > (\(after.revision), \(after.ordinal)) AND revision <= \(last)"
            count = try await connection.copyOut(
                """
                COPY (SELECT revision, ordinal, at, collector, leaf, kind, node, evidence FROM ledger.collector_event \
                WHERE \(unsafeSQL: place) ORDER BY revision, ordinal LIMIT \(unsafeSQL: "\(rowsPerSlice)")) \
                TO STDOUT (FORMAT binary)
                """
            ) { row in
                let event = CollectorEventRow(
                    revision: try row.int64(), ordinal: try row.int32(), at: try row.timestamp(),
                    collector: try row.int32(), leaf: try row.int32(), kind: try row.int16(),
                    node: try row.stringIfPresent(), evidence: try row.string())
                after = (event.revision, event.ordinal)
                try sink.take(.collectorEvent(event))
            }
            try await sink.drain()
        } while count == rowsPerSlice
    }

    private func readCurrentState(
        into sink: some LedgerRecordSink, _ connection: isolated PostgresConnection
    ) async throws {
        for row in try await connection.query("SELECT configuration, ring FROM ledger.current_rule") {
            try sink.take(.currentRule(configuration: try row.decode(0), ring: try row.decode(1)))
        }
        for row in try await connection.query(
            "SELECT collector, node, since_revision FROM ledger.current_collector ORDER BY collector")
        {
            try sink.take(
                .currentCollector(collector: try row.decode(0), node: try row.decode(1), since: try row.decode(2)))
        }
        var after = Int32.min
        var count = 0
        repeat {
            count = try await connection.copyOut(
                """
                COPY (SELECT target, collector, label_set, since_revision FROM ledger.current_target \
                WHERE target > \(unsafeSQL: "\(after)") ORDER BY target LIMIT \(unsafeSQL: "\(rowsPerSlice)")) \
                TO STDOUT (FORMAT binary)
                """
            ) { row in
                after = try row.int32()
                try sink.take(
                    .currentTarget(
                        target: after, collector: try row.int32IfPresent(), labelSet: try row.int32(),
                        since: try row.int64()))
            }
            try await sink.drain()
        } while count == rowsPerSlice
    }
}

extension LabelPair {
    /// As `ledger.label.raw` has it: name, a byte FF, value.
    init?(raw: [UInt8]) {
        guard let separator = raw.firstIndex(of: 0xFF) else { return nil }
        self = .pair(name: Array(raw[..<separator]), value: Array(raw[(separator + 1)...]))
    }
}

extension RevisionRow {
    /// In the order of the block's statement.
    init(_ row: PostgresRow) throws {
        func digest(_ column: Int) throws -> Digest32? { Digest32(try row.decode(column, as: [UInt8].self)) }
        self.init(
            revision: try row.decode(0), at: try row.decode(1), epoch: try row.decode(2), changeID: try row.decode(3),
            cause: try row.decode(4), causeDetail: try row.decode(5), occurredAt: try row.decode(6),
            replica: try row.decode(7), ring: try row.decode(8), configuration: try row.decode(9),
            counts: RevisionCounts(
                targetsAdded: try row.decode(10), targetsRemoved: try row.decode(11), targetsMoved: try row.decode(12),
                targetsRelabelled: try row.decode(13), targetEvents: try row.decode(14),
                collectorEvents: try row.decode(15)),
            eventsDigest: try digest(16), previousDigest: try digest(17), digest: try digest(18))
    }
}

extension SealRecord {
    /// The seals, oldest first.
    package static func all(_ connection: isolated PostgresConnection) async throws -> [SealRecord] {
        try await connection.query(
            """
            SELECT partition, from_at, to_at, rows, first_revision, last_revision, digest, tree FROM ledger.seal \
            ORDER BY from_at, partition
            """
        ).map { row in
            SealRecord(
                partition: try row.decode(0), from: try row.decode(1), to: try row.decode(2), rows: try row.decode(3),
                firstRevision: try row.decode(4), lastRevision: try row.decode(5),
                digest: Digest32(try row.decode(6, as: [UInt8].self)) ?? .zero, tree: try row.decode(7))
        }
    }
}
