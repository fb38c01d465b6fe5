//
// TargetHistoryQuery.swift: the whole life of a target, and of its endpoint across identities.
//
// Other labels make another identity: to the standard API one target vanishes and another appears. To whoever reviews an
// incident it is one target that was relabelled. Both ends lie in one revision and share job and address, which is how
// they are found here; where several identities of an endpoint change at once, those whose labels differ least belong
// together.
//

import AllocationCore
import PostgresDriver

/// What happened to a target, in pages of whole revisions.
package struct TargetHistoryQuery: Sendable {
    package enum Subject: Sendable, Hashable {
        /// One identity; the job where several have it.
        case target(TargetIdentity, job: String?)
        /// All identities of an endpoint.
        case endpoint(job: String, address: String)
        /// All identities of the endpoint that this target has.
        case endpointOf(TargetIdentity, job: String?)
    }

    package var subject: Subject
    package var window: HistoryWindow
    /// False: newest first.
    package var oldestFirst: Bool
    /// Also when owners learned of moves: each fetch on the page of the move that it tells of, in the order of time.
    package var withFetches: Bool
    /// Events; a page holds more where its last revision has more.
    package var limit: Int
    package var after: RevisionCursor?

    package init(
        _ subject: Subject, window: HistoryWindow = HistoryWindow(), oldestFirst: Bool = false,
        withFetches: Bool = false, limit: Int = PageLimit.rowsDefault, after: RevisionCursor? = nil
    ) {
        self.subject = subject
        self.window = window
        self.oldestFirst = oldestFirst
        self.withFetches = withFetches
        self.limit = limit
        self.after = after
    }

    /// A part of the story.
    package struct Answer: Sendable, Hashable {
        /// Every identity that the story is about, the latest first.
        package var targets: [RecordedTarget]
        package var page: HistoryPage<TargetEvent, RevisionCursor>
    }

    /// - Throws: ``HistoryError/unknown(_:)``, ``HistoryError/ambiguous(_:)``, ``HistoryError/compacted(oldest:)``.
    package func run(_ connection: isolated PostgresConnection) async throws -> Answer {
        let targets = try await targets(connection)
        let limit = PageLimit.clamped(limit)
        if !oldestFirst, let after {
            try await RecordedBounds.read(connection).require(Revision(after.revision))
        }
        let rows = try await rows(of: targets.map(\.number), limit, connection)
        var resolver = EventResolver()
        var events = try await resolver.resolve(rows, connection)
        try await addLabels(&events, connection)
        // With ties, so a page shorter than the limit is the last.
        let next = rows.count >= limit ? events.last.map { RevisionCursor(revision: $0.revision) } : nil
        try await HandoverReader.add(to: &events, connection)
        if withFetches { events = woven(events) }
        return Answer(targets: targets, page: HistoryPage(items: events, next: next))
    }

    private func woven(_ events: [TargetEvent]) -> [TargetEvent] {
        let fetches = events.flatMap(\.fetches)
        guard !fetches.isEmpty else { return events }
        return (oldestFirst ? events + fetches : fetches + events).enumerated().sorted {
            $0.element.at == $1.element.at ? $0.offset < $1.offset : ($0.element.at < $1.element.at) == oldestFirst
        }.map(\.element)
    }

    private func targets(_ connection: isolated PostgresConnection) async throws -> [RecordedTarget] {
        switch subject {
        case .target(let identity, let job):
            return [try await TargetLookup.one(identity: identity, job: job, connection)]
        case .endpoint(let job, let address):
            let targets = try await TargetLookup.find(job: job, address: address, connection)
            guard !targets.isEmpty else { throw HistoryError.unknown("target \(address) of job \(job)") }
            return targets
        case .endpointOf(let identity, let job):
            let target = try await TargetLookup.one(identity: identity, job: job, connection)
            return try await TargetLookup.find(job: target.job, address: target.address, connection)
        }
    }

    private func rows(
        of targets: [Int32], _ limit: Int, _ connection: isolated PostgresConnection
    ) async throws -> [EventRow] {
        var place = window.terms("e.at")
        if let after {
            place =
                oldestFirst
                ? "\(place) AND e.revision > \(after.revision)" : "\(place) AND e.revision < \(after.revision)"
        }
        let direction: SQL = oldestFirst ? "ASC" : "DESC"
        // Of a list the server cannot tell the length before it has it, and would plan anew for each: over the partitions
        // of a month that takes longer than reading.
        let subject: SQL = targets.count == 1 ? "e.target = \(targets[0])" : "e.target = ANY(\(targets))"
        return try await connection.query(
            """
            SELECT \(EventRow.columns) FROM ledger.target_event e JOIN ledger.target t ON t.id = e.target \
            WHERE \(subject)\(place) \
            ORDER BY e.revision \(direction) FETCH FIRST \(limit) ROWS WITH TIES
            """
        ).map { try EventRow($0) }.sorted {
            $0.revision == $1.revision
                ? $0.ordinal < $1.ordinal : ($0.revision < $1.revision) == oldestFirst
        }
    }

    // MARK: One story

    private func addLabels(_ events: inout [TargetEvent], _ connection: isolated PostgresConnection) async throws {
        var reader = LabelSetReader()
        let changed = events.filter {
            !$0.kinds.isDisjoint(with: [.relabelled, .discovered, .vanished])
        }
        try await reader.read(
            changed.lazy.flatMap { [$0.labelSetBefore, $0.labelSetAfter] }.compactMap { $0 }, connection)
        for index in events.indices where events[index].kinds.contains(.relabelled) {
            events[index].labels = reader.difference(
                from: events[index].labelSetBefore, to: events[index].labelSetAfter)
        }
        var start = events.startIndex
        while start < events.endIndex {
            var end = start + 1
            while end < events.endIndex, events[end].revision == events[start].revision { end += 1 }
            if end - start > 1 { Self.link(&events, start..<end, reader) }
            start = end
        }
    }

    /// Joins what vanished with what appeared in its place, in one revision.
    private static func link(_ events: inout [TargetEvent], _ range: Range<Int>, _ reader: LabelSetReader) {
        let gone = range.filter { events[$0].kinds.contains(.vanished) }
        let new = range.filter { events[$0].kinds.contains(.discovered) }
        guard !gone.isEmpty, !new.isEmpty else { return }
        // Bounds the comparisons; nobody follows so many at once.
        var pairs: [(distance: Int, gone: Int, new: Int, difference: LabelDifference)] = []
        for old in gone.prefix(linkedMax) {
            for other in new.prefix(linkedMax) {
                let difference = reader.difference(from: events[old].labelSetBefore, to: events[other].labelSetAfter)
                if let difference { pairs.append((difference.count, old, other, difference)) }
            }
        }
        pairs.sort { ($0.distance, $0.gone, $0.new) < ($1.distance, $1.gone, $1.new) }
        for pair in pairs where events[pair.gone].continuedBy == nil && events[pair.new].continues == nil {
            events[pair.gone].continuedBy = events[pair.new].target.identity
            events[pair.new].continues = events[pair.gone].target.identity
            events[pair.new].labels = pair.difference
        }
    }

    private static let linkedMax = 50
}
