//
// DictionaryWrite.swift: new dictionary rows, copied in the order in which their ids were given.
//

import AllocationCore
import PostgresDriver

/// The rows of one dictionary transaction.
struct DictionaryWrite: Sendable {
    let additions: DictionaryAdditions
    let highest: LedgerDictionary.Highest
    /// As before the additions.
    let dictionary: LedgerDictionary
    let table: LabelTable

    private static let chunkBytes = 256 * 1024

    func run(_ connection: isolated PostgresConnection) async throws {
        try await addNames(connection)
        try await copyLabels(connection)
        try await copyLabelSets(connection)
        try await copyTargets(connection)
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

    private func copyLabels(_ connection: isolated PostgresConnection) async throws {
        guard !additions.labels.isEmpty else { return }
        var next = 0
        try await connection.copyIn("COPY ledger.label (id, name, value) FROM STDIN (FORMAT binary)") { buffer in
            while next < additions.labels.count, buffer.byteCount < Self.chunkBytes {
                let id = additions.labels[next]
                buffer.beginRow(fields: 3)
                buffer.append(highest.label + 1 + Int32(next))
                table.withNameBytes(id) { buffer.append(utf8: $0) }
                table.withValueBytes(id) { buffer.append(utf8: $0) }
                next += 1
            }
            return next < additions.labels.count
        }
    }

    private func copyLabelSets(_ connection: isolated PostgresConnection) async throws {
        guard !additions.labelSets.isEmpty else { return }
        // Labels that are added here, by LabelID.
        var added: [LabelID: Int32] = [:]
        added.reserveCapacity(additions.labels.count)
        for (offset, id) in additions.labels.enumerated() { added[id] = highest.label + 1 + Int32(offset) }
        var next = 0
        var ids: [Int32] = []
        try await connection.copyIn("COPY ledger.label_set (id, digest, labels) FROM STDIN (FORMAT binary)") { buffer in
            while next < additions.labelSets.count, buffer.byteCount < Self.chunkBytes {
                let set = additions.labelSets[next]
                ids.removeAll(keepingCapacity: true)
                for id in set.labels.ids {
                    let known = dictionary.label(id)
                    ids.append(known > 0 ? known : added[id, default: 0])
                }
                buffer.beginRow(fields: 3)
                buffer.append(highest.labelSet + 1 + Int32(next))
                set.digest.withBytes { buffer.append(bytes: $0) }
                buffer.append(int32Array: ids)
                next += 1
            }
            return next < additions.labelSets.count
        }
    }

    private func copyTargets(_ connection: isolated PostgresConnection) async throws {
        guard !additions.targets.isEmpty else { return }
        var next = 0
        try await connection.copyIn("COPY ledger.target (id, job, identity, address) FROM STDIN (FORMAT binary)") {
            buffer in
            while next < additions.targets.count, buffer.byteCount < Self.chunkBytes {
                let target = additions.targets[next]
                buffer.beginRow(fields: 4)
                buffer.append(highest.target + 1 + Int32(next))
                buffer.append(target.job)
                buffer.append(Int64(bitPattern: target.identity.rawValue))
                if let address = target.address {
                    table.withValueBytes(address) { buffer.append(utf8: $0) }
                } else {
                    buffer.append("")
                }
                next += 1
            }
            return next < additions.targets.count
        }
    }
}
