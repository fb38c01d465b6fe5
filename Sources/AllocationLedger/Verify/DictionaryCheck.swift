//
// DictionaryCheck.swift: whether dictionary rows that have a digest still are what it was taken over.
//
// Label sets, rings and configurations. Jobs, collectors and targets have none of their own: the leaves of the events
// that name them cover their contents.
//

import AllocationCore
import PostgresDriver

struct DictionaryCheck {
    private(set) var labelSets: Int64 = 0
    private(set) var findings: [VerificationReport.Finding] = []
    private var digester = RecordDigester()

    private static let labelSetsPerSlice: Int32 = 5_000

    mutating func run(_ connection: isolated PostgresConnection) async throws {
        try await checkLabelSets(connection)
        try await checkRings(connection)
        try await checkConfigurations(connection)
    }

    private mutating func find(_ kind: VerificationReport.Finding.Kind, _ detail: String) {
        guard findings.count < ChainVerifier.findingsMax else { return }
        findings.append(.init(kind: kind, revision: nil, ordinal: nil, detail: detail))
    }

    private mutating func checkLabelSets(_ connection: isolated PostgresConnection) async throws {
        let highest = try await connection.query("SELECT coalesce(max(id), 0) FROM ledger.label_set").first?
            .decode(0, as: Int32.self)
        for start in stride(from: Int32(1), through: highest ?? 0, by: Int(Self.labelSetsPerSlice)) {
            try await checkLabelSets(start, start + Self.labelSetsPerSlice - 1, connection)
        }
    }

    private mutating func checkLabelSets(
        _ first: Int32, _ last: Int32, _ connection: isolated PostgresConnection
    ) async throws {
        var sets: [(id: Int32, digest: Digest32?, labels: [Int32])] = []
        // COPY takes no binds; these are numbers of ours.
        try await connection.copyOut(
            """
            COPY (SELECT id, digest, labels FROM ledger.label_set \
            WHERE id BETWEEN \(unsafeSQL: "\(first) AND \(last)") ORDER BY id) TO STDOUT (FORMAT binary)
            """
        ) { row in
            let id = try row.int32()
            let digest = Digest32(try row.bytes())
            var labels: [Int32] = []
            try row.int32Array(into: &labels)
            sets.append((id, digest, labels))
        }
        let pairs = try await labels(Array(Set(sets.flatMap(\.labels))), connection)
        for set in sets {
            labelSets += 1
            let contents = set.labels.compactMap { pairs[$0] }
            if contents.count != set.labels.count {
                let gone = set.labels.first { pairs[$0] == nil } ?? 0
                find(.missing, "ledger.label row \(gone), which label set \(set.id) names, is gone")
            } else if digester.labelSet(contents) != set.digest {
                find(.altered, "ledger.label_set row \(set.id), or one of its labels, is not what was recorded")
            }
        }
    }

    /// The pairs as bytes, by id.
    private func labels(
        _ ids: [Int32], _ connection: isolated PostgresConnection
    ) async throws -> [Int32: (name: [UInt8], value: [UInt8])] {
        let rows = try await connection.query(
            """
            SELECT id, convert_to(name, 'UTF8'), convert_to(value, 'UTF8'), raw FROM ledger.label WHERE id = ANY(\(ids))
            """)
        var pairs: [Int32: (name: [UInt8], value: [UInt8])] = [:]
        pairs.reserveCapacity(rows.count)
        for row in rows {
            var pair = (name: try row.decode(1, as: [UInt8].self), value: try row.decode(2, as: [UInt8].self))
            if let raw = try row.decode(3, as: [UInt8]?.self), let separator = raw.firstIndex(of: 0xFF) {
                pair = (Array(raw[..<separator]), Array(raw[(separator + 1)...]))
            }
            pairs[try row.decode(0, as: Int32.self)] = pair
        }
        return pairs
    }

    private mutating func checkRings(_ connection: isolated PostgresConnection) async throws {
        let rows = try await connection.query(
            "SELECT id, digest, strategy, version, members, partition_owners, note FROM ledger.ring ORDER BY id")
        for row in rows {
            let placement = Placement(
                strategy: try row.decode(2), ringVersion: try row.decode(3, as: String?.self),
                members: try row.decode(4, as: [String].self),
                partitionOwners: try row.decode(5, as: [Int16].self).map { UInt16(bitPattern: $0) },
                note: try row.decode(6, as: String?.self))
            if digester.ring(placement) != Digest32(try row.decode(1, as: [UInt8].self)) {
                find(.altered, "ledger.ring row \(try row.decode(0, as: Int32.self)) is not what was recorded")
            }
        }
    }

    private mutating func checkConfigurations(_ connection: isolated PostgresConnection) async throws {
        let rows = try await connection.query("SELECT id, digest, text FROM ledger.configuration ORDER BY id")
        for row in rows {
            let record = ConfigurationRecord(redactedText: try row.decode(2))
            if record.digest != Digest32(try row.decode(1, as: [UInt8].self)) {
                find(.altered, "ledger.configuration row \(try row.decode(0, as: Int32.self)) is not what was recorded")
            }
        }
    }
}
