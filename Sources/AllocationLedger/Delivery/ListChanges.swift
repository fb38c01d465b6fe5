//
// ListChanges.swift: at which revision each collector's list of each job last changed, read from the ledger.
//
// What a list holds now says when the latest of it came; what left it, events say. Those are read for the last day and
// for no more than a million events: of a list that only lost targets before that, an earlier revision is told, which
// claims less and never too much.
//

import PostgresDriver

/// Last changes of lists by the numbers of job and collector. 16 bytes and a little for each list.
struct ListChanges: Sendable {
    private var revisions: [Key: Int64] = [:]
    let upTo: Int64
    var names = ListNames()
    /// When it was last asked.
    var readAt = ContinuousClock.now

    private struct Key: Hashable {
        let job: Int32
        let collector: Int32
    }

    private static let eventsMax: Int64 = 1_000_000

    /// Of every list that is not empty, and of those that became so lately.
    static func all(upTo: Int64, _ connection: isolated PostgresConnection) async throws -> ListChanges {
        let floor = try await connection.query(
            """
            SELECT revision, at FROM (SELECT revision, at, sum(target_events) OVER (ORDER BY at DESC) AS events \
            FROM ledger.revision WHERE at > now() - interval '1 day') AS recent \
            WHERE events <= \(eventsMax) ORDER BY at LIMIT 1
            """
        ).first
        let events: SQL =
            if let floor {
                """
                UNION ALL SELECT target, collector_before, revision FROM ledger.target_event \
                WHERE at >= \(unsafeSQL: StateWalk.literal(try floor.decode(1))) \
                AND revision <= \(unsafeSQL: "\(upTo)") AND collector_before IS NOT NULL
                """
            } else {
                ""
            }
        return try await read(
            """
            SELECT target, collector, since_revision AS revision FROM ledger.current_target \
            WHERE collector IS NOT NULL AND since_revision <= \(unsafeSQL: "\(upTo)") \(events)
            """, upTo, connection)
    }

    /// Of the lists that these revisions changed.
    static func between(
        _ lowest: Int64, _ highest: Int64, _ connection: isolated PostgresConnection
    ) async throws -> ListChanges {
        let first = try await connection.query("SELECT at FROM ledger.revision WHERE revision = \(lowest)").first
        guard let at = try first?.decode(0, as: Timestamp.self) else { return ListChanges(upTo: highest) }
        let place: SQL = """
            at >= \(unsafeSQL: StateWalk.literal(at)) AND revision BETWEEN \(unsafeSQL: "\(lowest)") \
            AND \(unsafeSQL: "\(highest)")
            """
        return try await read(
            """
            SELECT target, collector_before AS collector, revision FROM ledger.target_event \
            WHERE \(place) AND collector_before IS NOT NULL UNION ALL \
            SELECT target, collector_after, revision FROM ledger.target_event \
            WHERE \(place) AND collector_after IS NOT NULL
            """, highest, connection)
    }

    /// - Parameter rows: Target, collector and revision. COPY takes no binds; what stands in it are numbers of ours.
    private static func read(
        _ rows: SQL, _ upTo: Int64, _ connection: isolated PostgresConnection
    ) async throws -> ListChanges {
        var changes = ListChanges(upTo: upTo)
        try await connection.copyOut(
            """
            COPY (SELECT t.job, x.collector, max(x.revision) FROM (\(rows)) AS x \
            JOIN ledger.target t ON t.id = x.target GROUP BY 1, 2) TO STDOUT (FORMAT binary)
            """
        ) { row in
            let key = Key(job: try row.int32(), collector: try row.int32())
            changes.revisions[key] = try row.int64()
        }
        return changes
    }

    /// The last change of a list in a range; nil when none is known.
    func revision(of collector: String, _ job: String, in range: ClosedRange<Int64>) -> Int64? {
        guard let job = names.jobs[job] else { return nil }
        return names.collectors[collector, default: []].compactMap { revisions[Key(job: job, collector: $0)] }
            .filter { range.contains($0) }.max()
    }
}

/// Numbers by name, read when they first occur.
struct ListNames: Sendable {
    private(set) var jobs: [String: Int32] = [:]
    /// All incarnations.
    private(set) var collectors: [String: [Int32]] = [:]

    mutating func read(
        collectors wanted: Set<String>, jobs wantedJobs: Set<String>, _ connection: isolated PostgresConnection
    ) async throws {
        let newJobs = wantedJobs.filter { jobs[$0] == nil }.sorted()
        if !newJobs.isEmpty {
            for row in try await connection.query("SELECT name, id FROM ledger.job WHERE name = ANY(\(newJobs))") {
                jobs[try row.decode(0)] = try row.decode(1, as: Int32.self)
            }
        }
        let new = wanted.filter { collectors[$0] == nil }.sorted()
        guard !new.isEmpty else { return }
        for row in try await connection.query("SELECT name, id FROM ledger.collector WHERE name = ANY(\(new))") {
            collectors[try row.decode(0), default: []].append(try row.decode(1))
        }
    }
}
