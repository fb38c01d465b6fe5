//
// MoveQuery.swift: when and why targets came to another collector, read from the database alone.
//

import AllocationCore
import Logging
import PostgresDriver

/// One target's way from one collector, or none, to another, or none.
package struct Move: Sendable, Hashable {
    package var at: Timestamp
    package var revision: Int64
    package var ordinal: Int32
    package var job: String
    package var address: String
    package var identity: TargetIdentity
    package var from: String?
    package var to: String?
    package var reason: String
    package var cause: String
    package var causeDetail: String
    /// The ring's partition of the address; nil without a ring.
    package var partition: Int?
    /// Who owned that partition before this revision; nil without a ring or before the first.
    package var ownerBefore: String?
    /// Who owned it from this revision on; nil without a ring or without collectors.
    package var ownerAfter: String?

    /// Neither collector joined or left.
    package var isCascade: Bool { kind == .cascade }
    /// Nil for what is no consequence of a collector.
    package var kind: MoveKind? { MoveKind(Reason(code: reason)) }

    init(_ event: TargetEvent) {
        at = event.at
        revision = event.revision
        ordinal = event.ordinal
        job = event.target.job
        address = event.target.address
        identity = event.target.identity
        from = event.from
        to = event.to
        reason = event.reason
        cause = event.cause
        causeDetail = event.causeDetail
        partition = event.ring?.partition
        ownerBefore = event.ring?.ownerBefore
        ownerAfter = event.ring?.ownerAfter
    }
}

/// Which moves are wanted. Empty: all, newest first, those of one revision in the order of their ordinals.
package struct MoveQuery: Sendable {
    package var since: Timestamp?
    /// Before this time.
    package var until: Timestamp?
    /// A part of the address.
    package var target: String?
    package var identity: TargetIdentity?
    package var job: String?
    /// Came from or went to this collector.
    package var collector: String?
    package var reason: Reason?
    /// Labels after the move, or before it where the target vanished.
    package var selection: LabelSelection?
    package var limit: Int
    package var after: EventCursor?

    package init(
        since: Timestamp? = nil, until: Timestamp? = nil, target: String? = nil, identity: TargetIdentity? = nil,
        job: String? = nil, collector: String? = nil, reason: Reason? = nil, selection: LabelSelection? = nil,
        limit: Int = 1000, after: EventCursor? = nil
    ) {
        self.since = since
        self.until = until
        self.target = target
        self.identity = identity
        self.job = job
        self.collector = collector
        self.reason = reason
        self.selection = selection
        self.limit = limit
        self.after = after
    }

    /// Over a session of its own.
    ///
    /// - Returns: At most `limit` moves, newest first.
    /// - Throws: ``LedgerError``.
    package func run(_ configuration: PostgresConfiguration, logger: Logger) async throws -> [Move] {
        try await HistoryReader(configuration, logger: logger).read { connection in
            var query = self
            var moves: [Move] = []
            while moves.count < limit {
                query.limit = min(limit - moves.count, PageLimit.rowsMax)
                let page = try await query.run(connection)
                moves += page.items
                guard let next = page.next else { break }
                query.after = next
            }
            return moves
        }
    }

    /// - Returns: At most `limit` moves.
    /// - Throws: ``HistoryError/compacted(oldest:)`` when what the cursor names has been removed.
    package func run(_ connection: isolated PostgresConnection) async throws -> HistoryPage<Move, EventCursor> {
        let page = try await events(connection)
        return HistoryPage(items: page.items.map { Move($0) }, next: page.next)
    }

    /// The same as whole events.
    package func events(
        _ connection: isolated PostgresConnection
    ) async throws -> HistoryPage<TargetEvent, EventCursor> {
        var filter = EventFilter(
            window: HistoryWindow(since: since, until: until), movesOnly: true, address: target, reason: reason,
            selection: selection)
        if let job {
            guard let number = try await NameReader.job(named: job, connection) else {
                return HistoryPage(items: [], next: nil)
            }
            filter.job = number
        }
        if let collector {
            let numbers = try await NameReader.collectors(named: collector, connection)
            guard !numbers.isEmpty else { return HistoryPage(items: [], next: nil) }
            filter.collectors = numbers
        }
        if let identity {
            let targets = try await TargetLookup.find(identity: identity, job: job, connection)
            guard !targets.isEmpty else { return HistoryPage(items: [], next: nil) }
            filter.targets = targets.map(\.number)
        }
        var page = try await EventScan(filter).page(limit: limit, after: after, connection)
        try await HandoverReader.add(to: &page.items, connection)
        return page
    }
}
