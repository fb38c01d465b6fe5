//
// RevisionWrite.swift: the one transaction of an append.
//

import AllocationCore
import PostgresDriver

/// Everything that the transaction of one revision writes, decided beforehand.
struct RevisionWrite: Sendable {
    let draft: RevisionDraft
    let resolved: ResolvedChange
    let token: FencingToken
    let expected: LedgerHead?
    let configuration: (id: Int32, digest: Digest32)?
    let reports: ReportPlan

    /// From this many events on they are copied; below, one statement of arrays has less to set up.
    private static let copyFrom = 50

    private struct Counts {
        var added = 0
        var removed = 0
        var moved = 0
        var relabelled = 0
    }

    func run(_ connection: isolated PostgresConnection) async throws -> LedgerHead {
        let at = try await lockHead(connection)
        let number = (expected?.revision.number ?? 0) + 1
        if draft.change.targets.count >= Self.copyFrom {
            try await copyEvents(number, at, connection)
        } else if !draft.change.targets.isEmpty {
            _ = try await connection.query(insertEvents(number, at))
        }
        try await writeCurrentTargets(number, connection)
        let record = record(number, at)
        var digester = RecordDigester()
        let digest = digester.revision(record)
        _ = try await connection.pipeline(
            collectorStatements(number, at) + reports.statements + [
                insertRevision(record, digest),
                """
                INSERT INTO ledger.current_rule (name, configuration, ring) \
                VALUES ('allocator', \(configuration?.id), \(resolved.ring)) \
                ON CONFLICT (name) DO UPDATE SET configuration = excluded.configuration, ring = excluded.ring
                """,
                """
                UPDATE ledger.head SET revision = \(number), epoch = \(token.epoch), at = \(at), digest = \(digest.bytes) \
                WHERE name = 'allocator'
                """,
                "SELECT pg_notify(\(LedgerWriter.channel), \("\(number)"))",
            ])
        return LedgerHead(revision: Revision(number), epoch: token.epoch, at: at, digest: digest)
    }

    /// Fence and head in one round trip. The head's row stays locked until the end, so numbers follow commit order.
    ///
    /// - Returns: The revision's time: the server's, but never before the last one's.
    private func lockHead(_ connection: isolated PostgresConnection) async throws -> Timestamp {
        let rows = try await connection.pipeline([
            "SET LOCAL lock_timeout = '10s'",
            LedgerQueries.fenceStatement(token),
            """
            SELECT revision, epoch, at, digest, greatest(clock_timestamp(), at + interval '1 microsecond') \
            FROM ledger.head WHERE name = 'allocator' FOR UPDATE
            """,
        ])
        guard !rows[1].isEmpty else { throw LedgerError.fenced(token) }
        guard let row = rows[2].first else { throw LedgerError.corrupted("ledger.head has no row") }
        let found = try LedgerQueries.head(row)
        guard found.revision.number == expected?.revision.number ?? 0, found.digest == expected?.digest ?? .zero else {
            throw LedgerError.headMoved(expected: expected?.revision ?? Revision(0), found: found.revision)
        }
        return try row.decode(4, as: Timestamp.self)
    }

    // MARK: Events

    private func collector(_ number: CollectorNumber?) -> Int32? {
        number.map { resolved.collectors[Int($0.rawValue)] }
    }

    private func copyEvents(_ number: Int64, _ at: Timestamp, _ connection: isolated PostgresConnection) async throws {
        let targets = draft.change.targets
        var next = 0
        try await connection.copyIn(
            """
            COPY ledger.target_event (at, revision, ordinal, target, collector_before, collector_after, \
            label_set_before, label_set_after, reason, flags) FROM STDIN (FORMAT binary)
            """
        ) { buffer in
            while next < targets.count, buffer.byteCount < 256 * 1024 {
                buffer.beginRow(fields: 10)
                buffer.append(at)
                buffer.append(number)
                buffer.append(Int32(next))
                buffer.append(resolved.targets[next])
                append(collector(targets[next].before?.collector), &buffer)
                append(collector(targets[next].after?.collector), &buffer)
                append(resolved.labelSetsBefore[next], &buffer)
                append(resolved.labelSetsAfter[next], &buffer)
                buffer.append(targets[next].reason.rawValue)
                buffer.append(Int16(0))
                next += 1
            }
            return next < targets.count
        }
    }

    private func append(_ id: Int32?, _ buffer: inout CopyBuffer) {
        if let id, id > 0 { buffer.append(id) } else { buffer.appendNull() }
    }

    private func insertEvents(_ number: Int64, _ at: Timestamp) -> SQL {
        let targets = draft.change.targets
        func present(_ id: Int32) -> Int32? { id > 0 ? id : nil }
        return """
            INSERT INTO ledger.target_event (at, revision, ordinal, target, collector_before, collector_after, \
            label_set_before, label_set_after, reason, flags) \
            SELECT \(at), \(number), e.ordinal, e.target, e.cb, e.ca, e.lb, e.la, e.reason, 0 \
            FROM unnest(\(targets.indices.map { Int32($0) }), \(Array(resolved.targets)), \
            \(targets.map { collector($0.before?.collector) }), \(targets.map { collector($0.after?.collector) }), \
            \(resolved.labelSetsBefore.map(present)), \(resolved.labelSetsAfter.map(present)), \
            \(targets.map(\.reason.rawValue))) AS e(ordinal, target, cb, ca, lb, la, reason)
            """
    }

    private func collectorStatements(_ number: Int64, _ at: Timestamp) -> [SQL] {
        let changes = draft.change.collectors
        guard !changes.isEmpty else { return [] }
        let nodes = changes.map { draft.change.collectorTable[Int($0.collector.rawValue)].nodeName }
        let ids = changes.map { resolved.collectors[Int($0.collector.rawValue)] }
        let left = zip(changes, ids).filter { $0.0.kind == .left }.map(\.1)
        let here = zip(changes.indices, ids).filter { changes[$0.0].kind != .left }
        return [
            """
            INSERT INTO ledger.collector_event (at, revision, ordinal, collector, kind, node, evidence) \
            SELECT \(at), \(number), e.* FROM unnest(\(changes.indices.map { Int32($0) }), \(ids), \
            \(changes.map(\.kind.rawValue)), \(nodes), \(changes.map(\.evidence))) AS e
            """,
            "DELETE FROM ledger.current_collector WHERE collector = ANY(\(left))",
            """
            INSERT INTO ledger.current_collector (collector, node, since_revision) \
            SELECT e.collector, e.node, \(number) \
            FROM unnest(\(here.map(\.1)), \(here.map { nodes[$0.0] })) AS e(collector, node) \
            ON CONFLICT (collector) DO UPDATE SET node = excluded.node, since_revision = excluded.since_revision
            """,
        ]
    }

    // MARK: Current state

    private func writeCurrentTargets(_ number: Int64, _ connection: isolated PostgresConnection) async throws {
        var (new, changed, gone): ([Int], [Int], [Int32]) = ([], [], [])
        for (index, target) in draft.change.targets.enumerated() {
            switch (target.before, target.after) {
            case (nil, .some): new.append(index)
            case (.some, .some): changed.append(index)
            case (.some, nil): gone.append(resolved.targets[index])
            case (nil, nil): break
            }
        }
        if !gone.isEmpty {
            _ = try await connection.query("DELETE FROM ledger.current_target WHERE target = ANY(\(gone))")
        }
        for part in stride(from: 0, to: changed.count, by: 10_000) {
            let slice = changed[part..<min(part + 10_000, changed.count)]
            _ = try await connection.query(
                """
                UPDATE ledger.current_target AS c \
                SET collector = e.collector, label_set = e.label_set, since_revision = \(number) \
                FROM unnest(\(slice.map { resolved.targets[$0] }), \
                \(slice.map { collector(draft.change.targets[$0].after?.collector) }), \
                \(slice.map { resolved.labelSetsAfter[$0] })) AS e(target, collector, label_set) \
                WHERE c.target = e.target
                """)
        }
        guard !new.isEmpty else { return }
        var next = 0
        try await connection.copyIn(
            "COPY ledger.current_target (target, collector, label_set, since_revision) FROM STDIN (FORMAT binary)"
        ) { buffer in
            while next < new.count, buffer.byteCount < 256 * 1024 {
                let index = new[next]
                buffer.beginRow(fields: 4)
                buffer.append(resolved.targets[index])
                append(collector(draft.change.targets[index].after?.collector), &buffer)
                buffer.append(resolved.labelSetsAfter[index])
                buffer.append(number)
                next += 1
            }
            return next < new.count
        }
    }

    // MARK: The revision's row

    private func record(_ number: Int64, _ at: Timestamp) -> RevisionRecord {
        RevisionRecord(
            revision: number, epoch: token.epoch, at: at, changeID: draft.changeID, cause: draft.cause.rawValue,
            causeDetail: draft.causeDetail, occurredAt: draft.occurredAt, replica: token.holder,
            configuration: configuration?.digest, ring: resolved.ringDigest, events: Int64(resolved.tree.count),
            eventsDigest: resolved.tree.root, previousDigest: expected?.digest ?? .zero)
    }

    private func insertRevision(_ record: RevisionRecord, _ digest: Digest32) -> SQL {
        var counts = Counts()
        for target in draft.change.targets {
            if target.before == nil {
                counts.added += 1
            } else if target.after == nil {
                counts.removed += 1
            } else {
                if target.isMove { counts.moved += 1 }
                if target.before?.labels != target.after?.labels { counts.relabelled += 1 }
            }
        }
        return """
            INSERT INTO ledger.revision (at, revision, epoch, change_id, cause, cause_detail, occurred_at, replica, ring, \
            configuration, targets_added, targets_removed, targets_moved, targets_relabelled, collectors_changed, \
            events_digest, previous_digest, digest) VALUES (\(record.at), \(record.revision), \(record.epoch), \
            \(record.changeID), \(record.cause), \(record.causeDetail), \(record.occurredAt), \(record.replica), \
            \(resolved.ring), \(configuration?.id), \(Int32(counts.added)), \(Int32(counts.removed)), \
            \(Int32(counts.moved)), \(Int32(counts.relabelled)), \(Int32(draft.change.collectors.count)), \
            \(record.eventsDigest.bytes), \(record.previousDigest.bytes), \(digest.bytes))
            """
    }
}
