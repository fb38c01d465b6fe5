//
// LedgerReader.swift: reads the current state, once, as fast as PostgreSQL hands it out.
//
// Three streams in one snapshot, and the order keeps memory small: targets say which label sets are needed, label sets
// say which labels, and only those are interned. Ids are kept flat in between: 80 MB for a million targets of 20 labels.
//

import AllocationCore
import PostgresDriver

/// The current state on its way from the database into an AllocationLoader.
struct LedgerReader {
    private struct Row {
        let target: Int32
        let job: Int32
        let identity: Int64
        let collector: Int32
        let labelSet: Int32
        /// Of the address in the target's row.
        let addressHash: UInt64
    }

    private struct LabelSets {
        /// Ids that are needed.
        var needed: RankedBitmap
        /// By rank: where the set's labels lie in `labels`.
        var places: ContiguousArray<(start: UInt32, count: UInt32)>
        /// Stored ids of labels.
        var labels: ContiguousArray<Int32> = []
    }

    private var rows: ContiguousArray<Row> = []
    private(set) var dictionary = LedgerDictionary()

    static func highest(_ connection: PostgresConnection) async throws -> LedgerDictionary.Highest {
        let row = try await connection.query(
            """
            SELECT coalesce((SELECT max(id) FROM ledger.label), 0), coalesce((SELECT max(id) FROM ledger.label_set), 0), \
            coalesce((SELECT max(id) FROM ledger.target), 0), coalesce((SELECT max(id) FROM ledger.job), 0), \
            coalesce((SELECT max(id) FROM ledger.collector), 0), \
            coalesce((SELECT max(id) FROM ledger.configuration), 0), coalesce((SELECT max(id) FROM ledger.ring), 0)
            """
        ).first
        guard let row else { throw LedgerError.corrupted("the dictionaries cannot be read") }
        return LedgerDictionary.Highest(
            label: try row.decode(0, as: Int32.self), labelSet: try row.decode(1, as: Int32.self),
            target: try row.decode(2, as: Int32.self), job: try row.decode(3, as: Int32.self),
            collector: try row.decode(4, as: Int32.self), configuration: try row.decode(5, as: Int32.self),
            ring: try row.decode(6, as: Int32.self))
    }

    mutating func read(
        into loader: inout AllocationLoader, _ connection: isolated PostgresConnection
    ) async throws {
        dictionary.highest = try await Self.highest(connection)
        try await readTargets(connection)
        let labelSets = try await readLabelSets(connection)
        let (labels, interned) = try await readLabels(labelSets, loader.table, connection)
        let jobs = try await readJobs(&loader, connection)
        let collectors = try await readCollectors(&loader, connection)
        let sets = try build(labelSets, labels, interned)
        let moved = try finish(&loader, labelSets.needed, sets, jobs: jobs, collectors: collectors)
        try await readAddresses(moved, connection)
    }

    private mutating func readTargets(_ connection: isolated PostgresConnection) async throws {
        let count = try await connection.query("SELECT count(*) FROM ledger.current_target").first
        var rows = ContiguousArray<Row>()
        rows.reserveCapacity(Int(try count?.decode(0, as: Int64.self) ?? 0))
        try await connection.copyOut(
            """
            COPY (SELECT c.target, t.job, t.identity, c.collector, c.label_set, t.address \
            FROM ledger.current_target c LEFT JOIN ledger.target t ON t.id = c.target) TO STDOUT (FORMAT binary)
            """
        ) { row in
            let target = try row.int32()
            guard let job = try row.int32IfPresent() else {
                throw LedgerError.corrupted("ledger.target has no row \(target), which is current")
            }
            rows.append(
                Row(
                    target: target, job: job, identity: try row.int64(), collector: try row.int32IfPresent() ?? 0,
                    labelSet: try row.int32(),
                    addressHash: try row.withBytes { $0.map { XXH64.hash($0) } ?? 0 }))
        }
        self.rows = rows
    }

    private mutating func readLabelSets(_ connection: isolated PostgresConnection) async throws -> LabelSets {
        var needed = RankedBitmap(limit: Int(dictionary.highest.labelSet))
        for row in rows where !needed.insert(row.labelSet) {
            throw LedgerError.corrupted("target \(row.target) names label set \(row.labelSet), which does not exist")
        }
        needed.seal()
        var sets = LabelSets(needed: needed, places: ContiguousArray(repeating: (0, 0), count: needed.count))
        // Where few of many are current the server picks them; else reading through is cheaper.
        let few = needed.count * 4 < Int(dictionary.highest.labelSet)
        let condition: SQL = few ? "WHERE EXISTS (SELECT FROM ledger.current_target c WHERE c.label_set = s.id)" : ""
        var ids: [Int32] = []
        var found = 0
        try await connection.copyOut(
            "COPY (SELECT s.id, s.labels FROM ledger.label_set s \(condition)) TO STDOUT (FORMAT binary)"
        ) { row in
            guard let rank = needed.rank(of: try row.int32()) else { return }
            try row.int32Array(into: &ids)
            sets.places[rank] = (UInt32(sets.labels.count), UInt32(ids.count))
            sets.labels.append(contentsOf: ids)
            found += 1
        }
        guard found == needed.count else {
            throw LedgerError.corrupted("\(needed.count - found) label sets that are current do not exist")
        }
        dictionary.isComplete.labelSets = needed.count == Int(dictionary.highest.labelSet)
        return sets
    }

    /// - Returns: The stored ids of labels that are needed, and their LabelIDs by rank.
    private mutating func readLabels(
        _ sets: LabelSets, _ table: LabelTable, _ connection: isolated PostgresConnection
    ) async throws -> (RankedBitmap, ContiguousArray<LabelID>) {
        var needed = RankedBitmap(limit: Int(dictionary.highest.label))
        for label in sets.labels where !needed.insert(label) {
            throw LedgerError.corrupted("a label set names label \(label), which does not exist")
        }
        needed.seal()
        let ranks = needed
        var interned = ContiguousArray(repeating: LabelID(rawValue: .max), count: needed.count)
        var dictionary = self.dictionary
        var found = 0
        try await LabelReader(table: table).read(needed, of: Int(dictionary.highest.label), connection) { id, label in
            guard let rank = ranks.rank(of: id) else { return }
            interned[rank] = label
            dictionary.setLabel(label, id)
            found += 1
        }
        self.dictionary = dictionary
        guard found == needed.count else {
            throw LedgerError.corrupted("\(needed.count - found) labels that are current do not exist")
        }
        return (needed, interned)
    }

    /// The label sets by rank. Targets that share one share its memory.
    private func build(
        _ sets: LabelSets, _ labels: RankedBitmap, _ interned: ContiguousArray<LabelID>
    ) throws -> ContiguousArray<LabelSet> {
        ContiguousArray(
            sets.places.map { place in
                let ids = sets.labels[Int(place.start)..<Int(place.start + place.count)]
                // All are needed ones: that is where `labels` came from.
                return LabelSet(
                    sortedUnique: ContiguousArray(ids.map { interned[labels.rank(of: $0).unsafelyUnwrapped] }))
            })
    }

    private mutating func readJobs(
        _ loader: inout AllocationLoader, _ connection: isolated PostgresConnection
    ) async throws -> [Int32: JobNumber] {
        var numbers: [Int32: JobNumber] = [:]
        let used = Set(rows.lazy.map(\.job))
        for row in try await connection.query("SELECT id, name FROM ledger.job ORDER BY id") {
            let (id, name) = (try row.decode(0, as: Int32.self), try row.decode(1, as: String.self))
            dictionary.jobs[name] = id
            if used.contains(id) { numbers[id] = loader.addJob(name) }
        }
        return numbers
    }

    private mutating func readCollectors(
        _ loader: inout AllocationLoader, _ connection: isolated PostgresConnection
    ) async throws -> [Int32: CollectorNumber] {
        var numbers: [Int32: CollectorNumber] = [:]
        let used = Set(rows.lazy.map(\.collector))
        let rows = try await connection.query(
            """
            SELECT c.id, c.name, c.uid, p.node, p.collector IS NOT NULL FROM ledger.collector c \
            LEFT JOIN ledger.current_collector p ON p.collector = c.id ORDER BY c.id
            """)
        for row in rows {
            let id = try row.decode(0, as: Int32.self)
            let uid = try row.decode(2, as: String.self)
            let collector = Collector(
                name: try row.decode(1, as: String.self), nodeName: try row.decode(3, as: String?.self),
                uid: uid.isEmpty ? nil : uid)
            dictionary.collectors[LedgerDictionary.key(collector)] = id
            let isPresent = try row.decode(4, as: Bool.self)
            if isPresent || used.contains(id) {
                numbers[id] = loader.addCollector(collector, isPresent: isPresent)
            }
        }
        return numbers
    }

    /// - Returns: Targets whose row has another address than their labels.
    private mutating func finish(
        _ loader: inout AllocationLoader, _ needed: RankedBitmap, _ sets: ContiguousArray<LabelSet>,
        jobs: [Int32: JobNumber], collectors: [Int32: CollectorNumber]
    ) throws -> [Int32] {
        let table = loader.table
        let addressName = table.nameID(for: "__address__")
        dictionary.targets.reserveCapacity(rows.count)
        dictionary.labelSets.reserveCapacity(sets.count)
        var moved: [Int32] = []
        for row in rows {
            guard let job = jobs[row.job] else {
                throw LedgerError.corrupted("target \(row.target) names job \(row.job), which does not exist")
            }
            // Every row's label set was put into `needed`.
            let set = sets[needed.rank(of: row.labelSet).unsafelyUnwrapped]
            let identity = TargetIdentity(rawValue: UInt64(bitPattern: row.identity))
            let address = set.value(of: addressName, in: table)
            let hash = address.map { table.withValueBytes($0) { XXH64.hash($0) } } ?? XXH64.hash("")
            if hash != row.addressHash { moved.append(row.target) }
            loader.addTarget(
                job: job, identity: identity, labels: set, address: address,
                collector: row.collector == 0 ? nil : collectors[row.collector])
            dictionary.targets[TargetKey(job: row.job, identity: identity.rawValue)] = row.target
            dictionary.labelSets[LabelSetKey(labels: set)] = row.labelSet
        }
        dictionary.isComplete.targets = rows.count == Int(dictionary.highest.target)
        return moved
    }

    private mutating func readAddresses(_ targets: [Int32], _ connection: isolated PostgresConnection) async throws {
        guard !targets.isEmpty else { return }
        let rows = try await connection.query("SELECT id, address FROM ledger.target WHERE id = ANY(\(targets))")
        for row in rows {
            dictionary.storedAddresses[try row.decode(0, as: Int32.self)] = try row.decode(1, as: String.self)
        }
    }
}
