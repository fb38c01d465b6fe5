//
// HandoverReader.swift: reads the facts about many moves at once and hands them to Handover.
//
// Four statements for any number of moves: targets that moved together share lists, and of a list at a revision the
// fetches around it are read once.
//

import PostgresDriver

/// A move whose handover is wanted.
struct HandedTarget: Sendable, Hashable {
    var target: Int32
    var job: String
    var revision: Int64
    var at: Timestamp
    var from: String?
    var to: String?
}

enum HandoverReader {
    /// - Returns: One for each move, in their order.
    static func read(
        _ moves: [HandedTarget], _ connection: isolated PostgresConnection
    ) async throws -> [Handover] {
        guard let first = moves.map(\.at).min() else { return [] }
        guard try await hasFetches(since: first, connection) else { return moves.map { _ in Handover() } }
        let fetches = try await fetches(moves, connection)
        var evidence = moves.map { move in
            var evidence = Handover.Evidence()
            let old = move.from.flatMap { fetches[List($0, move)] }
            evidence.oldFetch = old?.first
            evidence.oldHadFetched = old?.before?.revision
            evidence.newFetch = move.to.flatMap { fetches[List($0, move)]?.first }
            return evidence
        }
        try await addNeighbours(to: &evidence, moves, connection)
        try await addMembership(to: &evidence, moves, connection)
        return zip(moves, evidence).map { move, evidence in
            Handover(evidence, isBetweenCollectors: move.from != nil && move.to != nil)
        }
    }

    // MARK: Fetches

    /// False: nothing was fetched since, or who fetched was not recorded.
    static func hasFetches(since first: Timestamp, _ connection: isolated PostgresConnection) async throws -> Bool {
        // From the beginning of the day, so that the first row of a partition answers.
        let day: Int64 = 86_400_000_000
        let since = Timestamp(microsecondsSince1970: first.microsecondsSince1970 / day * day)
        return try await connection.query(
            "SELECT EXISTS (SELECT FROM ledger.delivery WHERE first_fetch_at >= \(since))"
        ).first?.decode(0, as: Bool.self) ?? false
    }

    /// A collector's list of a job at a revision.
    private struct List: Hashable {
        let collector: String
        let job: String
        let revision: Int64
        let at: Timestamp

        init(_ collector: String, _ move: HandedTarget) {
            self.collector = collector
            (job, revision, at) = (move.job, move.revision, move.at)
        }
    }

    private struct Fetches {
        /// The first of a list that changed at the revision or later.
        var first: Handover.Fetch?
        /// The last one before that.
        var before: Handover.Fetch?
    }

    /// How long before a move it is looked what the old owner had.
    private static let lookback = Duration.seconds(86_400)

    private static func fetches(
        _ moves: [HandedTarget], _ connection: isolated PostgresConnection
    ) async throws -> [List: Fetches] {
        let lists = Array(
            Set(moves.flatMap { move in [move.from, move.to].compactMap { $0 }.map { List($0, move) } }))
        let rows = try await connection.query(
            """
            SELECT n.place, f.revision, f.first_fetch_at, b.revision, b.first_fetch_at \
            FROM unnest(\(lists.map(\.collector)), \(lists.map(\.job)), \(lists.map(\.revision)), \
            \(lists.map(\.at))) WITH ORDINALITY AS n (collector, job, revision, at, place) \
            LEFT JOIN LATERAL (SELECT d.revision, d.first_fetch_at FROM ledger.delivery d \
            WHERE d.collector = n.collector AND d.job = n.job AND d.first_fetch_at >= n.at \
            AND d.revision >= n.revision ORDER BY d.first_fetch_at LIMIT 1) f ON true \
            LEFT JOIN LATERAL (SELECT d.revision, d.first_fetch_at FROM ledger.delivery d \
            WHERE d.collector = n.collector AND d.job = n.job AND d.first_fetch_at >= n.at - interval '1 day' \
            AND d.first_fetch_at < coalesce(f.first_fetch_at, 'infinity') AND d.revision < n.revision \
            ORDER BY d.first_fetch_at DESC LIMIT 1) b ON true WHERE f.revision IS NOT NULL OR b.revision IS NOT NULL
            """)
        var found: [List: Fetches] = [:]
        for row in rows {
            var fetches = Fetches()
            if let revision = try row.decode(1, as: Int64?.self) {
                fetches.first = Handover.Fetch(revision: revision, at: try row.decode(2))
            }
            if let revision = try row.decode(3, as: Int64?.self) {
                fetches.before = Handover.Fetch(revision: revision, at: try row.decode(4))
            }
            found[lists[Int(try row.decode(0, as: Int64.self)) - 1]] = fetches
        }
        return found
    }

    // MARK: The target's moves before and after

    private struct Step {
        let revision: Int64
        let at: Timestamp
        let from: String?
        let to: String?
    }

    private static func addNeighbours(
        to evidence: inout [Handover.Evidence], _ moves: [HandedTarget], _ connection: isolated PostgresConnection
    ) async throws {
        var targets: Set<Int32> = []
        var (lowest, highest) = (Timestamp.distantFuture, Timestamp.distantPast)
        for (move, evidence) in zip(moves, evidence) {
            let fetches = [evidence.oldFetch, evidence.newFetch].compactMap { $0 }
            guard !fetches.isEmpty else { continue }
            // A list that changed at the move itself holds what the move left.
            let later = fetches.filter { $0.revision > move.revision }.map(\.at).max()
            guard later != nil || move.from != nil else { continue }
            targets.insert(move.target)
            lowest = min(lowest, move.from == nil ? move.at : move.at.advanced(by: .zero - lookback))
            highest = max(highest, later ?? move.at)
        }
        guard !targets.isEmpty else { return }
        let steps = try await steps(of: targets.sorted(), lowest, highest, connection)
        for index in moves.indices {
            let move = moves[index]
            guard let steps = steps[move.target] else { continue }
            let next = steps.firstIndex { $0.revision > move.revision } ?? steps.endIndex
            evidence[index].came = steps[..<next].last { $0.revision < move.revision && $0.to == move.from }?.revision
            evidence[index].leftNew = steps[next...].first { $0.to != move.to }?.revision
            evidence[index].returned = steps[next...].first { $0.to == move.from }.map {
                Handover.Fetch(revision: $0.revision, at: $0.at)
            }
        }
    }

    /// Oldest first.
    private static func steps(
        of targets: [Int32], _ lowest: Timestamp, _ highest: Timestamp, _ connection: isolated PostgresConnection
    ) async throws -> [Int32: [Step]] {
        let rows = try await connection.query(
            """
            SELECT target, revision, collector_before, collector_after, at FROM ledger.target_event \
            WHERE target = ANY(\(targets)) AND at >= \(lowest) AND at <= \(highest) \
            AND collector_before IS DISTINCT FROM collector_after
            """)
        var names = NameReader()
        try await names.read(
            jobs: [], collectors: try rows.flatMap { [try $0.decode(2, as: Int32?.self), try $0.decode(3)] },
            connection)
        var steps: [Int32: [Step]] = [:]
        for row in rows {
            let step = Step(
                revision: try row.decode(1), at: try row.decode(4), from: names.collector(try row.decode(2)),
                to: names.collector(try row.decode(3)))
            if step.from != step.to { steps[try row.decode(0), default: []].append(step) }
        }
        return steps.mapValues { $0.sorted { $0.revision < $1.revision } }
    }

    // MARK: Collectors that left

    private static func addMembership(
        to evidence: inout [Handover.Evidence], _ moves: [HandedTarget], _ connection: isolated PostgresConnection
    ) async throws {
        let names = Set(moves.compactMap(\.from)).sorted()
        guard !names.isEmpty, let first = moves.map(\.at).min() else { return }
        let rows = try await connection.query(
            """
            SELECT c.name, e.revision, e.at, bool_or(e.kind = 2), bool_or(e.kind = 1) FROM ledger.collector_event e \
            JOIN ledger.collector c ON c.id = e.collector WHERE c.name = ANY(\(names)) AND e.kind IN (1, 2) \
            AND e.at >= \(first.advanced(by: .zero - lookback)) GROUP BY 1, 2, 3 ORDER BY 2
            """)
        var memberships: [String: Membership] = [:]
        for row in rows {
            memberships[try row.decode(0), default: Membership()].changes.append(
                .init(
                    revision: try row.decode(1), at: try row.decode(2), left: try row.decode(3),
                    joined: try row.decode(4)))
        }
        for index in moves.indices {
            guard let from = moves[index].from,
                let end = memberships[from]?.end(ofOwnerUntil: moves[index].revision)
            else { continue }
            (evidence[index].oldLeft, evidence[index].oldRejoined) = (end.left, end.rejoined)
        }
    }
}

extension HandedTarget {
    init(_ event: TargetEvent) {
        self.init(
            target: event.target.number, job: event.target.job, revision: event.revision, at: event.at,
            from: event.from, to: event.to)
    }
}

extension HandoverReader {
    /// Adds what is known of those that came to another collector.
    static func add(to events: inout [TargetEvent], _ connection: isolated PostgresConnection) async throws {
        let moved = events.indices.filter { events[$0].from != events[$0].to }
        let handovers = try await read(moved.map { HandedTarget(events[$0]) }, connection)
        for (index, handover) in zip(moved, handovers) { events[index].handover = handover }
    }
}
