//
// HandoverSummary.swift: how all targets that moved in a window passed from owner to owner, in sums and worst cases.
//

import AllocationCore
import PostgresDriver

/// What is known of all handovers of a window.
package struct HandoverSummary: Sendable, Hashable {
    package struct Job: Sendable, Hashable {
        package var job: String
        /// Moves from a collector to another.
        package var moves: Int64 = 0
        /// Those of which both ends are known.
        package var known: Int64 = 0
        package var ownerlessSeconds: Double = 0
        package var doublyOwnedSeconds: Double = 0

        mutating func add(_ handover: Handover) {
            moves += 1
            guard let ownerless = handover.ownerlessSeconds, let double = handover.doublyOwnedSeconds else { return }
            known += 1
            ownerlessSeconds += ownerless
            doublyOwnedSeconds += double
        }
    }

    package struct Worst: Sendable, Hashable {
        package var at: Timestamp
        package var revision: Int64
        package var target: RecordedTarget
        package var from: String
        package var to: String
        package var handover: Handover
    }

    /// Moves from a collector to another. Of more than a hundred thousand the earliest are looked at; the others count as
    /// not known.
    package var moves: Int64 = 0
    package var known: Int64 = 0
    package var ownerlessSeconds: Double = 0
    package var doublyOwnedSeconds: Double = 0
    /// Of the moves that were looked at, ordered by name.
    package var jobs: [Job] = []
    /// Longest without an owner, or with two, first.
    package var worst: [Worst] = []
}

/// Reads it.
struct HandoverSummaryQuery: Sendable {
    /// Moves after this.
    var since: Timestamp
    /// `AND`-terms on `e.at`.
    var place: SQL
    /// Of the list of worst cases.
    var limit: Int

    private static let movesMax = 100_000
    private static let batch = 10_000

    func run(_ connection: isolated PostgresConnection) async throws -> HandoverSummary {
        let between: SQL = """
            e.collector_before IS NOT NULL AND e.collector_after IS NOT NULL \
            AND e.collector_before <> e.collector_after\(place)
            """
        var summary = HandoverSummary()
        guard try await HandoverReader.hasFetches(since: since, connection) else {
            summary.moves = try await count(between, connection)
            return summary
        }
        let rows = try await connection.query(
            """
            SELECT \(EventRow.columns) FROM ledger.target_event e JOIN ledger.target t ON t.id = e.target \
            WHERE \(between) ORDER BY e.revision, e.ordinal LIMIT \(Self.movesMax)
            """
        ).map { try EventRow($0) }
        var jobs: [String: HandoverSummary.Job] = [:]
        var names = NameReader()
        for start in stride(from: 0, to: rows.count, by: Self.batch) {
            let part = rows[start..<min(start + Self.batch, rows.count)]
            try await names.read(
                jobs: part.lazy.map(\.job), collectors: part.lazy.flatMap { [$0.collectorBefore, $0.collectorAfter] },
                connection)
            let moves = part.map { row in
                HandedTarget(
                    target: row.target, job: names.job(row.job), revision: row.revision, at: row.at,
                    from: names.collector(row.collectorBefore), to: names.collector(row.collectorAfter))
            }
            let handovers = try await HandoverReader.read(moves, connection)
            for (row, (move, handover)) in zip(part, zip(moves, handovers)) {
                guard let from = move.from, let to = move.to, from != to else { continue }
                jobs[move.job, default: .init(job: move.job)].add(handover)
                guard let seconds = handover.ownerlessSeconds, let double = handover.doublyOwnedSeconds,
                    seconds + double > 0
                else { continue }
                let target = RecordedTarget(
                    number: row.target, job: move.job, identity: row.identity, address: row.address)
                summary.worst.append(
                    .init(
                        at: row.at, revision: row.revision, target: target, from: from, to: to, handover: handover))
            }
        }
        summary.worst.sort { $0.seconds == $1.seconds ? $0.revision < $1.revision : $0.seconds > $1.seconds }
        summary.worst = Array(summary.worst.prefix(limit))
        summary.jobs = jobs.values.sorted { ByteOrder.precedes($0.job, $1.job) }
        summary.moves = summary.jobs.reduce(0) { $0 + $1.moves }
        if rows.count == Self.movesMax {
            summary.moves = try await count(between, connection)
        }
        summary.known = summary.jobs.reduce(0) { $0 + $1.known }
        summary.ownerlessSeconds = summary.jobs.reduce(0) { $0 + $1.ownerlessSeconds }
        summary.doublyOwnedSeconds = summary.jobs.reduce(0) { $0 + $1.doublyOwnedSeconds }
        return summary
    }

    private func count(_ place: SQL, _ connection: isolated PostgresConnection) async throws -> Int64 {
        try await connection.query("SELECT count(*) FROM ledger.target_event e WHERE \(place)").first?.decode(0) ?? 0
    }
}

extension HandoverSummary.Worst {
    fileprivate var seconds: Double { (handover.ownerlessSeconds ?? 0) + (handover.doublyOwnedSeconds ?? 0) }
}
