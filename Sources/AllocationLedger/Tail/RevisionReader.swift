//
// RevisionReader.swift: reads whole revisions back and proves them.
//
// All of it within one transaction that sees one snapshot. Every digest is computed anew from the rows: label sets, the
// leaves and the root of the events, the placement rule, the configuration, the revision's record. A revision that is not
// what its digest says is never handed on.
//

import AllocationCore
import PostgresDriver

/// Names behind ids that have been read before: few, and never changed.
struct TailDictionary: Sendable {
    var jobs: [Int32: String] = [:]
    var collectors: [Int32: Collector] = [:]
    var configurations: [Int32: ConfigurationRecord] = [:]
    var rings: [Int32: (placement: Placement, digest: Digest32)] = [:]
    /// By stored id; forgotten when there are many.
    var labels: [Int32: LabelID] = [:]

    private static let labelsMax = 262_144
    private static let rulesMax = 16

    mutating func makeRoom() {
        if labels.count > Self.labelsMax { labels = [:] }
        if rings.count > Self.rulesMax { rings = [:] }
        if configurations.count > Self.rulesMax { configurations = [:] }
    }
}

/// Reads the revisions behind one place in the log.
struct RevisionReader {
    let table: LabelTable
    private(set) var names: TailDictionary
    /// Labels that were read now, with their stored ids.
    private(set) var learned: [(label: LabelID, id: Int32)] = []
    private var events: ContiguousArray<EventRow> = []
    /// Addresses of the events, one behind the other.
    private var addresses: [UInt8] = []
    private var collectorEvents: [Int64: [CollectorEventRow]] = [:]
    private var labelSets: [Int32: (digest: Digest32, labels: LabelSet?)] = [:]

    private static let batch = 10_000
    /// Revisions that are looked at at once.
    private static let revisionsMax = 256
    /// Events that are read at once; a revision is read whole, however many it has.
    private static let eventsMax = 20_000

    init(table: LabelTable, names: TailDictionary) {
        self.table = table
        self.names = names
    }

    /// One row of ledger.revision with what the record of it needs.
    struct RevisionRow: Sendable {
        var head: LedgerHead
        var changeID: UUID128
        var cause: String
        var causeDetail: String
        var occurredAt: Timestamp?
        var replica: UUID128
        var ring: Int32
        var configuration: Int32?
        var counts: RevisionCounts
        var eventsDigest: Digest32
        var previousDigest: Digest32
    }

    private struct EventRow: Sendable {
        var revision: Int64
        var ordinal: Int32
        var target: Int32
        var job: Int32
        var identity: Int64
        var address: Range<Int>
        /// 0 stands for none, as in the next three.
        var collectorBefore: Int32
        var collectorAfter: Int32
        var labelSetBefore: Int32
        var labelSetAfter: Int32
        var reason: Int16
        var flags: Int16
    }

    private struct CollectorEventRow: Sendable {
        var ordinal: Int32
        var collector: Int32
        var kind: Int16
        var node: String?
        var evidence: String
    }

    // MARK: Reading

    /// The head and the revisions behind `applied`, the first so many.
    static func readLinks(
        behind applied: LedgerHead?, _ connection: isolated PostgresConnection
    ) async throws -> (reading: FollowerLog.Reading, rows: [RevisionRow]) {
        let head = try await connection.query(LedgerQueries.headStatement).first.map { try LedgerQueries.head($0) }
        let tip = FollowerLog.Tip(head.flatMap { $0.revision.number == 0 ? nil : $0 })
        let (number, at) = (applied?.revision.number ?? 0, applied?.at ?? .distantPast)
        guard tip.revision > number else { return (FollowerLog.Reading(head: tip, links: []), []) }
        let rows = try await connection.query(
            """
            SELECT revision, epoch, at, digest, change_id, cause, cause_detail, occurred_at, replica, ring, configuration, \
            targets_added, targets_removed, targets_moved, targets_relabelled, target_events, collector_events, \
            events_digest, previous_digest FROM ledger.revision WHERE at > \(at) AND revision > \(number) \
            ORDER BY at LIMIT \(Self.revisionsMax)
            """
        ).map(RevisionRow.init)
        var events = rows.reduce(0) { $0 + Int64($1.counts.targetEvents) }
        if rows.count == Self.revisionsMax {
            events =
                try await connection.query(
                    "SELECT coalesce(sum(target_events), 0)::bigint FROM ledger.revision WHERE at > \(at)"
                ).first?.decode(0, as: Int64.self) ?? events
        }
        return (FollowerLog.Reading(head: tip, links: rows.map(\.link), eventsBehind: events), rows)
    }

    /// How many of the first `count` are read at once.
    static func bounded(_ rows: [RevisionRow], count: Int) -> Int {
        var events = 0
        for (index, row) in rows.prefix(count).enumerated() {
            events += Int(row.counts.targetEvents)
            if events > eventsMax { return max(1, index) }
        }
        return count
    }

    /// All of these revisions.
    ///
    /// - Throws: ``LedgerError/corrupted(_:)`` for one that is not what its digest says.
    mutating func read(
        _ rows: ArraySlice<RevisionRow>, _ connection: isolated PostgresConnection
    ) async throws -> [RecordedRevision] {
        guard let first = rows.first, let last = rows.last else { return [] }
        names.makeRoom()
        if rows.contains(where: { $0.counts.targetEvents > 0 }) { try await readEvents(first, last, connection) }
        if rows.contains(where: { $0.counts.collectorEvents > 0 }) {
            try await readCollectorEvents(first, last, connection)
        }
        try await readJobs(connection)
        try await readCollectors(connection)
        try await readLabelSets(connection)
        try await readRules(rows, connection)
        var next = events.startIndex
        return try rows.map { row in
            let start = next
            while next < events.endIndex, events[next].revision == row.head.revision.number { next += 1 }
            return try prove(row, events[start..<next])
        }
    }

    private mutating func readEvents(
        _ first: RevisionRow, _ last: RevisionRow, _ connection: isolated PostgresConnection
    ) async throws {
        var (events, addresses) = (ContiguousArray<EventRow>(), [UInt8]())
        // COPY takes no binds. These are numbers of ours, and times made of digits alone.
        let terms =
            "e.at >= TIMESTAMPTZ '\(first.head.at)' AND e.at <= TIMESTAMPTZ '\(last.head.at)' "
            + "AND e.revision >= \(first.head.revision) AND e.revision <= \(last.head.revision)"
        try await connection.copyOut(
            """
            COPY (SELECT e.revision, e.ordinal, e.target, t.job, t.identity, t.address, e.collector_before, \
            e.collector_after, e.label_set_before, e.label_set_after, e.reason, e.flags \
            FROM ledger.target_event e LEFT JOIN ledger.target t ON t.id = e.target WHERE \(unsafeSQL: terms) \
            ORDER BY e.revision, e.ordinal) TO STDOUT (FORMAT binary)
            """
        ) { row in
            let (revision, ordinal, target) = (try row.int64(), try row.int32(), try row.int32())
            guard let job = try row.int32IfPresent() else {
                throw LedgerError.corrupted(
                    "an event of revision \(revision) names target \(target), which does not exist")
            }
            let identity = try row.int64()
            let start = addresses.count
            try row.withBytes { if let bytes = $0 { addresses.append(contentsOf: bytes) } }
            events.append(
                EventRow(
                    revision: revision, ordinal: ordinal, target: target, job: job, identity: identity,
                    address: start..<addresses.count, collectorBefore: try row.int32IfPresent() ?? 0,
                    collectorAfter: try row.int32IfPresent() ?? 0, labelSetBefore: try row.int32IfPresent() ?? 0,
                    labelSetAfter: try row.int32IfPresent() ?? 0, reason: try row.int16(), flags: try row.int16()))
        }
        (self.events, self.addresses) = (events, addresses)
    }

    private mutating func readCollectorEvents(
        _ first: RevisionRow, _ last: RevisionRow, _ connection: isolated PostgresConnection
    ) async throws {
        let rows = try await connection.query(
            """
            SELECT revision, ordinal, collector, kind, node, evidence FROM ledger.collector_event \
            WHERE at >= \(first.head.at) AND at <= \(last.head.at) AND revision >= \(first.head.revision.number) \
            AND revision <= \(last.head.revision.number) ORDER BY revision, ordinal
            """)
        for row in rows {
            collectorEvents[try row.decode(0, as: Int64.self), default: []].append(
                CollectorEventRow(
                    ordinal: try row.decode(1, as: Int32.self), collector: try row.decode(2, as: Int32.self),
                    kind: try row.decode(3, as: Int16.self), node: try row.decode(4, as: String?.self),
                    evidence: try row.decode(5, as: String.self)))
        }
    }

    private mutating func readJobs(_ connection: isolated PostgresConnection) async throws {
        let unknown = Array(Set(events.lazy.map(\.job)).filter { names.jobs[$0] == nil })
        guard !unknown.isEmpty else { return }
        for row in try await connection.query("SELECT id, name FROM ledger.job WHERE id = ANY(\(unknown))") {
            names.jobs[try row.decode(0, as: Int32.self)] = try row.decode(1, as: String.self)
        }
    }

    private mutating func readCollectors(_ connection: isolated PostgresConnection) async throws {
        var wanted = Set(collectorEvents.values.joined().map(\.collector))
        for event in events { wanted.formUnion([event.collectorBefore, event.collectorAfter]) }
        let unknown = wanted.filter { $0 != 0 && names.collectors[$0] == nil }
        guard !unknown.isEmpty else { return }
        let rows = try await connection.query(
            "SELECT id, name, uid FROM ledger.collector WHERE id = ANY(\(Array(unknown)))")
        for row in rows {
            let uid = try row.decode(2, as: String.self)
            names.collectors[try row.decode(0, as: Int32.self)] = Collector(
                name: try row.decode(1, as: String.self), uid: uid.isEmpty ? nil : uid)
        }
    }

    /// Digests of all label sets that events name, and the labels of those that are new to a target.
    private mutating func readLabelSets(_ connection: isolated PostgresConnection) async throws {
        var (news, others) = (Set<Int32>(), Set<Int32>())
        for event in events where event.labelSetAfter != 0 && event.labelSetAfter != event.labelSetBefore {
            news.insert(event.labelSetAfter)
        }
        for event in events where event.labelSetBefore != 0 && !news.contains(event.labelSetBefore) {
            others.insert(event.labelSetBefore)
        }
        for part in Self.parts(others) {
            for row in try await connection.query("SELECT id, digest FROM ledger.label_set WHERE id = ANY(\(part))") {
                let id = try row.decode(0, as: Int32.self)
                labelSets[id] = (try Self.digest(row, 1, "label set \(id)"), nil)
            }
        }
        var found: [(id: Int32, digest: Digest32, labels: [Int32])] = []
        for part in Self.parts(news) {
            let rows = try await connection.query(
                "SELECT id, digest, labels FROM ledger.label_set WHERE id = ANY(\(part))")
            for row in rows {
                let id = try row.decode(0, as: Int32.self)
                found.append((id, try Self.digest(row, 1, "label set \(id)"), try row.decode(2, as: [Int32].self)))
            }
        }
        try await readLabels(Set(found.lazy.flatMap(\.labels)), connection)
        var digester = RecordDigester()
        for set in found {
            let ids = try set.labels.map { id in
                guard let label = names.labels[id] else {
                    throw LedgerError.corrupted("label set \(set.id) names label \(id), which does not exist")
                }
                return label
            }
            let labels = LabelSet(sortedUnique: ContiguousArray(ids))
            guard digester.labelSet(labels, in: table) == set.digest else {
                throw LedgerError.corrupted("label set \(set.id) is not what its digest says")
            }
            labelSets[set.id] = (set.digest, labels)
        }
    }

    private mutating func readLabels(_ wanted: Set<Int32>, _ connection: isolated PostgresConnection) async throws {
        let unknown = wanted.filter { names.labels[$0] == nil }
        guard let highest = unknown.max() else { return }
        var needed = RankedBitmap(limit: Int(highest))
        for id in unknown where !needed.insert(id) { throw LedgerError.corrupted("a label set names label \(id)") }
        needed.seal()
        var found: [(label: LabelID, id: Int32)] = []
        // Few of many: by id.
        try await LabelReader(table: table).read(needed, of: .max, connection) { found.append(($1, $0)) }
        for (label, id) in found { names.labels[id] = label }
        learned += found
    }

    private mutating func readRules(
        _ rows: ArraySlice<RevisionRow>, _ connection: isolated PostgresConnection
    ) async throws {
        let rings = Array(Set(rows.lazy.map(\.ring)).filter { names.rings[$0] == nil })
        if !rings.isEmpty {
            let found = try await connection.query(
                """
                SELECT id, digest, strategy, version, members, partition_owners, note FROM ledger.ring \
                WHERE id = ANY(\(rings))
                """)
            var digester = RecordDigester()
            for row in found {
                let id = try row.decode(0, as: Int32.self)
                let placement = Placement(
                    strategy: try row.decode(2, as: String.self), ringVersion: try row.decode(3, as: String?.self),
                    members: try row.decode(4, as: [String].self),
                    partitionOwners: try row.decode(5, as: [Int16].self).map { UInt16(bitPattern: $0) },
                    note: try row.decode(6, as: String?.self))
                let digest = digester.ring(placement)
                guard digest == (try Self.digest(row, 1, "rule \(id)")) else {
                    throw LedgerError.corrupted("placement rule \(id) is not what its digest says")
                }
                names.rings[id] = (placement, digest)
            }
        }
        let configurations = Array(
            Set(rows.lazy.compactMap(\.configuration)).filter { names.configurations[$0] == nil })
        guard !configurations.isEmpty else { return }
        let found = try await connection.query(
            "SELECT id, digest, text FROM ledger.configuration WHERE id = ANY(\(configurations))")
        for row in found {
            let id = try row.decode(0, as: Int32.self)
            let record = ConfigurationRecord(redactedText: try row.decode(2, as: String.self))
            guard record.digest == (try Self.digest(row, 1, "configuration \(id)")) else {
                throw LedgerError.corrupted("configuration \(id) is not what its digest says")
            }
            names.configurations[id] = record
        }
    }

    private static func parts(_ ids: Set<Int32>) -> [[Int32]] {
        let sorted = ids.sorted()
        return stride(from: 0, to: sorted.count, by: batch).map { Array(sorted[$0..<min($0 + batch, sorted.count)]) }
    }

    private static func digest(_ row: PostgresRow, _ column: Int, _ what: String) throws -> Digest32 {
        guard let digest = Digest32(try row.decode(column, as: [UInt8].self)) else {
            throw LedgerError.corrupted("the digest of \(what) has not 32 bytes")
        }
        return digest
    }

    // MARK: Proving

    private func prove(_ row: RevisionRow, _ events: ArraySlice<EventRow>) throws -> RecordedRevision {
        let number = row.head.revision.number
        let fromCollectors = collectorEvents[number] ?? []
        guard events.count == Int(row.counts.targetEvents), fromCollectors.count == Int(row.counts.collectorEvents)
        else {
            throw LedgerError.corrupted(
                "revision \(number) has \(events.count) target events and \(fromCollectors.count) collector events, "
                    + "and says \(row.counts.targetEvents) and \(row.counts.collectorEvents)")
        }
        guard let ring = names.rings[row.ring] else {
            throw LedgerError.corrupted("revision \(number) names rule \(row.ring), which does not exist")
        }
        let configuration = row.configuration.flatMap { names.configurations[$0]?.digest }
        guard configuration != nil || row.configuration == nil else {
            throw LedgerError.corrupted("revision \(number) names a configuration that does not exist")
        }
        var building = Building(reader: self, revision: number, placement: ring.placement)
        for event in events { try building.add(event) }
        for event in fromCollectors { try building.add(event) }
        let record = RevisionRecord(
            revision: number, epoch: row.head.epoch, at: row.head.at, changeID: row.changeID, cause: row.cause,
            causeDetail: row.causeDetail, occurredAt: row.occurredAt, replica: row.replica,
            configuration: configuration, ring: ring.digest, counts: row.counts, eventsDigest: building.tree.root,
            previousDigest: row.previousDigest)
        var digester = RecordDigester()
        guard building.tree.root == row.eventsDigest, digester.revision(record) == row.head.digest else {
            throw LedgerError.corrupted("revision \(number) is not what its digest says")
        }
        var ids = building.ids
        ids.configuration = row.configuration
        ids.ring = row.ring
        ids.ringDigest = ring.digest
        return RecordedRevision(
            head: row.head, previousDigest: row.previousDigest, cause: row.cause, causeDetail: row.causeDetail,
            replica: row.replica, change: building.change, configuration: configuration,
            labelsBefore: building.labelsBefore, ids: ids)
    }

    /// One revision on its way from rows to a change.
    private struct Building {
        let reader: RevisionReader
        let revision: Int64
        var change: RecordedChange
        var labelsBefore: ContiguousArray<Digest32?> = []
        var ids = RecordedRevision.Identifiers(ring: 0, ringDigest: .zero)
        var tree = MerkleTree()
        private var digester = RecordDigester()
        private var jobs: [Int32: Int32] = [:]
        private var collectors: [Int32: Int32] = [:]

        init(reader: RevisionReader, revision: Int64, placement: Placement) {
            self.reader = reader
            self.revision = revision
            change = RecordedChange(placement: placement)
        }

        mutating func add(_ event: EventRow) throws {
            guard let reason = Reason(rawValue: event.reason) else {
                throw LedgerError.corrupted("revision \(revision) holds a reason \(event.reason) that is not known")
            }
            let job = try place(ofJob: event.job)
            let collectorBefore = try place(ofCollector: event.collectorBefore)
            let collectorAfter = try place(ofCollector: event.collectorAfter)
            let before = try labels(event.labelSetBefore)
            let after = try labels(event.labelSetAfter)
            let address = String(decoding: reader.addresses[event.address], as: UTF8.self)
            tree.append(
                digester.targetEvent(
                    RecordDigester.TargetEventContent(
                        revision: revision, ordinal: event.ordinal, job: change.jobs[Int(job)],
                        identity: UInt64(bitPattern: event.identity), address: address,
                        collectorBefore: content(collectorBefore), collectorAfter: content(collectorAfter),
                        labelsBefore: before?.digest, labelsAfter: after?.digest, reason: event.reason,
                        flags: event.flags)))
            let isSame = event.labelSetBefore == event.labelSetAfter
            change.targets.append(
                RecordedChange.Target(
                    job: job, identity: TargetIdentity(rawValue: UInt64(bitPattern: event.identity)),
                    before: before.map { _ in RecordedChange.Before(collector: collectorBefore) },
                    after: after.map {
                        RecordedChange.After(labels: isSame ? nil : $0.labels, collector: collectorAfter)
                    }, reason: reason))
            labelsBefore.append(before?.digest)
            ids.targets.append(
                .init(
                    target: event.target, job: event.job, labelSetAfter: event.labelSetAfter, address: address))
        }

        mutating func add(_ event: CollectorEventRow) throws {
            guard let kind = CollectorChangeKind(rawValue: event.kind),
                let collector = try place(ofCollector: event.collector), let content = content(collector)
            else {
                throw LedgerError.corrupted("revision \(revision) holds a collector event that is not known")
            }
            tree.append(
                digester.collectorEvent(
                    RecordDigester.CollectorEventContent(
                        revision: revision, ordinal: event.ordinal, kind: event.kind, collector: content,
                        node: event.node, evidence: event.evidence)))
            change.events.append(
                RecordedChange.CollectorEvent(
                    kind: kind, collector: collector, node: event.node, evidence: event.evidence))
        }

        private mutating func place(ofJob id: Int32) throws -> Int32 {
            if let place = jobs[id] { return place }
            guard let name = reader.names.jobs[id] else {
                throw LedgerError.corrupted("revision \(revision) names job \(id), which does not exist")
            }
            let place = Int32(change.jobs.count)
            change.jobs.append(name)
            jobs[id] = place
            return place
        }

        private mutating func place(ofCollector id: Int32) throws -> Int32? {
            guard id != 0 else { return nil }
            if let place = collectors[id] { return place }
            guard let collector = reader.names.collectors[id] else {
                throw LedgerError.corrupted("revision \(revision) names collector \(id), which does not exist")
            }
            let place = Int32(change.collectors.count)
            change.collectors.append(collector)
            collectors[id] = place
            return place
        }

        private func content(_ place: Int32?) -> RecordDigester.CollectorContent? {
            place.map {
                let collector = change.collectors[Int($0)]
                return RecordDigester.CollectorContent(name: collector.name, uid: collector.uid ?? "")
            }
        }

        private func labels(_ id: Int32) throws -> (digest: Digest32, labels: LabelSet?)? {
            guard id != 0 else { return nil }
            guard let set = reader.labelSets[id] else {
                throw LedgerError.corrupted("revision \(revision) names label set \(id), which does not exist")
            }
            return set
        }
    }
}

extension RevisionReader.RevisionRow {
    init(_ row: PostgresRow) throws {
        func digest(_ column: Int) throws -> Digest32 {
            guard let digest = Digest32(try row.decode(column, as: [UInt8].self)) else {
                throw LedgerError.corrupted("a digest in ledger.revision has not 32 bytes")
            }
            return digest
        }
        head = try LedgerQueries.head(row)
        changeID = try row.decode(4)
        cause = try row.decode(5)
        causeDetail = try row.decode(6)
        occurredAt = try row.decode(7)
        replica = try row.decode(8)
        ring = try row.decode(9)
        configuration = try row.decode(10)
        counts = RevisionCounts(
            targetsAdded: try row.decode(11), targetsRemoved: try row.decode(12), targetsMoved: try row.decode(13),
            targetsRelabelled: try row.decode(14), targetEvents: try row.decode(15),
            collectorEvents: try row.decode(16))
        eventsDigest = try digest(17)
        previousDigest = try digest(18)
    }

    var link: FollowerLog.Link {
        FollowerLog.Link(
            revision: head.revision.number, previousDigest: previousDigest, digest: head.digest,
            unused: ForkRepair.unused(before: head.revision, cause: cause, detail: causeDetail))
    }
}
