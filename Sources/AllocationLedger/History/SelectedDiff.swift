//
// SelectedDiff.swift: the difference of two revisions, of targets with certain labels alone.
//

import PostgresDriver

extension DiffQuery {
    /// Pages that are looked through for one answer before it is handed over half full.
    private static let pagesMax = 50

    /// The same as ``run(_:)``, of targets that are selected by their labels at the second instant, or at the first where
    /// they are not there at the second. A page may hold fewer than wanted, and still not be the last.
    ///
    /// - Throws: ``HistoryError/compacted(oldest:)``.
    package func run(
        selecting selection: LabelSelection?, _ connection: isolated PostgresConnection
    ) async throws -> HistoryPage<TargetDifference, TargetCursor> {
        guard let selection, !selection.isEverything else { return try await run(connection) }
        var query = self
        var found: [TargetDifference] = []
        for _ in 0..<Self.pagesMax {
            let page = try await query.run(connection)
            var reader = LabelSetReader()
            try await reader.read(page.items.lazy.compactMap { $0.labelSetAfter ?? $0.labelSetBefore }, connection)
            for item in page.items {
                guard let labels = reader[item.labelSetAfter ?? item.labelSetBefore] else { continue }
                guard selection.selects(job: item.target.job, labels: labels) else { continue }
                found.append(item)
                if found.count == limit {
                    // Behind this one, unless it was the last of all.
                    guard page.next != nil || item.target != page.items.last?.target else {
                        return HistoryPage(items: found, next: nil)
                    }
                    let cursor = TargetCursor(
                        revisions: [from.revision.number, to.revision.number], target: item.target.number)
                    return HistoryPage(items: found, next: cursor)
                }
            }
            guard let next = page.next else { return HistoryPage(items: found, next: nil) }
            query.after = next
        }
        return HistoryPage(items: found, next: query.after)
    }
}
