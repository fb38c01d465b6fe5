//
// EventRows.swift: target events as rows of numbers, and the dictionaries that turn them into words.
//

import AllocationCore
import PostgresDriver

/// One row of ledger.target_event with its target's.
struct EventRow: Sendable {
    var at: Timestamp
    var revision: Int64
    var ordinal: Int32
    var target: Int32
    var collectorBefore: Int32?
    var collectorAfter: Int32?
    var labelSetBefore: Int32?
    var labelSetAfter: Int32?
    var reason: Int16
    var job: Int32
    var identity: TargetIdentity
    var address: String

    /// What ``init(_:)`` reads, of `e`, an event, and `t`, its target.
    static let columns: SQL = """
        e.at, e.revision, e.ordinal, e.target, e.collector_before, e.collector_after, e.label_set_before, \
        e.label_set_after, e.reason, t.job, t.identity, t.address
        """

    init(_ row: PostgresRow) throws {
        at = try row.decode(0)
        revision = try row.decode(1)
        ordinal = try row.decode(2)
        target = try row.decode(3)
        collectorBefore = try row.decode(4)
        collectorAfter = try row.decode(5)
        labelSetBefore = try row.decode(6)
        labelSetAfter = try row.decode(7)
        reason = try row.decode(8)
        job = try row.decode(9)
        identity = TargetIdentity(rawValue: UInt64(bitPattern: try row.decode(10, as: Int64.self)))
        address = try row.decode(11)
    }

    /// Labels in force after the event, or before it where the target is gone.
    var labelSet: Int32? { labelSetAfter ?? labelSetBefore }
}

/// What an event takes from its revision.
struct RevisionFacts: Sendable {
    var at: Timestamp
    var cause: String
    var causeDetail: String
    var ring: Int32
    /// Of the revision before; nil for the first.
    var ringBefore: Int32?
    var targetEvents: Int32

    /// Reads those of `revisions`, by number with their times: a number alone would be looked for on every day.
    static func read(
        _ revisions: [Int64: Timestamp], _ connection: isolated PostgresConnection
    ) async throws -> [Int64: RevisionFacts] {
        try decode(await connection.query(statement(revisions)))
    }

    /// What reads them; one look into the index for each: joined as a set, small days would all be read from end to end.
    static func statement(_ revisions: [Int64: Timestamp]) -> SQL {
        let wanted = revisions.sorted { $0.key < $1.key }
        return """
            SELECT v.revision, v.at, v.cause, v.cause_detail, v.ring, p.ring, v.target_events \
            FROM unnest(\(wanted.map(\.key)), \(wanted.map(\.value))) AS u(revision, at) \
            CROSS JOIN LATERAL (SELECT * FROM ledger.revision r \
            WHERE r.revision = u.revision AND r.at = u.at LIMIT 1) v \
            LEFT JOIN LATERAL (SELECT b.ring FROM ledger.revision b WHERE b.at < u.at ORDER BY b.at DESC LIMIT 1) p \
            ON true
            """
    }

    static func decode(_ rows: PostgresRows) throws -> [Int64: RevisionFacts] {
        var facts: [Int64: RevisionFacts] = [:]
        for row in rows {
            facts[try row.decode(0)] = RevisionFacts(
                at: try row.decode(1), cause: try row.decode(2), causeDetail: try row.decode(3),
                ring: try row.decode(4), ringBefore: try row.decode(5), targetEvents: try row.decode(6))
        }
        return facts
    }
}

/// Turns rows into events. Keeps what it has read, so one is used for all pages of a question.
struct EventResolver {
    private(set) var names = NameReader()
    private(set) var owners = OwnerReader()

    /// - Parameter facts: Of every revision that occurs; nil: read here.
    mutating func resolve(
        _ rows: [EventRow], facts known: [Int64: RevisionFacts]? = nil, _ connection: isolated PostgresConnection
    ) async throws -> [TargetEvent] {
        guard !rows.isEmpty else { return [] }
        let unnamed = names.statement(
            jobs: rows.map(\.job), collectors: rows.flatMap { [$0.collectorBefore, $0.collectorAfter] })
        let unknown =
            known == nil
            ? RevisionFacts.statement(
                Dictionary(rows.map { ($0.revision, $0.at) }, uniquingKeysWith: { first, _ in first })) : nil
        // In one round trip: a question about one target is mostly round trips.
        var answers = try await connection.pipeline([unnamed, unknown].compactMap(\.self))[...]
        if unnamed != nil { try names.take(answers.removeFirst()) }
        let facts = try known ?? RevisionFacts.decode(answers.removeFirst())
        try await owners.read(
            rows.flatMap { row in
                let partition = ConsistentHashRing.partition(of: row.address)
                return [facts[row.revision]?.ring, facts[row.revision]?.ringBefore].compactMap { ring in
                    ring.map { OwnerReader.Key(ring: $0, partition: partition) }
                }
            }, connection)
        return try rows.map { row in
            guard let facts = facts[row.revision] else {
                throw LedgerError.corrupted("revision \(row.revision) has events and no row")
            }
            return event(row, facts)
        }
    }

    private func event(_ row: EventRow, _ facts: RevisionFacts) -> TargetEvent {
        let (from, to) = (names.collector(row.collectorBefore), names.collector(row.collectorAfter))
        return TargetEvent(
            at: row.at, revision: row.revision, ordinal: row.ordinal,
            target: RecordedTarget(
                number: row.target, job: names.job(row.job), identity: row.identity, address: row.address),
            kinds: Self.kinds(row, from, to), from: from, to: to,
            reason: Reason(rawValue: row.reason)?.code ?? "unknown", cause: facts.cause,
            causeDetail: facts.causeDetail, ring: owners.place(row.address, facts), labelSetBefore: row.labelSetBefore,
            labelSetAfter: row.labelSetAfter)
    }

    private static func kinds(_ row: EventRow, _ from: String?, _ to: String?) -> TargetEventKinds {
        var kinds: TargetEventKinds = []
        if row.labelSetBefore == nil { kinds.insert(.discovered) }
        if row.labelSetAfter == nil { kinds.insert(.vanished) }
        if let before = row.labelSetBefore, let after = row.labelSetAfter, before != after {
            kinds.insert(.relabelled)
        }
        switch (from, to) {
        case (nil, _?): kinds.insert(.assigned)
        case (_?, nil): if row.labelSetAfter != nil { kinds.insert(.unassigned) }
        case (let from?, let to?): if from != to { kinds.insert(.moved) }
        case (nil, nil): break
        }
        return kinds
    }
}

/// Names of jobs and collectors by number, read when they first occur.
struct NameReader {
    private var jobs: [Int32: String] = [:]
    private var collectors: [Int32: String] = [:]

    mutating func read(
        jobs: some Sequence<Int32>, collectors: some Sequence<Int32?>, _ connection: isolated PostgresConnection
    ) async throws {
        guard let statement = statement(jobs: jobs, collectors: collectors) else { return }
        try take(await connection.query(statement))
    }

    /// What reads the names that are not known yet, for ``take(_:)``; nil where all are.
    func statement(jobs wantedJobs: some Sequence<Int32>, collectors wantedCollectors: some Sequence<Int32?>) -> SQL? {
        let newJobs = Set(wantedJobs.filter { jobs[$0] == nil }).sorted()
        let newCollectors = Set(wantedCollectors.compactMap { $0 }.filter { collectors[$0] == nil }).sorted()
        guard !newJobs.isEmpty || !newCollectors.isEmpty else { return nil }
        return """
            SELECT true, id, name FROM ledger.job WHERE id = ANY(\(newJobs)) \
            UNION ALL SELECT false, id, name FROM ledger.collector WHERE id = ANY(\(newCollectors))
            """
    }

    mutating func take(_ rows: PostgresRows) throws {
        for row in rows {
            let name = try row.decode(2, as: String.self)
            if try row.decode(0) { jobs[try row.decode(1)] = name } else { collectors[try row.decode(1)] = name }
        }
    }

    func job(_ number: Int32) -> String { jobs[number] ?? "?" }

    func collector(_ number: Int32?) -> String? { number.map { collectors[$0] ?? "?" } }

    /// Nil when no such job was ever recorded.
    static func job(named name: String, _ connection: isolated PostgresConnection) async throws -> Int32? {
        try await connection.query("SELECT id FROM ledger.job WHERE name = \(name)").first?.decode(0)
    }

    /// All incarnations of a collector; empty when none was ever recorded.
    static func collectors(named name: String, _ connection: isolated PostgresConnection) async throws -> [Int32] {
        try await connection.query("SELECT id FROM ledger.collector WHERE name = \(name) ORDER BY id").map {
            try $0.decode(0)
        }
    }
}
