//
// JobListsQuery.swift: the target lists of one job at a revision, with labels as they were, for answers in the standard
// API's own form.
//

import AllocationCore
import PostgresDriver

/// What a job's collectors were told at a revision.
package struct JobListsQuery: Sendable {
    package struct Answer: Sendable {
        /// By the collector's name, in no order. Targets that none had are left out.
        package var lists: [String: ContiguousArray<IdentifiedTarget>]
        package var table: LabelTable
    }

    package var point: RevisionPoint
    package var job: String
    /// Nil: all.
    package var collector: String?

    package init(at point: RevisionPoint, job: String, collector: String? = nil) {
        self.point = point
        self.job = job
        self.collector = collector
    }

    private static let batch = 20_000
    /// Targets up to here are asked for by number; of more, all of the ledger's are read in one go.
    private static let fewTargets = 50_000

    /// - Throws: ``HistoryError/compacted(oldest:)`` when the state can no longer be made.
    package func run(_ connection: isolated PostgresConnection) async throws -> Answer {
        try await RecordedBounds.read(connection).require(point.revision)
        let table = LabelTable()
        var answer = Answer(lists: [:], table: table)
        guard let number = try await NameReader.job(named: job, connection) else { return answer }
        var collectors: Set<Int32>?
        if let collector {
            let numbers = try await NameReader.collectors(named: collector, connection)
            guard !numbers.isEmpty else { return answer }
            collectors = Set(numbers)
        }
        let identities = try await identities(number, connection)
        let rows = try await Self.rows(of: Set(identities.keys), at: point, collectors: collectors, connection)
        let sets = try await labelSets(Set(rows.lazy.map(\.labelSet)).sorted(), table, connection)
        var names = NameReader()
        try await names.read(jobs: [], collectors: Set(rows.lazy.map(\.collector.idOrNull)), connection)
        let addressName = table.nameID(for: "__address__")
        for row in rows {
            guard let name = names.collector(row.collector.idOrNull), let identity = identities[row.target] else {
                continue
            }
            guard let labels = sets[row.labelSet] else {
                throw LedgerError.corrupted("label set \(row.labelSet) of history does not exist")
            }
            answer.lists[name, default: []].append(
                IdentifiedTarget(
                    identity: identity, labels: labels, address: labels.value(of: addressName, in: table)))
        }
        return answer
    }

    private func identities(
        _ job: Int32, _ connection: isolated PostgresConnection
    ) async throws -> [Int32: TargetIdentity] {
        var identities: [Int32: TargetIdentity] = [:]
        for row in try await connection.query("SELECT id, identity FROM ledger.target WHERE job = \(job)") {
            identities[try row.decode(0)] = TargetIdentity(
                rawValue: UInt64(bitPattern: try row.decode(1, as: Int64.self)))
        }
        return identities
    }

    /// Those of these targets that were there.
    static func rows(
        of targets: Set<Int32>, at point: RevisionPoint, collectors: Set<Int32>? = nil,
        _ connection: isolated PostgresConnection
    ) async throws -> [StateWalk.Row] {
        let walk = try await StateWalk(at: point, connection)
        guard targets.count > Self.fewTargets else {
            return try await walk.rows(.numbers(targets.sorted()), collectors: collectors, connection)
        }
        return try await walk.all(connection).filter { row in
            targets.contains(row.target) && collectors?.contains(row.collector) != false
        }
    }

    private func labelSets(
        _ numbers: [Int32], _ table: LabelTable, _ connection: isolated PostgresConnection
    ) async throws -> [Int32: LabelSet] {
        var members: [(number: Int32, labels: [Int32])] = []
        for start in stride(from: 0, to: numbers.count, by: Self.batch) {
            members += try await LabelSetReader.members(
                of: Array(numbers[start..<min(start + Self.batch, numbers.count)]), connection)
        }
        let highest: Int32 =
            try await connection.query("SELECT coalesce(max(id), 0) FROM ledger.label").first?.decode(0) ?? 0
        var needed = RankedBitmap(limit: Int(highest))
        for member in members {
            for label in member.labels where !needed.insert(label) {
                throw LedgerError.corrupted("label set \(member.number) names label \(label), which does not exist")
            }
        }
        needed.seal()
        var labels: [Int32: LabelID] = [:]
        labels.reserveCapacity(needed.count)
        try await LabelReader(table: table).read(needed, of: Int(highest), connection) { labels[$0] = $1 }
        return try Dictionary(
            uniqueKeysWithValues: members.map { number, ids in
                let pairs = ids.compactMap { labels[$0] }
                guard pairs.count == ids.count else {
                    throw LedgerError.corrupted("label set \(number) names a label that does not exist")
                }
                return (number, LabelSet(sortedUnique: ContiguousArray(pairs)))
            })
    }
}

/// Jobs that had a target at a revision.
package struct JobNamesQuery: Sendable {
    package var point: RevisionPoint

    package init(at point: RevisionPoint) { self.point = point }

    /// - Returns: Names, sorted bytewise.
    /// - Throws: ``HistoryError/compacted(oldest:)``.
    package func run(_ connection: isolated PostgresConnection) async throws -> [String] {
        try await RecordedBounds.read(connection).require(point.revision)
        let rows = try await StateWalk(at: point, connection).all(connection)
        var present = RankedBitmap(limit: Int(rows.last?.target ?? 0))
        for row in rows { _ = present.insert(row.target) }
        let targets = present
        var jobs: Set<Int32> = []
        try await connection.copyOut("COPY (SELECT id, job FROM ledger.target) TO STDOUT (FORMAT binary)") { row in
            let (target, job) = (try row.int32(), try row.int32())
            if targets.contains(target) { jobs.insert(job) }
        }
        var names = NameReader()
        try await names.read(jobs: jobs, collectors: [Int32?](), connection)
        return jobs.map { names.job($0) }.sorted(by: ByteOrder.precedes)
    }
}

extension RevisionQuery {
    /// The text of the configuration in force at a revision, without secrets; nil before the first.
    package static func configuration(
        at point: RevisionPoint, _ connection: isolated PostgresConnection
    ) async throws -> String? {
        try await connection.query(
            """
            SELECT c.text FROM ledger.revision v JOIN ledger.configuration c ON c.id = v.configuration \
            WHERE v.revision = \(point.revision.number) AND v.at = \(point.at)
            """
        ).first?.decode(0)
    }
}
