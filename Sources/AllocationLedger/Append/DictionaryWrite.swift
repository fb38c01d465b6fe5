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

    private static let chunkBytes = 256 * 1024
    /// Up to so many rows are one transaction on one session: an everyday change.
    static let rowsAtOnceMax = 10_000
    /// Of more, so many rows are a transaction each. Bounds the time for which a takeover waits.
    private static let rowsOfPartMax = 50_000

    var rowCount: Int { additions.labels.count + additions.labelSets.count + additions.targets.count }

    /// Writes all of it in fenced transactions of bounded size, on as many sessions as are given.
    ///
    /// When it returns, all rows are on the server's disk. When it throws, some may be committed and none of those
    /// names a row that is not.
    func run(fencedBy token: FencingToken, on connections: [PostgresConnection]) async throws {
        guard let first = connections.first else { return }
        if rowCount <= Self.rowsAtOnceMax {
            try await first.transaction(deadline: .now + .seconds(120)) { @Sendable connection in
                try await LedgerQueries.fence(token, connection)
                try await addNames(connection)
                try await copyLabels(additions.labels.indices, connection)
                try await copyLabelSets(additions.labelSets.indices, connection)
                try await copyTargets(additions.targets.indices, connection)
            }
            return
        }
        try await first.transaction { @Sendable connection in
            try await LedgerQueries.fence(token, connection)
            try await addNames(connection)
        }
        try await runParts(fencedBy: token, on: connections)
        try await flush(fencedBy: token, first)
    }

    private func runParts(fencedBy token: FencingToken, on connections: [PostgresConnection]) async throws {
        var schedule = DictionarySchedule(
            labels: additions.labels.count, labelSets: additions.labelSets.count, targets: additions.targets.count,
            rowsOfPartMax: Self.rowsOfPartMax
        ) { [additions] rows in rows.last.map { Int(additions.labelSets[$0].labelsThrough) } ?? 0 }
        try await withThrowingTaskGroup(of: (DictionarySchedule.Part, PostgresConnection).self) { group in
            var idle = connections
            while !schedule.isDone {
                while let connection = idle.last, let part = schedule.next() {
                    idle.removeLast()
                    group.addTask {
                        try await write(part, fencedBy: token, connection)
                        return (part, connection)
                    }
                }
                // One is under way: what is left waits for nothing but parts that are.
                guard let (part, connection) = try await group.next() else { return }
                schedule.finish(part)
                idle.append(connection)
            }
        }
    }

    private func write(
        _ part: DictionarySchedule.Part, fencedBy token: FencingToken, _ connection: PostgresConnection
    ) async throws {
        try await connection.transaction(deadline: .now + .seconds(120)) { @Sendable connection in
            // The log is written in the order of commits, so `flush` brings these to the disk too.
            let rows = try await connection.pipeline([
                "SET LOCAL synchronous_commit = off", LedgerQueries.fenceStatement(token),
            ])
            guard !rows[1].isEmpty else { throw LedgerError.fenced(token) }
            switch part.table {
            case .labels: try await copyLabels(part.rows, connection)
            case .labelSets: try await copyLabelSets(part.rows, connection)
            case .targets: try await copyTargets(part.rows, connection)
            }
        }
    }

    /// Returns once every commit that this process has heard of is on the disk. A server that crashes before forgets
    /// ids, and what is not forgotten here would be named by a revision.
    ///
    /// The fence locks a row, which is a write. So this transaction has a commit record, behind those of the parts; it
    /// waits until the log is on the disk up to there.
    private func flush(fencedBy token: FencingToken, _ connection: PostgresConnection) async throws {
        try await connection.transaction { @Sendable connection in
            let rows = try await connection.pipeline([
                "SET LOCAL synchronous_commit = on", LedgerQueries.fenceStatement(token),
            ])
            guard !rows[1].isEmpty else { throw LedgerError.fenced(token) }
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
