//
// WhyQuery.swift: the decision that was in force for a target: who took it, from what, and how it follows.
//
// The decision is the last event up to the moment that changed the target's collector. Its revision names the placement
// rule; a ring's rule is computed again from its members and version, and the result is compared with the recorded owner.
//

import AllocationCore
import PostgresDriver

/// Why a target was where it was.
package struct Decision: Sendable, Hashable {
    /// How a ring came to the owner.
    package struct Ring: Sendable, Hashable {
        package var version: String
        package var members: [String]
        package var digest: Digest32
        package var note: String?
        /// What was hashed: the target's address, un-relabelled.
        package var key: String
        /// XXH64 of the key.
        package var hash: UInt64
        /// The hash modulo 1061.
        package var partition: Int
        /// As the ledger has it.
        package var owner: String?
        /// The owner without the load bound, and the full members that were passed; nil without members.
        package var walk: ConsistentHashRing.Explanation?
        /// Owner of the partition by the rule before the deciding revision; nil for the first, or without a ring.
        package var ownerBefore: String?
        package var membersBefore: [String]?
        /// Whether computing the ring again gives the recorded owner.
        package var isReproduced: Bool
    }

    /// How the targets were spread over the collectors once the decision was taken, where the strategy goes by that.
    package struct Balance: Sendable, Hashable {
        /// Collectors that were present.
        package var collectors: Int
        /// Targets, assigned or not.
        package var targets: Int64
        /// Targets of the collector that was chosen.
        package var ofCollector: Int64
        package var fewest: Int64
        package var most: Int64
    }

    package var target: RecordedTarget
    /// The revision that was asked about.
    package var point: RevisionPoint
    /// Whether the target was there.
    package var isPresent: Bool
    /// Who had it; nil: none.
    package var collector: String?
    package var labels: RecordedLabels?
    /// The event that put it there; nil where that has been removed or the target had not been found yet.
    package var event: TargetEvent?
    /// The revision of that event, with members and digests.
    package var revision: RevisionSummary?
    /// What the same revision did to collectors.
    package var collectorEvents: [CollectorEvent]
    /// Who had it before that event.
    package var previousCollector: String?
    /// Nil for a strategy without a ring.
    package var ring: Ring?
    /// Nil for a strategy that does not go by load, and without a collector.
    package var balance: Balance?
    /// The next event of the target after the moment: until when the decision held.
    package var until: RevisionPoint?
}

/// The decision in force for a target at a moment.
package struct WhyQuery: Sendable {
    package var identity: TargetIdentity
    package var job: String?
    package var point: RevisionPoint

    package init(identity: TargetIdentity, job: String? = nil, at point: RevisionPoint) {
        self.identity = identity
        self.job = job
        self.point = point
    }

    /// - Throws: ``HistoryError/unknown(_:)``, ``HistoryError/ambiguous(_:)``, ``HistoryError/compacted(oldest:)``.
    package func run(_ connection: isolated PostgresConnection) async throws -> Decision {
        try await RecordedBounds.read(connection).require(point.revision)
        let target = try await TargetLookup.one(identity: identity, job: job, connection)
        let state = try await StateWalk(at: point, connection).rows(.numbers([target.number]), connection).first
        var names = NameReader()
        try await names.read(jobs: [], collectors: [state?.collector.idOrNull], connection)
        var decision = Decision(
            target: target, point: point, isPresent: state != nil,
            collector: names.collector(state?.collector.idOrNull), labels: nil, event: nil, revision: nil,
            collectorEvents: [], previousCollector: nil, ring: nil, balance: nil,
            until: try await next(target.number, connection))
        if let state {
            var reader = LabelSetReader()
            try await reader.read([state.labelSet], connection)
            decision.labels = reader[state.labelSet]
        }
        guard let event = try await deciding(target.number, connection) else { return decision }
        let revision = try await RevisionQuery.one(Revision(event.revision), connection)
        decision.event = event
        decision.previousCollector = event.from
        decision.revision = revision
        decision.collectorEvents = try await RevisionEventsQuery(of: revision.point).collectors(connection)
        let key = decision.labels?["__address__"] ?? target.address
        decision.ring = try await ring(revision, key: key, connection)
        if revision.ringVersion == nil, let collector = event.to {
            decision.balance = try await balance(revision.point, collector, connection)
        }
        return decision
    }

    /// The last event up to the moment after which the target was with another collector than before, or none.
    private func deciding(
        _ target: Int32, _ connection: isolated PostgresConnection
    ) async throws -> TargetEvent? {
        let row = try await connection.query(
            """
            SELECT \(EventRow.columns) FROM ledger.target_event e JOIN ledger.target t ON t.id = e.target \
            WHERE e.target = \(target) AND e.revision <= \(point.revision.number) AND e.at <= \(point.at) \
            AND (e.collector_before IS DISTINCT FROM e.collector_after \
            OR e.label_set_before IS NULL OR e.label_set_after IS NULL) ORDER BY e.revision DESC LIMIT 1
            """
        ).first.map { try EventRow($0) }
        guard let row else { return nil }
        var resolver = EventResolver()
        return try await resolver.resolve([row], connection).first
    }

    private func next(
        _ target: Int32, _ connection: isolated PostgresConnection
    ) async throws -> RevisionPoint? {
        try await connection.query(
            """
            SELECT revision, at FROM ledger.target_event WHERE target = \(target) \
            AND revision > \(point.revision.number) AND at > \(point.at) \
            AND (collector_before IS DISTINCT FROM collector_after OR label_set_after IS NULL) \
            ORDER BY revision LIMIT 1
            """
        ).first.map { RevisionPoint(revision: Revision(try $0.decode(0)), at: try $0.decode(1)) }
    }

    private func balance(
        _ point: RevisionPoint, _ collector: String, _ connection: isolated PostgresConnection
    ) async throws -> Decision.Balance? {
        let answer = try await CollectorsQuery(at: point).run(connection)
        let loads = answer.collectors.filter(\.isPresent).map(\.targets)
        guard let fewest = loads.min(), let most = loads.max(),
            let chosen = answer.collectors.first(where: { $0.name == collector })
        else { return nil }
        return Decision.Balance(
            collectors: loads.count, targets: answer.targets, ofCollector: chosen.targets, fewest: fewest, most: most)
    }

    private func ring(
        _ revision: RevisionSummary, key: String, _ connection: isolated PostgresConnection
    ) async throws -> Decision.Ring? {
        guard let version = revision.ringVersion else { return nil }
        let facts = try await RevisionFacts.read(
            [revision.revision: revision.at], connection)[revision.revision]
        var rings = RingReader()
        try await rings.read([facts?.ring, facts?.ringBefore], connection)
        let hash = XXH64.hash(key)
        let partition = ConsistentHashRing.partition(of: key)
        let recorded = rings[facts?.ring]?.owner(of: partition)
        let again = ConsistentHashRing.Version(rawValue: version).map {
            ConsistentHashRing(members: revision.members, version: $0)
        }
        let before = rings[facts?.ringBefore]
        return Decision.Ring(
            version: version, members: revision.members, digest: revision.ringDigest, note: revision.placementNote,
            key: key, hash: hash, partition: partition, owner: recorded, walk: again?.explain(partition: partition),
            ownerBefore: before?.owner(of: partition), membersBefore: before?.members,
            isReproduced: again.map { $0.owner(of: key) == recorded } ?? false)
    }
}
