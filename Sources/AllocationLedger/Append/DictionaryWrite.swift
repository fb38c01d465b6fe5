//
// DictionaryWrite.swift: new dictionary rows, copied in the order in which their ids were given.
//

import AllocationCore
import PostgresDriver

/// The rows that one append adds to the dictionaries, in parts that are a transaction each.
struct DictionaryWrite: Sendable {
    let additions: DictionaryAdditions
    let highest: LedgerDictionary.Highest
    /// Stored ids by LabelID, those of the additions included.
    let labels: ContiguousArray<Int32>
    let table: LabelTable

    /// A range of one dictionary's additions.
    private enum Step: Sendable, Hashable {
        case names
        case labels(Range<Int>)
        case labelSets(Range<Int>)
        case targets(Range<Int>)
    }

    private static let chunkBytes = 256 * 1024
    /// Bounds the time for which a takeover waits: some two seconds of rows.
    private static let rowsOfPartMax = 250_000

    /// What goes into each transaction: one for an everyday change, more for a flood.
    private var parts: [[Step]] {
        let total = additions.labels.count + additions.labelSets.count + additions.targets.count
        if total <= Self.rowsOfPartMax {
            return [
                [
                    .names, .labels(additions.labels.indices), .labelSets(additions.labelSets.indices),
                    .targets(additions.targets.indices),
                ]
            ]
        }
        func chunks(_ count: Int, _ step: (Range<Int>) -> Step) -> [[Step]] {
            stride(from: 0, to: count, by: Self.rowsOfPartMax).map {
                [step($0..<min($0 + Self.rowsOfPartMax, count))]
            }
        }
        return [[.names]] + chunks(additions.labels.count, Step.labels)
            + chunks(additions.labelSets.count, Step.labelSets) + chunks(additions.targets.count, Step.targets)
    }

    /// Writes all of it in fenced transactions, each of bounded size.
    func run(fencedBy token: FencingToken, _ connection: PostgresConnection) async throws {
        for part in parts {
            try await connection.transaction(deadline: .now + .seconds(120)) { @Sendable connection in
                try await LedgerQueries.fence(token, connection)
                for step in part { try await run(step, connection) }
            }
        }
    }

    private func run(_ step: Step, _ connection: isolated PostgresConnection) async throws {
        switch step {
        case .names: try await addNames(connection)
        case .labels(let range): try await copyLabels(range, connection)
        case .labelSets(let range): try await copyLabelSets(range, connection)
        case .targets(let range): try await copyTargets(range, connection)
        }
    }

    private func addNames(_ connection: isolated PostgresConnection) async throws {
        var statements: [SQL] = []
        if !additions.jobs.isEmpty {
            let ids = additions.jobs.indices.map { highest.job + 1 + Int32($0) }
            statements.append(
                "INSERT INTO ledger.job (id, name) SELECT * FROM unnest(\(ids), \(additions.jobs))")
        }
        if !additions.collectors.isEmpty {
            let ids = additions.collectors.indices.map { highest.collector + 1 + Int32($0) }
            statements.append(
                """
                INSERT INTO ledger.collector (id, name, uid) SELECT * FROM unnest(\(ids), \
                \(additions.collectors.map(\.name)), \(additions.collectors.map { $0.uid ?? "" }))
                """)
        }
        if let record = additions.configuration {
            statements.append(
                """
                INSERT INTO ledger.configuration (id, digest, text) \
                VALUES (\(highest.configuration + 1), \(record.digest.bytes), \(record.redactedText))
                """)
        }
        if let ring = additions.ring {
            statements.append(
                """
                INSERT INTO ledger.ring (id, digest, strategy, version, members, partition_owners, note) \
                VALUES (\(highest.ring + 1), \(ring.digest.bytes), \(ring.placement.strategy), \
                \(ring.placement.ringVersion), \(ring.placement.members), \
                \(ring.placement.partitionOwners.map { Int16(bitPattern: $0) }), \(ring.placement.note))
                """)
        }
        _ = try await connection.pipeline(statements)
    }

    private func copyLabels(_ range: Range<Int>, _ connection: isolated PostgresConnection) async throws {
        guard !range.isEmpty else { return }
        var next = range.lowerBound
        try await connection.copyIn("COPY ledger.label (id, name, value, raw) FROM STDIN (FORMAT binary)") { buffer in
            while next < range.upperBound, buffer.byteCount < Self.chunkBytes {
                buffer.beginRow(fields: 4)
                buffer.append(highest.label + 1 + Int32(next))
                append(additions.labels[next], &buffer)
                next += 1
            }
            return next < range.upperBound
        }
    }

    private func append(_ label: LabelID, _ buffer: inout CopyBuffer) {
        table.withNameBytes(label) { name in
            table.withValueBytes(label) { value in
                if table.isPlainJSON(label) || (StorableText.isStorable(name) && StorableText.isStorable(value)) {
                    buffer.append(utf8: name)
                    buffer.append(utf8: value)
                    buffer.appendNull()
                } else {
                    buffer.append(StorableText.mended(name))
                    buffer.append(StorableText.mended(value))
                    buffer.append(bytes: Array(name) + [0xFF] + Array(value))
                }
            }
        }
    }

    private func copyLabelSets(_ range: Range<Int>, _ connection: isolated PostgresConnection) async throws {
        guard !range.isEmpty else { return }
        var next = range.lowerBound
        var ids: [Int32] = []
        try await connection.copyIn("COPY ledger.label_set (id, digest, labels) FROM STDIN (FORMAT binary)") { buffer in
            while next < range.upperBound, buffer.byteCount < Self.chunkBytes {
                let set = additions.labelSets[next]
                ids.removeAll(keepingCapacity: true)
                for id in set.labels.ids { ids.append(labels[Int(id.rawValue)]) }
                buffer.beginRow(fields: 3)
                buffer.append(highest.labelSet + 1 + Int32(next))
                set.digest.withBytes { buffer.append(bytes: $0) }
                buffer.append(int32Array: ids)
                next += 1
            }
            return next < range.upperBound
        }
    }

    private func copyTargets(_ range: Range<Int>, _ connection: isolated PostgresConnection) async throws {
        guard !range.isEmpty else { return }
        var next = range.lowerBound
        try await connection.copyIn("COPY ledger.target (id, job, identity, address) FROM STDIN (FORMAT binary)") {
            buffer in
            while next < range.upperBound, buffer.byteCount < Self.chunkBytes {
                let target = additions.targets[next]
                buffer.beginRow(fields: 4)
                buffer.append(highest.target + 1 + Int32(next))
                buffer.append(target.job)
                buffer.append(Int64(bitPattern: target.identity.rawValue))
                buffer.append(StorableText.address(target.address, in: table))
                next += 1
            }
            return next < range.upperBound
        }
    }
}
