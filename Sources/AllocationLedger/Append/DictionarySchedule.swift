//
// DictionarySchedule.swift: decides which part of a dictionary write may begin, so that several sessions can write at once.
//
// A row may be committed only after every row that it names by id. Were it the other way round, a write that fails in
// between would leave a label set that names ids which nobody has, and the next write would give them to other labels.
// Targets name jobs, which are written before any of this; label sets name labels, so a part of them waits until the
// labels that it needs are committed. Of one table one part is written at a time: two sessions that append to the same
// end of an index would split its pages in half.
//

/// What is left to write of the tables that may be large.
///
/// Invariant: no part of label sets is handed out before the labels that it names are committed, and never two parts of
/// one table at the same time.
struct DictionarySchedule: Sendable {
    enum Table: Sendable, Hashable, CaseIterable {
        case labels
        case labelSets
        case targets
    }

    /// Rows of one table that are one transaction.
    struct Part: Sendable, Hashable {
        let table: Table
        let rows: Range<Int>
    }

    private struct Progress: Sendable {
        let count: Int
        var next = 0
        var isUnderWay = false
        /// So many rows are committed, from the first on.
        var committed = 0
    }

    private var progress: [Table: Progress]
    private let rowsOfPartMax: Int
    private let labelsNeeded: @Sendable (Range<Int>) -> Int

    /// - Parameter labelsNeeded: How many of the new labels must be there for these label sets.
    init(
        labels: Int, labelSets: Int, targets: Int, rowsOfPartMax: Int,
        labelsNeeded: @escaping @Sendable (Range<Int>) -> Int
    ) {
        precondition(rowsOfPartMax > 0, "parts of \(rowsOfPartMax) rows")
        progress = [
            .labels: Progress(count: labels), .labelSets: Progress(count: labelSets),
            .targets: Progress(count: targets),
        ]
        self.rowsOfPartMax = rowsOfPartMax
        self.labelsNeeded = labelsNeeded
    }

    /// The next part; nil while nothing may begin, which ends when a part under way has.
    mutating func next() -> Part? {
        // Labels first: others wait for them. Targets last: they fit in anywhere.
        for table in [Table.labels, .labelSets, .targets] {
            guard var state = progress[table], !state.isUnderWay, state.next < state.count else { continue }
            let rows = state.next..<min(state.next + rowsOfPartMax, state.count)
            if table == .labelSets, labelsNeeded(rows) > progress[.labels]?.committed ?? 0 { continue }
            state.isUnderWay = true
            state.next = rows.upperBound
            progress[table] = state
            return Part(table: table, rows: rows)
        }
        return nil
    }

    /// The part is committed.
    mutating func finish(_ part: Part) {
        progress[part.table]?.isUnderWay = false
        progress[part.table]?.committed = part.rows.upperBound
    }

    /// Everything is committed.
    var isDone: Bool { progress.values.allSatisfy { $0.committed == $0.count } }
}
