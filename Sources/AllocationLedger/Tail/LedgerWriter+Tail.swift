//
// LedgerWriter+Tail.swift: the session of a process that may have to write, put to use while another one does.
//
// It reads what that one records, and learns on the way what it would have to read before it writes itself: the tip, and
// the ids of all that is current. So a follower that is at the head begins to lead without loading anything.
//

import AllocationCore
import PostgresDriver

extension LedgerWriter {
    /// Reads what is behind `applied`, in one snapshot.
    ///
    /// - Parameter decide: Given what that snapshot shows, says whether and how far to read on.
    /// - Throws: ``LedgerError/corrupted(_:)`` when a revision is not what its digest says; nothing of it was taken.
    package func tail(
        behind applied: LedgerHead?, decide: @Sendable (FollowerLog.Reading) -> FollowerLog.Decision
    ) async throws -> TailBatch {
        try await LedgerError.translating {
            let connection = try await connected()
            // One statement is one snapshot, and nearly always that is all. A server that does not answer must not hold
            // up a term that begins meanwhile.
            let row = try await connection.query(LedgerQueries.headStatement, deadline: .now + .seconds(5)).first
            let head = FollowerLog.Tip(try row.map { try LedgerQueries.head($0) })
            if head == FollowerLog.Tip(applied) || head.revision <= applied?.revision.number ?? 0 {
                return TailBatch(
                    decision: decide(FollowerLog.Reading(head: head, links: [])), revisions: [], configurations: [:])
            }
            let (table, names) = (table, tailNames)
            let (batch, known, labels) = try await connection.transaction(
                isolation: .repeatableRead, readOnly: true, deadline: .now + .seconds(30)
            ) { @Sendable connection -> (TailBatch, TailDictionary, [(label: LabelID, id: Int32)]) in
                let (reading, rows) = try await RevisionReader.readLinks(behind: applied, connection)
                let decision = decide(reading)
                guard case .apply(let count, let readMore) = decision else {
                    return (TailBatch(decision: decision, revisions: [], configurations: [:]), names, [])
                }
                let bounded = RevisionReader.bounded(rows, count: count)
                var reader = RevisionReader(table: table, names: names)
                let revisions = try await reader.read(rows[..<bounded], connection)
                return (
                    TailBatch(
                        decision: .apply(count: bounded, readMore: readMore || bounded < count), revisions: revisions,
                        configurations: Dictionary(
                            reader.names.configurations.values.map { ($0.digest, $0) },
                            uniquingKeysWith: { first, _ in first })),
                    reader.names, reader.learned
                )
            }
            tailNames = known
            for (label, id) in labels { dictionary.setLabel(label, id) }
            return batch
        }
    }

    /// The state here has been advanced by this revision: the next append goes on behind it.
    ///
    /// - Parameter change: What applying it returned.
    package func follow(_ revision: RecordedRevision, _ change: AllocationChange) {
        head = revision.head
        pending = nil
        // Others give the numbers meanwhile.
        mustReadHighest = true
        dictionary.isComplete = .init()
        currentConfiguration = revision.configuration.flatMap { digest in
            revision.ids.configuration.map { (id: $0, digest: digest) }
        }
        if let configuration = currentConfiguration {
            dictionary.configurations[configuration.digest] = configuration.id
        }
        dictionary.rings[revision.ids.ringDigest] = revision.ids.ring
        for (target, ids) in zip(change.targets, revision.ids.targets) {
            let key = TargetKey(job: ids.job, identity: target.identity.rawValue)
            dictionary.jobs[change.jobs[Int(target.job.rawValue)]] = ids.job
            if let before = target.before, before.labels != target.after?.labels {
                dictionary.labelSets[LabelSetKey(labels: before.labels)] = nil
            }
            guard let after = target.after else {
                dictionary.targets[key] = nil
                dictionary.storedAddresses[ids.target] = nil
                continue
            }
            dictionary.targets[key] = ids.target
            dictionary.labelSets[LabelSetKey(labels: after.labels)] = ids.labelSetAfter
            dictionary.storedAddresses[ids.target] =
                ids.address == StorableText.address(after.address, in: table) ? nil : ids.address
        }
    }

    /// Learns what only a writer needs, before the first append of a term that was followed into.
    ///
    /// - Returns: The tip; when it is not the one that was followed to, the state is to be brought there first.
    package func prepareToLead() async throws -> LedgerHead? {
        try await LedgerError.translating {
            let connection = try await connected()
            let tip = try await connection.transaction(isolation: .repeatableRead, readOnly: true) {
                @Sendable connection in try await Self.readTip(connection)
            }
            openRuns = tip.runs
            runsBeginAt = tip.runsBeginAt
            mustReadHighest = true
            dictionary.isComplete = .init()
            return tip.head
        }
    }
}
