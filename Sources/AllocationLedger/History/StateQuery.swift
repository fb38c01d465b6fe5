//
// StateQuery.swift: the allocation at one revision, or the part of it that is asked for, in pages.
//

import AllocationCore
import PostgresDriver

/// A target that was there, and who had it.
package struct TargetAssignment: Sendable, Hashable {
    package var target: RecordedTarget
    /// Nil: none had it.
    package var collector: String?
    /// Number of `ledger.label_set`.
    package var labelSet: Int32
    /// Read where they are asked for.
    package var labels: RecordedLabels?
}

/// Which targets of the state at `point` are wanted, ordered by their number.
package struct StateQuery: Sendable {
    /// Who must have had the target.
    package enum Holder: Sendable, Hashable {
        case collector(String)
        case nobody
    }

    package var point: RevisionPoint
    package var job: String?
    package var holder: Holder?
    /// A part of the address.
    package var address: String?
    package var selection: LabelSelection?
    package var withLabels: Bool
    package var limit: Int
    package var after: TargetCursor?

    package init(
        at point: RevisionPoint, job: String? = nil, holder: Holder? = nil, address: String? = nil,
        selection: LabelSelection? = nil, withLabels: Bool = true, limit: Int = PageLimit.rowsDefault,
        after: TargetCursor? = nil
    ) {
        self.point = point
        self.job = job
        self.holder = holder
        self.address = address
        self.selection = selection
        self.withLabels = withLabels
        self.limit = limit
        self.after = after
    }

    /// Targets that are looked at together: at least and at most.
    private static let widths = (min: 1024, max: 262_144)

    /// - Returns: At most `limit` targets.
    /// - Throws: ``HistoryError/compacted(oldest:)`` when the state can no longer be made.
    package func run(
        _ connection: isolated PostgresConnection
    ) async throws -> HistoryPage<TargetAssignment, TargetCursor> {
        try await RecordedBounds.read(connection).require(point.revision)
        guard var scan = try await StateScan(self, connection) else { return HistoryPage(items: [], next: nil) }
        let limit = PageLimit.clamped(limit)
        var page: [TargetAssignment] = []
        var width = max(Self.widths.min, 2 * limit)
        while page.count <= limit, let part = try await scan.next(width: width, connection) {
            page += part
            width = min(4 * width, Self.widths.max)
        }
        let hasMore = page.count > limit
        if hasMore { page.removeLast(page.count - limit) }
        if withLabels {
            var reader = LabelSetReader()
            try await reader.read(page.lazy.map(\.labelSet), connection)
            for index in page.indices { page[index].labels = reader[page[index].labelSet] }
        }
        let next = page.last.flatMap { last in
            hasMore ? TargetCursor(revisions: [point.revision.number], target: last.target.number) : nil
        }
        return HistoryPage(items: page, next: next)
    }
}

/// Walks over the targets of a state in the order of their numbers.
private struct StateScan {
    private let query: StateQuery
    private let highest: Int32
    private var reached: Int32
    private let jobs: [Int32]?
    private let collectors: Set<Int32>?
    private let walk: StateWalk
    private var filter: LabelSetFilter?
    private var names = NameReader()

    /// Nil: nothing can match.
    init?(_ query: StateQuery, _ connection: isolated PostgresConnection) async throws {
        self.query = query
        reached = query.after?.target ?? 0
        highest =
            try await connection.query("SELECT coalesce(max(id), 0) FROM ledger.target").first?.decode(0) ?? 0
        if let selection = query.selection, !selection.isEverything {
            filter = try await LabelSetFilter(selection, connection)
        }
        var jobs = filter?.candidateJobs
        if let name = query.job {
            guard let job = try await NameReader.job(named: name, connection), jobs?.contains(job) != false else {
                return nil
            }
            jobs = [job]
        }
        if jobs?.isEmpty == true { return nil }
        self.jobs = jobs
        walk = try await StateWalk(at: query.point, connection)
        switch query.holder {
        case nil: collectors = nil
        case .nobody: collectors = [0]
        case .collector(let name):
            let numbers = try await NameReader.collectors(named: name, connection)
            if numbers.isEmpty { return nil }
            collectors = Set(numbers)
        }
    }

    /// What matches among the next `width` targets; nil at the end.
    mutating func next(
        width: Int, _ connection: isolated PostgresConnection
    ) async throws -> [TargetAssignment]? {
        guard reached < highest else { return nil }
        let range: StateWalk.Range
        if jobs == nil, query.address == nil {
            let upper = Int32(min(Int(reached) + width, Int(highest)))
            range = .span(lower: reached, upper: upper)
            reached = upper
        } else {
            let numbers = try await candidates(width: width, connection)
            reached = numbers.count < width ? highest : numbers.last ?? highest
            range = .numbers(numbers)
        }
        let rows = try await walk.rows(range, collectors: collectors, connection)
        return try await described(rows, connection)
    }

    private func candidates(width: Int, _ connection: isolated PostgresConnection) async throws -> [Int32] {
        var terms: SQL = ""
        if let jobs { terms = "\(terms) AND job = ANY(\(jobs))" }
        if let address = query.address { terms = "\(terms) AND strpos(address, \(address)) > 0" }
        let rows = try await connection.query(
            "SELECT id FROM ledger.target WHERE id > \(reached)\(terms) ORDER BY id LIMIT \(width)")
        return try rows.map { try $0.decode(0) }
    }

    private mutating func described(
        _ rows: [StateWalk.Row], _ connection: isolated PostgresConnection
    ) async throws -> [TargetAssignment] {
        guard !rows.isEmpty else { return [] }
        let found = try await connection.query(
            "SELECT id, job, identity, address FROM ledger.target WHERE id = ANY(\(rows.map(\.target))) ORDER BY id")
        guard found.count == rows.count else {
            throw LedgerError.corrupted("\(rows.count - found.count) targets of history do not exist")
        }
        var items: [(row: StateWalk.Row, job: Int32, target: PostgresRow)] = []
        items.reserveCapacity(rows.count)
        for (row, target) in zip(rows, found) { items.append((row, try target.decode(1), target)) }
        if filter != nil {
            items = try await filter?.filter(items, connection) { ($0.job, $0.row.labelSet) } ?? items
        }
        try await names.read(
            jobs: items.lazy.map(\.job), collectors: items.lazy.map(\.row.collector.idOrNull), connection)
        return try items.map { item in
            TargetAssignment(
                target: RecordedTarget(
                    number: item.row.target, job: names.job(item.job),
                    identity: TargetIdentity(rawValue: UInt64(bitPattern: try item.target.decode(2, as: Int64.self))),
                    address: try item.target.decode(3)),
                collector: names.collector(item.row.collector.idOrNull), labelSet: item.row.labelSet)
        }
    }
}
