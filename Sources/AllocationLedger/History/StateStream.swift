//
// StateStream.swift: the whole allocation at one revision, for exports and for answers that hold all of it.
//

import AllocationCore
import PostgresDriver

/// Every target of a revision in the order of its number, a part at a time. Needs 12 bytes a target, and one part.
package struct StateStream: Sendable {
    package var point: RevisionPoint
    package var withLabels: Bool
    /// Targets of a part at most.
    package var partSize: Int

    package init(at point: RevisionPoint, withLabels: Bool = false, partSize: Int = 10_000) {
        self.point = point
        self.withLabels = withLabels
        self.partSize = partSize
    }

    /// - Parameter body: Takes a part; the next is read when it is done.
    /// - Returns: How many targets there were.
    /// - Throws: ``HistoryError/compacted(oldest:)`` when the state can no longer be made, or what `body` throws.
    @discardableResult
    package func run(
        _ connection: isolated PostgresConnection, _ body: @Sendable ([TargetAssignment]) async throws -> Void
    ) async throws -> Int {
        try await RecordedBounds.read(connection).require(point.revision)
        let rows = try await StateWalk(at: point, connection).all(connection)
        var names = NameReader()
        for start in stride(from: 0, to: rows.count, by: partSize) {
            let part = rows[start..<min(start + partSize, rows.count)]
            try await body(try await describe(part, &names, connection))
        }
        return rows.count
    }

    private func describe(
        _ rows: ContiguousArray<StateWalk.Row>.SubSequence, _ names: inout NameReader,
        _ connection: isolated PostgresConnection
    ) async throws -> [TargetAssignment] {
        guard let first = rows.first, let last = rows.last else { return [] }
        let targets = try await connection.query(
            """
            SELECT id, job, identity, address FROM ledger.target WHERE id >= \(first.target) AND id <= \(last.target) \
            ORDER BY id
            """)
        var reader = LabelSetReader()
        if withLabels { try await reader.read(rows.lazy.map(\.labelSet), connection) }
        let jobs = try Set(targets.map { try $0.decode(1, as: Int32.self) })
        try await names.read(
            jobs: jobs, collectors: Set(rows.lazy.map(\.collector.idOrNull)), connection)
        var parts: [TargetAssignment] = []
        parts.reserveCapacity(rows.count)
        var next = rows.startIndex
        for target in targets {
            let number = try target.decode(0, as: Int32.self)
            guard next < rows.endIndex, rows[next].target == number else { continue }
            parts.append(
                TargetAssignment(
                    target: RecordedTarget(
                        number: number, job: names.job(try target.decode(1)),
                        identity: TargetIdentity(rawValue: UInt64(bitPattern: try target.decode(2, as: Int64.self))),
                        address: try target.decode(3)),
                    collector: names.collector(rows[next].collector.idOrNull), labelSet: rows[next].labelSet,
                    labels: reader[rows[next].labelSet]))
            next += 1
        }
        guard next == rows.endIndex else {
            throw LedgerError.corrupted("target \(rows[next].target) of history does not exist")
        }
        return parts
    }
}
