//
// LedgerReader.swift: reads the current state, once, as fast as PostgreSQL hands it out.
//
// Three streams in one snapshot: targets with the ids of their labels, then the labels, of which only those in use are
// interned, then targets become label sets. Ids are kept flat in between: 80 MB for a million targets of 20 labels.
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
        let labelCount: Int32
    }

    private var rows: ContiguousArray<Row> = []
    private var labelIDs: ContiguousArray<Int32> = []
    private var isUsed: ContiguousArray<Bool> = []
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
        isUsed = ContiguousArray(repeating: false, count: Int(dictionary.highest.label) + 1)
        try await readTargets(connection)
        let labels = try await readLabels(loader.table, connection)
        let jobs = try await readJobs(&loader, connection)
        let collectors = try await readCollectors(&loader, connection)
        try finish(&loader, labels: labels, jobs: jobs, collectors: collectors)
    }

    private mutating func readTargets(_ connection: isolated PostgresConnection) async throws {
        var ids: [Int32] = []
        var (rows, labelIDs, isUsed) = (ContiguousArray<Row>(), ContiguousArray<Int32>(), self.isUsed)
        try await connection.copyOut(
            """
            COPY (SELECT c.target, t.job, t.identity, c.collector, c.label_set, s.labels FROM ledger.current_target c \
            JOIN ledger.target t ON t.id = c.target JOIN ledger.label_set s ON s.id = c.label_set) \
            TO STDOUT (FORMAT binary)
            """
        ) { row in
            let target = try row.int32()
            let job = try row.int32()
            let identity = try row.int64()
            let collector = try row.int32IfPresent() ?? 0
            let labelSet = try row.int32()
            ids.removeAll(keepingCapacity: true)
            _ = try row.int32Array(into: &ids)
            for id in ids where Int(id) < isUsed.count && id > 0 { isUsed[Int(id)] = true }
            labelIDs.append(contentsOf: ids)
            rows.append(
                Row(
                    target: target, job: job, identity: identity, collector: collector, labelSet: labelSet,
                    labelCount: Int32(ids.count)))
        }
        (self.rows, self.labelIDs, self.isUsed) = (rows, labelIDs, isUsed)
    }

    /// - Returns: LabelIDs by stored id.
    private mutating func readLabels(
        _ table: LabelTable, _ connection: isolated PostgresConnection
    ) async throws -> ContiguousArray<LabelID?> {
        var labels = ContiguousArray<LabelID?>(repeating: nil, count: isUsed.count)
        var dictionary = self.dictionary
        let isUsed = self.isUsed
        var count: Int32 = 0
        try await connection.copyOut("COPY ledger.label (id, name, value) TO STDOUT (FORMAT binary)") { row in
            let id = try row.int32()
            count += 1
            guard Int(id) < isUsed.count, isUsed[Int(id)] else { return }
            let name = try row.string()
            let interned = try row.withBytes { value in
                table.intern { interner in
                    interner.intern(name, value: value ?? UnsafeRawBufferPointer(start: nil, count: 0))
                }
            }
            labels[Int(id)] = interned
            dictionary.setLabel(interned, id)
        }
        // With as many rows as ids, and all of them in use, there is nothing that this process does not know.
        dictionary.isComplete.labels = count == dictionary.highest.label && !isUsed.dropFirst().contains(false)
        self.dictionary = dictionary
        return labels
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

    private mutating func finish(
        _ loader: inout AllocationLoader, labels: ContiguousArray<LabelID?>, jobs: [Int32: JobNumber],
        collectors: [Int32: CollectorNumber]
    ) throws {
        let table = loader.table
        let addressName = table.nameID(for: "__address__")
        dictionary.targets.reserveCapacity(rows.count)
        dictionary.labelSets.reserveCapacity(rows.count)
        var next = 0
        for row in rows {
            var ids = ContiguousArray<LabelID>()
            ids.reserveCapacity(Int(row.labelCount))
            for stored in labelIDs[next..<(next + Int(row.labelCount))] {
                guard stored > 0, Int(stored) < labels.count, let id = labels[Int(stored)] else {
                    throw LedgerError.corrupted("label set \(row.labelSet) names label \(stored), which does not exist")
                }
                ids.append(id)
            }
            next += Int(row.labelCount)
            guard let job = jobs[row.job] else {
                throw LedgerError.corrupted("target \(row.target) names job \(row.job), which does not exist")
            }
            let set = LabelSet(sortedUnique: ids)
            let identity = TargetIdentity(rawValue: UInt64(bitPattern: row.identity))
            loader.addTarget(
                job: job, identity: identity, labels: set, address: set.value(of: addressName, in: table),
                collector: row.collector == 0 ? nil : collectors[row.collector])
            dictionary.targets[TargetKey(job: row.job, identity: identity.rawValue)] = row.target
            dictionary.labelSets[LabelSetKey(labels: set)] = row.labelSet
        }
        dictionary.isComplete.targets = rows.count == Int(dictionary.highest.target)
        dictionary.isComplete.labelSets = dictionary.labelSets.count == Int(dictionary.highest.labelSet)
    }
}

extension LedgerWriter {
    /// Reads the whole current state and makes this writer expect its tip.
    ///
    /// - Throws: ``LedgerError/notMigrated`` without a ledger; ``LedgerError/corrupted(_:)`` when ids lead nowhere.
    package func load(into loader: consuming AllocationLoader) async throws -> LoadedLedger {
        let initial = loader
        return try await LedgerError.translating {
            let connection = try await connected()
            try await Migrator.requireCurrent(connection)
            let read = try await connection.transaction(
                isolation: .repeatableRead, readOnly: true, deadline: .now + .seconds(600)
            ) { @Sendable connection in try await Self.readAll(initial, connection) }
            dictionary = read.dictionary
            head = read.loaded.head
            currentConfiguration = read.configuration
            openRuns = read.runs
            mustReadHighest = false
            uncertainChange = nil
            return read.loaded
        }
    }

    private struct Read: Sendable {
        var loaded: LoadedLedger
        var dictionary: LedgerDictionary
        var configuration: (id: Int32, digest: Digest32)?
        var runs: [ReportKey: OpenRun]
    }

    private static func readAll(
        _ initial: AllocationLoader, _ connection: isolated PostgresConnection
    ) async throws -> Read {
        let head = try await connection.query(LedgerQueries.headStatement).first.map { try LedgerQueries.head($0) }
        var loader = initial
        var reader = LedgerReader()
        try await reader.read(into: &loader, connection)
        var dictionary = reader.dictionary
        let rules = try await connection.query(
            """
            SELECT c.id, c.digest, c.text, r.id, r.digest, r.strategy, r.version, r.members, r.partition_owners, r.note \
            FROM ledger.current_rule u LEFT JOIN ledger.configuration c ON c.id = u.configuration \
            JOIN ledger.ring r ON r.id = u.ring WHERE u.name = 'allocator'
            """)
        var loaded = LoadedLedger(
            state: loader.finish(), head: head.flatMap { $0.revision.number == 0 ? nil : $0 }, configuration: nil,
            placement: nil)
        var configuration: (id: Int32, digest: Digest32)?
        if let row = rules.first {
            if let id = try row.decode(0, as: Int32?.self), let text = try row.decode(2, as: String?.self) {
                let record = ConfigurationRecord(redactedText: text)
                loaded.configuration = record
                configuration = (id, record.digest)
                dictionary.configurations[record.digest] = id
            }
            if let digest = Digest32(try row.decode(4, as: [UInt8].self)) {
                dictionary.rings[digest] = try row.decode(3, as: Int32.self)
            }
            loaded.placement = Placement(
                strategy: try row.decode(5, as: String.self), ringVersion: try row.decode(6, as: String?.self),
                members: try row.decode(7, as: [String].self),
                partitionOwners: try row.decode(8, as: [Int16].self).map { UInt16(bitPattern: $0) },
                note: try row.decode(9, as: String?.self))
        }
        return Read(
            loaded: loaded, dictionary: dictionary, configuration: configuration, runs: try await runs(connection))
    }

    private static func runs(_ connection: isolated PostgresConnection) async throws -> [ReportKey: OpenRun] {
        var runs: [ReportKey: OpenRun] = [:]
        let rows = try await connection.query(
            """
            SELECT job, provider, source, first_at, last_at, outcome, targets, added, removed, dropped_by_relabelling, \
            error, duration, rounds, revision FROM ledger.discovery_run
            """)
        for row in rows {
            let report = DiscoveryReportDraft(
                job: try row.decode(0, as: String.self), provider: try row.decode(1, as: String.self),
                source: try row.decode(2, as: String.self),
                succeeded: try row.decode(5, as: String.self) == "succeeded",
                targets: Int(try row.decode(6, as: Int32.self)), added: Int(try row.decode(7, as: Int32.self)),
                removed: Int(try row.decode(8, as: Int32.self)),
                droppedByRelabelling: Int(try row.decode(9, as: Int32.self)),
                error: try row.decode(10, as: String?.self),
                durationSeconds: try row.decode(11, as: Double.self), at: try row.decode(4, as: Timestamp.self))
            runs[ReportKey(job: report.job, provider: report.provider, source: report.source)] = OpenRun(
                firstAt: try row.decode(3, as: Timestamp.self), rounds: try row.decode(12, as: Int64.self),
                report: report, revision: try row.decode(13, as: Int64.self))
        }
        return runs
    }
}
