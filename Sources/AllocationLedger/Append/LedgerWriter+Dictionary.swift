//
// LedgerWriter+Dictionary.swift: turns a change's contents into stored ids, adding what is not stored yet.
//

import AllocationCore
import Logging
import PostgresDriver

extension LedgerWriter {
    // MARK: Resolving

    /// Finds the ids of all that the draft names, and lists what has to be added first.
    func findAdditions(
        _ draft: RevisionDraft, _ connection: PostgresConnection
    ) async throws -> DictionaryAdditions {
        if mustReadHighest { try await readHighest(connection) }
        var additions = DictionaryAdditions()
        try await resolveNames(draft, &additions, connection)
        try await findLabelSets(draft.change, &additions, connection)
        try await findTargets(draft.change, &additions, connection)
        return additions
    }

    /// Adds what is not stored yet, and meanwhile, while PostgreSQL takes it in, numbers and hashes the events.
    func resolve(
        _ draft: RevisionDraft, adding additions: DictionaryAdditions, _ token: FencingToken,
        _ connection: PostgresConnection
    ) async throws -> ResolvedChange {
        if additions.isEmpty { return resolved(draft, additions) }
        let write = dictionaryWrite(additions)
        // From here on ids may be in the database that are not known here.
        mustReadHighest = true
        async let written: Void = run(write, token, connection)
        let resolved = resolved(draft, additions)
        try await written
        mustReadHighest = false
        take(additions)
        return resolved
    }

    /// Writes a flood with a second session: the server uses a processor for each.
    private nonisolated func run(
        _ write: DictionaryWrite, _ token: FencingToken, _ connection: PostgresConnection
    ) async throws {
        guard write.rowCount > DictionaryWrite.rowsAtOnceMax else {
            return try await write.run(fencedBy: token, on: [connection])
        }
        let second: PostgresConnection?
        do {
            second = try await PostgresConnection.connect(
                configuration, logger: logger, executor: Self.secondExecutor)
        } catch {
            // A server may have none left to give; one does it too.
            logger.debug("no second session for the dictionaries: \(error)")
            second = nil
        }
        let outcome: Result<Void, any Error>
        do {
            outcome = .success(try await write.run(fencedBy: token, on: [connection, second].compactMap(\.self)))
        } catch {
            outcome = .failure(error)
        }
        await second?.close()
        try outcome.get()
    }

    private func readHighest(_ connection: PostgresConnection) async throws {
        dictionary.highest = try await LedgerReader.highest(connection)
        dictionary.isComplete = .init()
        mustReadHighest = false
    }

    /// Jobs, collectors, configuration and rule: few, so always asked for when unknown.
    private func resolveNames(
        _ draft: RevisionDraft, _ additions: inout DictionaryAdditions, _ connection: PostgresConnection
    ) async throws {
        let change = draft.change
        var jobs: Set<String> = []
        var collectors: Set<Collector> = []
        var lastJob: JobNumber?
        for target in change.targets {
            if target.job != lastJob {
                lastJob = target.job
                jobs.insert(change.jobs[Int(target.job.rawValue)])
            }
            for number in [target.before?.collector, target.after?.collector] {
                if let number { collectors.insert(LedgerDictionary.key(change.collectorTable[Int(number.rawValue)])) }
            }
        }
        for event in change.collectors {
            collectors.insert(LedgerDictionary.key(change.collectorTable[Int(event.collector.rawValue)]))
        }
        let unknownJobs = jobs.filter { dictionary.jobs[$0] == nil }.sorted(by: ByteOrder.precedes)
        for name in unknownJobs { try StorableText.require(name, "the job") }
        if !unknownJobs.isEmpty {
            let rows = try await connection.query(
                "SELECT id, name FROM ledger.job WHERE name = ANY(\(unknownJobs))")
            for row in rows {
                dictionary.jobs[try row.decode(1, as: String.self)] = try row.decode(0, as: Int32.self)
            }
            additions.jobs = unknownJobs.filter { dictionary.jobs[$0] == nil }
        }
        let unknown = collectors.filter { dictionary.collectors[$0] == nil }
        for collector in unknown {
            try StorableText.require(collector.name, "the collector")
            try StorableText.require(collector.uid ?? "", "the uid of a collector,")
        }
        if !unknown.isEmpty {
            let rows = try await connection.query(
                "SELECT id, name, uid FROM ledger.collector WHERE name = ANY(\(unknown.map(\.name)))")
            for row in rows {
                let uid = try row.decode(2, as: String.self)
                let key = Collector(name: try row.decode(1, as: String.self), uid: uid.isEmpty ? nil : uid)
                dictionary.collectors[key] = try row.decode(0, as: Int32.self)
            }
            additions.collectors = unknown.filter { dictionary.collectors[$0] == nil }
                .sorted { ByteOrder.precedes($0.name, $1.name) }
        }
        try await resolveRules(draft, &additions, connection)
    }

    private func resolveRules(
        _ draft: RevisionDraft, _ additions: inout DictionaryAdditions, _ connection: PostgresConnection
    ) async throws {
        if let record = draft.configuration, dictionary.configurations[record.digest] == nil {
            let rows = try await connection.query(
                "SELECT id FROM ledger.configuration WHERE digest = \(record.digest.bytes)")
            if let row = rows.first {
                dictionary.configurations[record.digest] = try row.decode(0, as: Int32.self)
            } else {
                additions.configuration = record
            }
        }
        var digester = RecordDigester()
        let ring = digester.ring(draft.change.placement)
        if dictionary.rings[ring] == nil {
            let rows = try await connection.query("SELECT id FROM ledger.ring WHERE digest = \(ring.bytes)")
            if let row = rows.first {
                dictionary.rings[ring] = try row.decode(0, as: Int32.self)
            } else {
                additions.ring = (draft.change.placement, ring)
            }
        }
    }

    /// Finds the label sets that are new, and the labels in them that are.
    private func findLabelSets(
        _ change: AllocationChange, _ additions: inout DictionaryAdditions, _ connection: PostgresConnection
    ) async throws {
        var unknownSets: ContiguousArray<LabelSet> = []
        var seen: Set<LabelSetKey> = []
        for target in change.targets {
            // A state before may be unknown too: another target that shared it let it go since.
            for labels in [target.before?.labels, target.after?.labels] {
                guard let labels else { continue }
                let key = LabelSetKey(labels: labels)
                guard dictionary.labelSets[key] == nil, seen.insert(key).inserted else { continue }
                unknownSets.append(labels)
            }
        }
        var unknown = await digested(unknownSets)
        if !dictionary.isComplete.labelSets {
            for start in stride(from: 0, to: unknown.count, by: 10_000) {
                let part = unknown[start..<min(start + 10_000, unknown.count)]
                // One round trip, and one transaction.
                let rows = try await connection.pipeline([
                    LedgerQueries.byKeysAlone,
                    """
                    SELECT u.place, s.id FROM unnest(\(part.map(\.digest.bytes))) WITH ORDINALITY AS u(digest, place) \
                    JOIN ledger.label_set s ON s.digest = u.digest
                    """,
                ])
                for row in rows[1] {
                    let place = Int(try row.decode(0, as: Int64.self)) - 1
                    dictionary.labelSets[LabelSetKey(labels: part[part.startIndex + place].labels)] =
                        try row.decode(1, as: Int32.self)
                }
            }
            unknown = unknown.filter { dictionary.labelSets[LabelSetKey(labels: $0.labels)] == nil }
        }
        unknown.sort { Digest32.precedes($0.digest, $1.digest) }
        var given = LabelMarks()
        for place in unknown.indices {
            for id in unknown[place].labels.ids where dictionary.label(id) == 0 && given.insert(id) {
                additions.labels.append(id)
            }
            unknown[place].labelsThrough = Int32(additions.labels.count)
        }
        additions.labelSets = unknown
    }

    /// Hashes many label sets on all cores.
    private nonisolated func digested(
        _ sets: ContiguousArray<LabelSet>
    ) async -> ContiguousArray<DictionaryAdditions.NewLabelSet> {
        let (table, width) = (table, 8192)
        let part: @Sendable (Range<Int>) -> ContiguousArray<DictionaryAdditions.NewLabelSet> = { range in
            var digester = RecordDigester()
            return ContiguousArray(
                sets[range].map { .init(labels: $0, digest: digester.labelSet($0, in: table)) })
        }
        guard sets.count > width else { return part(sets.indices) }
        return await withTaskGroup { group in
            for start in stride(from: 0, to: sets.count, by: width) {
                group.addTask { (start, part(start..<min(start + width, sets.count))) }
            }
            var parts: [Int: ContiguousArray<DictionaryAdditions.NewLabelSet>] = [:]
            for await (start, part) in group { parts[start] = part }
            var all: ContiguousArray<DictionaryAdditions.NewLabelSet> = []
            all.reserveCapacity(sets.count)
            for start in parts.keys.sorted() { all += parts[start] ?? [] }
            return all
        }
    }

    private func findTargets(
        _ change: AllocationChange, _ additions: inout DictionaryAdditions, _ connection: PostgresConnection
    ) async throws {
        let jobs = jobIDs(change, additions)
        var unknown: ContiguousArray<DictionaryAdditions.NewTarget> = []
        for target in change.targets {
            let job = jobs[Int(target.job.rawValue)]
            guard dictionary.targets[TargetKey(job: job, identity: target.identity.rawValue)] == nil else { continue }
            unknown.append(
                .init(job: job, identity: target.identity, address: (target.after ?? target.before)?.address))
        }
        unknown.sort(by: DictionaryAdditions.NewTarget.precedes)
        if !dictionary.isComplete.targets {
            for start in stride(from: 0, to: unknown.count, by: 10_000) {
                try await lookUp(unknown[start..<min(start + 10_000, unknown.count)], connection)
            }
            unknown = unknown.filter {
                dictionary.targets[TargetKey(job: $0.job, identity: $0.identity.rawValue)] == nil
            }
        }
        additions.targets = unknown
    }

    /// Finds targets that were there before.
    private func lookUp(
        _ targets: ArraySlice<DictionaryAdditions.NewTarget>, _ connection: PostgresConnection
    ) async throws {
        let rows = try await connection.pipeline([
            LedgerQueries.byKeysAlone,
            """
            SELECT u.place, t.id, t.address FROM unnest(\(targets.map(\.job)), \
            \(targets.map { Int64(bitPattern: $0.identity.rawValue) })) WITH ORDINALITY AS u(job, identity, place) \
            JOIN ledger.target t ON t.job = u.job AND t.identity = u.identity
            """,
        ])
        for row in rows[1] {
            let target = targets[targets.startIndex + Int(try row.decode(0, as: Int64.self)) - 1]
            let id = try row.decode(1, as: Int32.self)
            dictionary.targets[TargetKey(job: target.job, identity: target.identity.rawValue)] = id
            let stored = try row.decode(2, as: String.self)
            if stored != StorableText.address(target.address, in: table) { dictionary.storedAddresses[id] = stored }
        }
    }

    /// Ids by JobNumber; those of new jobs are the ones they will get.
    private func jobIDs(_ change: AllocationChange, _ additions: DictionaryAdditions) -> [Int32] {
        var new: [String: Int32] = [:]
        for (offset, name) in additions.jobs.enumerated() { new[name] = dictionary.highest.job + 1 + Int32(offset) }
        return change.jobs.map { dictionary.jobs[$0] ?? new[$0] ?? 0 }
    }

    // MARK: The events by id

    private func resolved(_ draft: RevisionDraft, _ additions: DictionaryAdditions) -> ResolvedChange {
        let change = draft.change
        var resolved = ResolvedChange()
        resolved.collectors = ContiguousArray(
            change.collectorTable.map { collector in
                let key = LedgerDictionary.key(collector)
                if let id = dictionary.collectors[key] { return id }
                let place = additions.collectors.firstIndex(of: key)
                return place.map { dictionary.highest.collector + 1 + Int32($0) } ?? 0
            })
        var digester = RecordDigester()
        resolved.ringDigest = digester.ring(change.placement)
        resolved.ring = dictionary.rings[resolved.ringDigest] ?? dictionary.highest.ring + 1
        resolve(&resolved, change, additions)
        hash(&resolved, draft, additions)
        return resolved
    }

    private func resolve(_ resolved: inout ResolvedChange, _ change: AllocationChange, _ additions: DictionaryAdditions)
    {
        let jobs = jobIDs(change, additions)
        var newLabelSets: [LabelSetKey: Int32] = [:]
        newLabelSets.reserveCapacity(additions.labelSets.count)
        for (offset, set) in additions.labelSets.enumerated() {
            newLabelSets[LabelSetKey(labels: set.labels)] = dictionary.highest.labelSet + 1 + Int32(offset)
        }
        var newTargets: [TargetKey: Int32] = [:]
        newTargets.reserveCapacity(additions.targets.count)
        for (offset, target) in additions.targets.enumerated() {
            newTargets[TargetKey(job: target.job, identity: target.identity.rawValue)] =
                dictionary.highest.target + 1 + Int32(offset)
        }
        func id(of labels: LabelSet?) -> Int32 {
            guard let labels else { return 0 }
            let key = LabelSetKey(labels: labels)
            return dictionary.labelSets[key] ?? newLabelSets[key] ?? 0
        }
        func id(of collector: CollectorNumber?) -> Int32 {
            collector.map { resolved.collectors[Int($0.rawValue)] } ?? 0
        }
        resolved.events.reserveCapacity(change.targets.count)
        for (place, target) in change.targets.enumerated() {
            let key = TargetKey(job: jobs[Int(target.job.rawValue)], identity: target.identity.rawValue)
            let flags = EventFlags(target)
            let before = id(of: target.before?.labels)
            let isRelabelled = !flags.isDisjoint(with: [.discovered, .vanished, .relabelled])
            resolved.events.append(
                ResolvedEvent(
                    change: Int32(place), target: dictionary.targets[key] ?? newTargets[key] ?? 0,
                    collectorBefore: id(of: target.before?.collector), collectorAfter: id(of: target.after?.collector),
                    labelSetBefore: before, labelSetAfter: isRelabelled ? id(of: target.after?.labels) : before,
                    reason: target.reason.rawValue, flags: flags.rawValue))
            if flags.contains(.discovered) { resolved.counts.targetsAdded += 1 }
            if flags.contains(.vanished) { resolved.counts.targetsRemoved += 1 }
            if flags.contains(.moved) { resolved.counts.targetsMoved += 1 }
            if flags.contains(.relabelled) { resolved.counts.targetsRelabelled += 1 }
        }
        resolved.events.sort { $0.target < $1.target }
        resolved.counts.targetEvents = Int32(change.targets.count)
        resolved.counts.collectorEvents = Int32(change.collectors.count)
    }

    /// Hashes the events in their order.
    private func hash(_ resolved: inout ResolvedChange, _ draft: RevisionDraft, _ additions: DictionaryAdditions) {
        let change = draft.change
        let revision = draft.number?.number ?? (head?.revision.number ?? 0) + 1
        let firstNewTarget = dictionary.highest.target + 1
        let newTargets = firstNewTarget..<firstNewTarget + Int32(additions.targets.count)
        let highestLabelSet = dictionary.highest.labelSet
        // Hashing the labels is most of the work, and for new sets it is done.
        func digest(of labels: LabelSet, _ id: Int32, _ digester: inout RecordDigester) -> Digest32 {
            // Another writer may have given numbers above those known here: such a set was found, and is none of the new.
            let place = Int(id - highestLabelSet) - 1
            return additions.labelSets.indices.contains(place)
                ? additions.labelSets[place].digest : digester.labelSet(labels, in: table)
        }
        let collectors = change.collectorTable.map {
            RecordDigester.CollectorContent(name: $0.name, uid: $0.uid ?? "")
        }
        var tree = MerkleTree()
        var digester = RecordDigester()
        for place in resolved.events.indices {
            let event = resolved.events[place]
            let target = change.targets[Int(event.change)]
            let before = target.before.map { digester.labelSet($0.labels, in: table) }
            let isSame = event.labelSetBefore == event.labelSetAfter
            let after = isSame ? before : target.after.map { digest(of: $0.labels, event.labelSetAfter, &digester) }
            let stored = storedAddress(target, event.target, isNew: newTargets.contains(event.target))
            let leaf = digester.targetEvent(
                RecordDigester.TargetEventContent(
                    revision: revision, ordinal: Int32(place), job: change.jobs[Int(target.job.rawValue)],
                    identity: target.identity.rawValue, address: stored,
                    collectorBefore: target.before?.collector.map { collectors[Int($0.rawValue)] },
                    collectorAfter: target.after?.collector.map { collectors[Int($0.rawValue)] },
                    labelsBefore: before, labelsAfter: after, reason: event.reason, flags: event.flags))
            resolved.events[place].leaf = leaf.prefix
            tree.append(leaf)
        }
        for (ordinal, event) in change.collectors.enumerated() {
            let collector = Int(event.collector.rawValue)
            let leaf = digester.collectorEvent(
                RecordDigester.CollectorEventContent(
                    revision: revision, ordinal: Int32(ordinal), kind: event.kind.rawValue,
                    collector: collectors[collector],
                    node: change.collectorTable[collector].nodeName.map { StorableText.mended($0) },
                    evidence: StorableText.mended(event.evidence)))
            resolved.collectorLeaves.append(leaf.prefix)
            tree.append(leaf)
        }
        resolved.eventsDigest = tree.root
    }

    /// The address in the target's row: a new one has the target's, an old one that of its first day.
    private func storedAddress(_ change: TargetChange, _ target: Int32, isNew: Bool) -> String {
        if isNew { return StorableText.address((change.after ?? change.before)?.address, in: table) }
        if let stored = dictionary.storedAddresses[target] { return stored }
        let stored = StorableText.address((change.before ?? change.after)?.address, in: table)
        if let before = change.before, let after = change.after, before.address != after.address {
            dictionary.storedAddresses[target] = stored
        }
        return stored
    }

    // MARK: Adding

    private func dictionaryWrite(_ additions: DictionaryAdditions) -> DictionaryWrite {
        var labels = dictionary
        for (offset, id) in additions.labels.enumerated() {
            labels.setLabel(id, dictionary.highest.label + 1 + Int32(offset))
        }
        return DictionaryWrite(
            additions: additions, highest: dictionary.highest, labels: labels.labels, table: table)
    }

    /// Only when all rows are known to be committed do their ids count.
    private func take(_ additions: DictionaryAdditions) {
        for id in additions.labels {
            dictionary.highest.label += 1
            dictionary.setLabel(id, dictionary.highest.label)
        }
        for set in additions.labelSets {
            dictionary.highest.labelSet += 1
            dictionary.labelSets[LabelSetKey(labels: set.labels)] = dictionary.highest.labelSet
        }
        for job in additions.jobs {
            dictionary.highest.job += 1
            dictionary.jobs[job] = dictionary.highest.job
        }
        for target in additions.targets {
            dictionary.highest.target += 1
            dictionary.targets[TargetKey(job: target.job, identity: target.identity.rawValue)] =
                dictionary.highest.target
        }
        for collector in additions.collectors {
            dictionary.highest.collector += 1
            dictionary.collectors[collector] = dictionary.highest.collector
        }
        if let record = additions.configuration {
            dictionary.highest.configuration += 1
            dictionary.configurations[record.digest] = dictionary.highest.configuration
        }
        if let ring = additions.ring {
            dictionary.highest.ring += 1
            dictionary.rings[ring.digest] = dictionary.highest.ring
        }
    }
}
