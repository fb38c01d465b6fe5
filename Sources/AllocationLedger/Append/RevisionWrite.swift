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

    func run(_ connection: isolated PostgresConnection) async throws -> LedgerHead {
        let at = try await lockHead(connection)
        let number = draft.number?.number ?? (expected?.revision.number ?? 0) + 1
        precondition(
            number > expected?.revision.number ?? 0, "revision \(number) after \(expected?.revision.number ?? 0)")
        for attachment in draft.attachments { try await attachment.check(connection) }
        if resolved.events.count >= Self.copyFrom {
            try await copyEvents(number, at, connection)
        } else if !resolved.events.isEmpty {
            _ = try await connection.query(insertEvents(number, at))
        }
        try await writeCurrentTargets(number, connection)
        let record = record(number, at)
        var digester = RecordDigester()
        let digest = digester.revision(record)
        _ = try await connection.pipeline(
            collectorStatements(number, at) + reports.statements
                + draft.attachments.flatMap { $0.statements(number, at) } + [
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
            LedgerQueries.patience,
            LedgerQueries.byKeysAlone,
            LedgerQueries.fenceStatement(token),
            """
            SELECT revision, epoch, at, digest, greatest(clock_timestamp(), at + interval '1 microsecond') \
            FROM ledger.head WHERE name = 'allocator' FOR UPDATE
            """,
        ])
        guard !rows[2].isEmpty else { throw LedgerError.fenced(token) }
        guard let row = rows[3].first else { throw LedgerError.corrupted("ledger.head has no row") }
        let found = try LedgerQueries.head(row)
        guard found.revision.number == expected?.revision.number ?? 0, found.digest == expected?.digest ?? .zero else {
            throw LedgerError.headMoved(expected: expected?.revision ?? Revision(0), found: found.revision)
        }
        return try row.decode(4, as: Timestamp.self)
    }

    // MARK: Events

    private static let eventColumns = """
        at, revision, ordinal, target, collector_before, collector_after, label_set_before, label_set_after, leaf, \
        reason, flags
        """

    private func copyEvents(_ number: Int64, _ at: Timestamp, _ connection: isolated PostgresConnection) async throws {
        let events = resolved.events
        var next = 0
        try await connection.copyIn(
            "COPY ledger.target_event (\(unsafeSQL: Self.eventColumns)) FROM STDIN (FORMAT binary)"
        ) { buffer in
            while next < events.count, buffer.byteCount < 256 * 1024 {
                let event = events[next]
                buffer.beginRow(fields: 11)
                buffer.append(at)
                buffer.append(number)
                buffer.append(Int32(next))
                buffer.append(event.target)
                buffer.append(id: event.collectorBefore)
                buffer.append(id: event.collectorAfter)
                buffer.append(id: event.labelSetBefore)
                buffer.append(id: event.labelSetAfter)
                buffer.append(event.leaf)
                buffer.append(event.reason)
                buffer.append(event.flags)
                next += 1
            }
            return next < events.count
        }
    }

    private func insertEvents(_ number: Int64, _ at: Timestamp) -> SQL {
        let events = resolved.events
        return """
            INSERT INTO ledger.target_event (\(unsafeSQL: Self.eventColumns)) \
            SELECT \(at), \(number), e.* FROM unnest(\(events.indices.map { Int32($0) }), \(events.map(\.target)), \
            \(events.map { $0.collectorBefore.idOrNull }), \(events.map { $0.collectorAfter.idOrNull }), \
            \(events.map { $0.labelSetBefore.idOrNull }), \(events.map { $0.labelSetAfter.idOrNull }), \
            \(events.map(\.leaf)), \(events.map(\.reason)), \(events.map(\.flags))) AS e
            """
    }

    private func collectorStatements(_ number: Int64, _ at: Timestamp) -> [SQL] {
        let changes = draft.change.collectors
        guard !changes.isEmpty else { return [] }
        let nodes = changes.map {
            draft.change.collectorTable[Int($0.collector.rawValue)].nodeName.map { StorableText.mended($0) }
        }
        let ids = changes.map { resolved.collectors[Int($0.collector.rawValue)] }
        let left = zip(changes, ids).filter { $0.0.kind == .left }.map(\.1)
        let here = zip(changes.indices, ids).filter { changes[$0.0].kind != .left }
        return [
            """
            INSERT INTO ledger.collector_event (at, revision, ordinal, collector, leaf, kind, node, evidence) \
            SELECT \(at), \(number), e.* FROM unnest(\(changes.indices.map { Int32($0) }), \(ids), \
            \(resolved.collectorLeaves), \(changes.map(\.kind.rawValue)), \(nodes), \
            \(changes.map { StorableText.mended($0.evidence) })) AS e
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
        for (index, event) in resolved.events.enumerated() {
            if event.labelSetAfter == 0 {
                gone.append(event.target)
            } else if event.labelSetBefore == 0 {
                new.append(index)
            } else {
                changed.append(index)
            }
        }
        for part in stride(from: 0, to: gone.count, by: 10_000) {
            let slice = Array(gone[part..<min(part + 10_000, gone.count)])
            let count = try await connection.execute("DELETE FROM ledger.current_target WHERE target = ANY(\(slice))")
            try requireAll(slice.count, count)
        }
        for part in stride(from: 0, to: changed.count, by: 10_000) {
            let slice = changed[part..<min(part + 10_000, changed.count)].map { resolved.events[$0] }
            let count = try await connection.execute(
                """
                UPDATE ledger.current_target AS c \
                SET collector = e.collector, label_set = e.label_set, since_revision = \(number) \
                FROM unnest(\(slice.map(\.target)), \(slice.map { $0.collectorAfter.idOrNull }), \
                \(slice.map(\.labelSetAfter))) AS e(target, collector, label_set) \
                WHERE c.target = e.target
                """)
            try requireAll(slice.count, count)
        }
        try await insertCurrentTargets(new, number, connection)
    }

    /// The current state lacks what history says is in it: somebody else has changed it.
    private func requireAll(_ expected: Int, _ found: Int) throws {
        guard found == expected else {
            throw LedgerError.corrupted("ledger.current_target lacks \(expected - found) targets that history has")
        }
    }

    private func insertCurrentTargets(
        _ new: [Int], _ number: Int64, _ connection: isolated PostgresConnection
    ) async throws {
        guard !new.isEmpty else { return }
        guard new.count >= Self.copyFrom else {
            let events = new.map { resolved.events[$0] }
            _ = try await connection.query(
                """
                INSERT INTO ledger.current_target (target, collector, label_set, since_revision) \
                SELECT e.*, \(number) FROM unnest(\(events.map(\.target)), \
                \(events.map { $0.collectorAfter.idOrNull }), \(events.map(\.labelSetAfter))) AS e
                """)
            return
        }
        var next = 0
        try await connection.copyIn(
            "COPY ledger.current_target (target, collector, label_set, since_revision) FROM STDIN (FORMAT binary)"
        ) { buffer in
            while next < new.count, buffer.byteCount < 256 * 1024 {
                let event = resolved.events[new[next]]
                buffer.beginRow(fields: 4)
                buffer.append(event.target)
                buffer.append(id: event.collectorAfter)
                buffer.append(event.labelSetAfter)
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
            causeDetail: StorableText.mended(draft.causeDetail), occurredAt: draft.occurredAt, replica: token.holder,
            configuration: configuration?.digest, ring: resolved.ringDigest, counts: resolved.counts,
            eventsDigest: resolved.eventsDigest, previousDigest: expected?.digest ?? .zero)
    }

    private func insertRevision(_ record: RevisionRecord, _ digest: Digest32) -> SQL {
        let counts = record.counts
        return """
            INSERT INTO ledger.revision (at, revision, epoch, change_id, cause, cause_detail, occurred_at, replica, ring, \
            configuration, targets_added, targets_removed, targets_moved, targets_relabelled, target_events, \
            collector_events, events_digest, previous_digest, digest) VALUES (\(record.at), \(record.revision), \
            \(record.epoch), \(record.changeID), \(record.cause), \(record.causeDetail), \(record.occurredAt), \
            \(record.replica), \(resolved.ring), \(configuration?.id), \(counts.targetsAdded), \
            \(counts.targetsRemoved), \(counts.targetsMoved), \(counts.targetsRelabelled), \(counts.targetEvents), \
            \(counts.collectorEvents), \(record.eventsDigest.bytes), \(record.previousDigest.bytes), \(digest.bytes))
            """
    }
}

extension Int32 {
    /// An id as SQL has it: 0 is NULL.
    var idOrNull: Int32? { self == 0 ? nil : self }
}

extension CopyBuffer {
    /// An id, or NULL for 0.
    mutating func append(id: Int32) {
        if id == 0 { appendNull() } else { append(id) }
    }
}
