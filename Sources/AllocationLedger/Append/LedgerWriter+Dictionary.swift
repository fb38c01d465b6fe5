//
// LedgerWriter+Dictionary.swift: turns a change's contents into stored ids, adding what is not stored yet.
//

import AllocationCore
import PostgresDriver

extension LedgerWriter {
    // MARK: Resolving

    /// Finds the ids of all that the draft names, and lists what has to be added first. Hashes the events on the way.
    func resolve(
        _ draft: RevisionDraft, _ connection: PostgresConnection
    ) async throws -> (ResolvedChange, DictionaryAdditions) {
        if mustReadHighest { try await readHighest(connection) }
        var additions = DictionaryAdditions()
        try await resolveNames(draft, &additions, connection)
        try await findLabels(draft.change, &additions, connection)
        try await findLabelSets(draft.change, &additions, connection)
        try await findTargets(draft.change, &additions, connection)
        return (try resolved(draft, additions), additions)
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
        if !unknownJobs.isEmpty {
            let rows = try await connection.query(
                "SELECT id, name FROM ledger.job WHERE name = ANY(\(unknownJobs))")
            for row in rows {
                dictionary.jobs[try row.decode(1, as: String.self)] = try row.decode(0, as: Int32.self)
            }
            additions.jobs = unknownJobs.filter { dictionary.jobs[$0] == nil }
        }
        let unknown = collectors.filter { dictionary.collectors[$0] == nil }
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

    private func findLabels(
        _ change: AllocationChange, _ additions: inout DictionaryAdditions, _ connection: PostgresConnection
    ) async throws {
        var unknown: ContiguousArray<LabelID> = []
        var seen = ContiguousArray<Bool>()
        for target in change.targets {
            guard let labels = target.after?.labels else { continue }
            for id in labels.ids where dictionary.label(id) == 0 {
                let index = Int(id.rawValue)
                if index >= seen.count {
                    seen.append(contentsOf: repeatElement(false, count: index + 1024 - seen.count))
                }
                guard !seen[index] else { continue }
                seen[index] = true
                unknown.append(id)
            }
        }
        if !dictionary.isComplete.labels {
            for start in stride(from: 0, to: unknown.count, by: 10_000) {
                let part = unknown[start..<min(start + 10_000, unknown.count)]
                let rows = try await connection.query(
                    """
                    SELECT u.place, l.id FROM unnest(\(part.map { table.name($0) }), \(part.map { table.value($0) })) \
                    WITH ORDINALITY AS u(name, value, place) JOIN ledger.label l \
                    ON hashtextextended(l.name || '=' || l.value, 0) = hashtextextended(u.name || '=' || u.value, 0) \
                    AND l.name = u.name AND l.value = u.value
                    """)
                for row in rows {
                    let place = Int(try row.decode(0, as: Int64.self)) - 1
                    dictionary.setLabel(part[part.startIndex + place], try row.decode(1, as: Int32.self))
                }
            }
            unknown = unknown.filter { dictionary.label($0) == 0 }
        }
        additions.labels = unknown
    }

    private func findLabelSets(
        _ change: AllocationChange, _ additions: inout DictionaryAdditions, _ connection: PostgresConnection
    ) async throws {
        var digester = RecordDigester()
        var unknown: ContiguousArray<DictionaryAdditions.NewLabelSet> = []
        var seen: Set<LabelSetKey> = []
        for target in change.targets {
            // A state before may be unknown too: loaded long ago and let go since.
            for labels in [target.before?.labels, target.after?.labels] {
                guard let labels else { continue }
                let key = LabelSetKey(labels: labels)
                guard dictionary.labelSets[key] == nil, seen.insert(key).inserted else { continue }
                unknown.append(.init(labels: labels, digest: digester.labelSet(labels, in: table)))
            }
        }
        if !dictionary.isComplete.labelSets {
            for start in stride(from: 0, to: unknown.count, by: 10_000) {
                let part = unknown[start..<min(start + 10_000, unknown.count)]
                let rows = try await connection.query(
                    """
                    SELECT u.place, s.id FROM unnest(\(part.map(\.digest.bytes))) WITH ORDINALITY AS u(digest, place) \
                    JOIN ledger.label_set s ON s.digest = u.digest
                    """)
                for row in rows {
                    let place = Int(try row.decode(0, as: Int64.self)) - 1
                    dictionary.labelSets[LabelSetKey(labels: part[part.startIndex + place].labels)] =
                        try row.decode(1, as: Int32.self)
                }
            }
            unknown = unknown.filter { dictionary.labelSets[LabelSetKey(labels: $0.labels)] == nil }
        }
        additions.labelSets = unknown
        additions.labelSetIDs.reserveCapacity(unknown.count)
        for (offset, set) in unknown.enumerated() {
            additions.labelSetIDs[LabelSetKey(labels: set.labels)] = dictionary.highest.labelSet + 1 + Int32(offset)
        }
    }

    private func findTargets(
        _ change: AllocationChange, _ additions: inout DictionaryAdditions, _ connection: PostgresConnection
    ) async throws {
        var unknown: ContiguousArray<DictionaryAdditions.NewTarget> = []
        for target in change.targets {
            // A job that is new has no target in the database.
            let job = dictionary.jobs[change.jobs[Int(target.job.rawValue)]]
            if let job, dictionary.targets[TargetKey(job: job, identity: target.identity.rawValue)] != nil { continue }
            let stored = job ?? newJob(change.jobs[Int(target.job.rawValue)], additions)
            unknown.append(
                .init(job: stored, identity: target.identity, address: (target.after ?? target.before)?.address))
        }
        if !dictionary.isComplete.targets {
            for start in stride(from: 0, to: unknown.count, by: 10_000) {
                let part = unknown[start..<min(start + 10_000, unknown.count)]
                let rows = try await connection.query(
                    """
                    SELECT t.job, t.identity, t.id FROM unnest(\(part.map(\.job)), \
                    \(part.map { Int64(bitPattern: $0.identity.rawValue) })) AS u(job, identity) \
                    JOIN ledger.target t ON t.job = u.job AND t.identity = u.identity
                    """)
                for row in rows {
                    let key = TargetKey(
                        job: try row.decode(0, as: Int32.self),
                        identity: UInt64(bitPattern: try row.decode(1, as: Int64.self)))
                    dictionary.targets[key] = try row.decode(2, as: Int32.self)
                }
            }
            unknown = unknown.filter {
                dictionary.targets[TargetKey(job: $0.job, identity: $0.identity.rawValue)] == nil
            }
        }
        additions.targets = unknown
    }

    private func newJob(_ name: String, _ additions: DictionaryAdditions) -> Int32 {
        // Every unknown job is in the list.
        dictionary.highest.job + 1 + Int32(additions.jobs.firstIndex(of: name) ?? 0)
    }

    // MARK: The events by id

    private func resolved(_ draft: RevisionDraft, _ additions: DictionaryAdditions) throws -> ResolvedChange {
        let change = draft.change
        var resolved = ResolvedChange()
        resolved.collectors = ContiguousArray(
            change.collectorTable.map { collector in
                let key = LedgerDictionary.key(collector)
                if let id = dictionary.collectors[key] { return id }
                let place = additions.collectors.firstIndex(of: key)
                return place.map { dictionary.highest.collector + 1 + Int32($0) } ?? 0
            })
        if let record = draft.configuration {
            resolved.configuration = dictionary.configurations[record.digest] ?? dictionary.highest.configuration + 1
        }
        var digester = RecordDigester()
        resolved.ringDigest = digester.ring(change.placement)
        resolved.ring = dictionary.rings[resolved.ringDigest] ?? dictionary.highest.ring + 1

        let digests = Dictionary(
            additions.labelSets.map { (LabelSetKey(labels: $0.labels), $0.digest) }, uniquingKeysWith: { a, _ in a })
        func labelSet(_ labels: LabelSet?) -> (id: Int32, digest: Digest32?) {
            guard let labels else { return (0, nil) }
            let key = LabelSetKey(labels: labels)
            let id = dictionary.labelSets[key] ?? additions.labelSetIDs[key] ?? 0
            return (id, digests[key] ?? digester.labelSet(labels, in: table))
        }
        resolved.targets.reserveCapacity(change.targets.count)
        var nextTarget = dictionary.highest.target + 1
        var eventDigester = RecordDigester()
        for target in change.targets {
            let jobName = change.jobs[Int(target.job.rawValue)]
            let job = dictionary.jobs[jobName] ?? newJob(jobName, additions)
            if let id = dictionary.targets[TargetKey(job: job, identity: target.identity.rawValue)] {
                resolved.targets.append(id)
            } else {
                // New targets are added in the order of their events.
                resolved.targets.append(nextTarget)
                nextTarget += 1
            }
            let after = labelSet(target.after?.labels)
            let before = target.before?.labels == target.after?.labels ? after : labelSet(target.before?.labels)
            resolved.labelSetsBefore.append(before.id)
            resolved.labelSetsAfter.append(after.id)
            let content = RecordDigester.TargetEventContent(
                job: jobName, identity: target.identity.rawValue,
                collectorBefore: name(target.before?.collector, change),
                collectorAfter: name(target.after?.collector, change), labelsBefore: before.digest,
                labelsAfter: after.digest, reason: target.reason.rawValue, flags: 0)
            resolved.tree.append(eventDigester.targetEvent(content))
        }
        for event in change.collectors {
            let collector = change.collectorTable[Int(event.collector.rawValue)]
            resolved.tree.append(
                eventDigester.collectorEvent(
                    kind: event.kind.rawValue, name: collector.name, uid: collector.uid ?? "",
                    node: collector.nodeName, evidence: event.evidence))
        }
        return resolved
    }

    private func name(_ number: CollectorNumber?, _ change: AllocationChange) -> String? {
        number.map { change.collectorTable[Int($0.rawValue)].name }
    }

    // MARK: Adding

    /// Writes new dictionary rows in a fenced transaction of their own. Only when it is known to be committed do their
    /// ids count.
    func add(
        _ additions: DictionaryAdditions, _ token: FencingToken, _ connection: PostgresConnection
    ) async throws {
        let highest = dictionary.highest
        let write = DictionaryWrite(additions: additions, highest: highest, dictionary: dictionary, table: table)
        mustReadHighest = true
        try await connection.transaction { @Sendable connection in
            try await LedgerQueries.fence(token, connection)
            try await write.run(connection)
        }
        mustReadHighest = false
        take(additions)
    }

    private func take(_ additions: DictionaryAdditions) {
        for id in additions.labels {
            dictionary.highest.label += 1
            dictionary.setLabel(id, dictionary.highest.label)
        }
        dictionary.labelSets.merge(additions.labelSetIDs) { old, _ in old }
        dictionary.highest.labelSet += Int32(additions.labelSets.count)
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
