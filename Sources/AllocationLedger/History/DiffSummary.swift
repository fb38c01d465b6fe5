//
// DiffSummary.swift: how many targets differ between two revisions.
//

import PostgresDriver

extension DiffQuery {
    /// Counts every difference; `job`, `collector`, `limit` and `after` are not heeded.
    ///
    /// - Throws: ``HistoryError/compacted(oldest:)`` when events between the two have been removed.
    package func counts(_ connection: isolated PostgresConnection) async throws -> DifferenceCounts {
        let (earlier, later) = (min(from, to), max(from, to))
        try await RecordedBounds.read(connection).require(earlier.revision)
        var counts = try await Self.net(earlier, later, connection)
        if to < from { swap(&counts.added, &counts.removed) }
        return counts
    }

    /// - Parameter earlier: May stand for the time before the first revision.
    static func net(
        _ earlier: RevisionPoint, _ later: RevisionPoint, _ connection: isolated PostgresConnection
    ) async throws -> DifferenceCounts {
        let highest: Int32 =
            try await connection.query("SELECT coalesce(max(id), 0) FROM ledger.target").first?.decode(0) ?? 0
        let changes = try await NetChanges.read(earlier, later, above: 0, upTo: highest, connection)
        let names = try await connection.query("SELECT id, name FROM ledger.collector")
        var numbers: [String: Int32] = [:]
        var collectors: [Int32: Int32] = [0: 0]
        for row in names {
            let (id, name) = (try row.decode(0, as: Int32.self), try row.decode(1, as: String.self))
            numbers[name] = numbers[name] ?? id
            collectors[id] = numbers[name]
        }
        return changes.counts { collectors[$0] ?? $0 }
    }
}
