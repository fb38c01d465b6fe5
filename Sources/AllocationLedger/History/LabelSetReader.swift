//
// LabelSetReader.swift: reads label sets by number, in batches, each label's text once.
//

import PostgresDriver

/// Label sets read so far.
struct LabelSetReader {
    private var labels: [Int32: RecordedLabel] = [:]
    private(set) var sets: [Int32: RecordedLabels] = [:]

    private static let batch = 10_000

    /// The sets of these numbers; those read before are not read again.
    mutating func read(_ numbers: some Sequence<Int32>, _ connection: isolated PostgresConnection) async throws {
        let missing = Set(numbers.filter { sets[$0] == nil }).sorted()
        for start in stride(from: 0, to: missing.count, by: Self.batch) {
            try await readBatch(Array(missing[start..<min(start + Self.batch, missing.count)]), connection)
        }
    }

    private mutating func readBatch(_ numbers: [Int32], _ connection: isolated PostgresConnection) async throws {
        let found = try await Self.members(of: numbers, connection)
        guard found.count == numbers.count else {
            throw LedgerError.corrupted("\(numbers.count - found.count) label sets of history do not exist")
        }
        let known = labels
        let unknown = Set(found.lazy.flatMap(\.labels).filter { known[$0] == nil }).sorted()
        for start in stride(from: 0, to: unknown.count, by: 4 * Self.batch) {
            let slice = Array(unknown[start..<min(start + 4 * Self.batch, unknown.count)])
            let rows = try await connection.query("SELECT id, name, value FROM ledger.label WHERE id = ANY(\(slice))")
            for row in rows {
                labels[try row.decode(0)] = RecordedLabel(name: try row.decode(1), value: try row.decode(2))
            }
        }
        for set in found {
            let pairs = set.labels.compactMap { labels[$0] }
            guard pairs.count == set.labels.count else {
                throw LedgerError.corrupted("label set \(set.number) names a label that does not exist")
            }
            sets[set.number] = RecordedLabels(pairs: pairs)
        }
    }

    /// The labels' numbers of each set.
    static func members(
        of numbers: [Int32], _ connection: isolated PostgresConnection
    ) async throws -> [(number: Int32, labels: [Int32])] {
        let rows = try await connection.query("SELECT id, labels FROM ledger.label_set WHERE id = ANY(\(numbers))")
        return try rows.map { (try $0.decode(0, as: Int32.self), try $0.decode(1, as: [Int32].self)) }
    }

    /// - Returns: Nil where a number is nil or was not read.
    subscript(number: Int32?) -> RecordedLabels? { number.flatMap { sets[$0] } }

    /// What changed from one set to the other; nil where either was not read.
    func difference(from before: Int32?, to after: Int32?) -> LabelDifference? {
        guard let before = self[before], let after = self[after] else { return nil }
        return LabelDifference(from: before, to: after)
    }
}
