//
// EventScan.swift: target events, newest first, with what is asked of them.
//
// Revisions are walked from the newest on, and events are read for as many of them at a time as hold about a page: their
// rows say how many each has. So a page costs what it shows, whatever the age of the ledger, and a first start with a
// million events is read in the order of its index. Events of few targets are found by the index on targets instead.
//

import AllocationCore
import PostgresDriver

/// What is asked of an event, by numbers.
struct EventFilter: Sendable {
    var window = HistoryWindow()
    /// Another collector after than before, by name.
    var movesOnly = false
    var targets: [Int32]?
    /// A part of the address.
    var address: String?
    var job: Int32?
    var collectors: [Int32]?
    var reason: Reason?
    var selection: LabelSelection?

    /// `AND`-terms on `e`, an event, and `t`, its target.
    var terms: SQL { "\(eventTerms)\(targetTerms)" }

    var namesTargets: Bool { address != nil || job != nil }

    private var targetTerms: SQL {
        var terms: SQL = ""
        if let address { terms = "\(terms) AND strpos(t.address, \(address)) > 0" }
        if let job { terms = "\(terms) AND t.job = \(job)" }
        return terms
    }

    private var eventTerms: SQL {
        var terms: SQL = ""
        if movesOnly { terms = "\(terms) AND e.collector_before IS DISTINCT FROM e.collector_after" }
        if let targets { terms = "\(terms) AND e.target = ANY(\(targets))" }
        if let collectors {
            terms = "\(terms) AND (e.collector_before = ANY(\(collectors)) OR e.collector_after = ANY(\(collectors)))"
        }
        if let reason { terms = "\(terms) AND e.reason = \(reason.rawValue)" }
        return terms
    }
}

/// One walk over the events.
struct EventScan {
    private let filter: EventFilter
    private var resolver = EventResolver()
    private var labels: LabelSetFilter?
    private var found: [TargetEvent] = []

    init(_ filter: EventFilter) { self.filter = filter }

    /// - Returns: At most `limit` events, revisions newest first, ordinals in their order.
    consuming func page(
        limit: Int, after: EventCursor?, _ connection: isolated PostgresConnection
    ) async throws -> HistoryPage<TargetEvent, EventCursor> {
        let bounds: RecordedBounds
        do {
            bounds = try await RecordedBounds.read(connection)
        } catch HistoryError.nothingRecorded {
            return HistoryPage(items: [], next: nil)
        }
        try bounds.require(after.map { Revision($0.revision) })
        if let selection = filter.selection, !selection.isEverything {
            labels = try await LabelSetFilter(selection, connection)
        }
        let limit = PageLimit.clamped(limit)
        if filter.targets != nil {
            try await readByTarget(limit + 1, after, connection)
        } else {
            try await readByRevision(limit + 1, after, connection)
        }
        guard found.count > limit else { return HistoryPage(items: found, next: nil) }
        return HistoryPage(items: Array(found.prefix(limit)), next: found[limit - 1].cursor)
    }

    // MARK: By revision

    /// Revisions with events, newest first.
    private struct Stretch {
        var facts: [(revision: Int64, facts: RevisionFacts)]
        var events: Int
    }

    private static let revisions = (min: 256, max: 16_384)

    private mutating func readByRevision(
        _ wanted: Int, _ after: EventCursor?, _ connection: isolated PostgresConnection
    ) async throws {
        var cursor = after
        var upTo = Timestamp.distantFuture
        if let after { upTo = try await Instant.revision(Revision(after.revision)).resolve(connection).at }
        var batch = Self.revisions.min
        var eventsPerRead = max(2 * wanted, 2000)
        while found.count < wanted {
            let revisions = try await revisions(upTo: upTo, batch, connection)
            guard let last = revisions.last else { return }
            upTo = last.facts.at.advanced(by: .microseconds(-1))
            batch = min(4 * batch, Self.revisions.max)
            for stretch in Self.stretches(revisions, eventsPerRead) {
                try await read(stretch, cursor, wanted, connection)
                guard found.count < wanted else { return }
                cursor = nil
                eventsPerRead = min(4 * eventsPerRead, 1_000_000)
            }
        }
    }

    private func revisions(
        upTo: Timestamp, _ count: Int, _ connection: isolated PostgresConnection
    ) async throws -> [(revision: Int64, facts: RevisionFacts)] {
        // One more than asked for, for the rule that was in force before the last.
        let rows = try await connection.query(
            """
            SELECT revision, at, cause, cause_detail, ring, target_events FROM ledger.revision \
            WHERE at <= \(upTo)\(HistoryWindow(until: filter.window.until).terms("at")) \
            ORDER BY at DESC LIMIT \(count + 1)
            """)
        var result: [(revision: Int64, facts: RevisionFacts)] = []
        result.reserveCapacity(rows.count)
        for row in rows {
            let ring = try row.decode(4, as: Int32.self)
            if let last = result.indices.last { result[last].facts.ringBefore = ring }
            guard result.count < count else { break }
            let at = try row.decode(1, as: Timestamp.self)
            if let since = filter.window.since, at < since { break }
            result.append(
                (
                    try row.decode(0),
                    RevisionFacts(
                        at: at, cause: try row.decode(2), causeDetail: try row.decode(3), ring: ring, ringBefore: nil,
                        targetEvents: try row.decode(5))
                ))
        }
        return result
    }

    /// Neighbours that hold about `events` events together.
    private static func stretches(
        _ revisions: [(revision: Int64, facts: RevisionFacts)], _ events: Int
    ) -> [Stretch] {
        var stretches: [Stretch] = []
        for entry in revisions where entry.facts.targetEvents > 0 {
            let count = Int(entry.facts.targetEvents)
            if let last = stretches.indices.last, stretches[last].events + count <= events {
                stretches[last].facts.append(entry)
                stretches[last].events += count
            } else {
                stretches.append(Stretch(facts: [entry], events: count))
            }
        }
        return stretches
    }

    private mutating func read(
        _ stretch: Stretch, _ after: EventCursor?, _ wanted: Int, _ connection: isolated PostgresConnection
    ) async throws {
        guard let newest = stretch.facts.first, let oldest = stretch.facts.last else { return }
        let facts = Dictionary(uniqueKeysWithValues: stretch.facts.map { ($0.revision, $0.facts) })
        var cursor = after
        while found.count < wanted {
            let count = wanted - found.count
            var place: SQL =
                stretch.facts.count == 1
                ? "e.revision = \(newest.revision) AND e.at = \(newest.facts.at)"
                : """
                e.revision >= \(oldest.revision) AND e.revision <= \(newest.revision) \
                AND e.at >= \(oldest.facts.at) AND e.at <= \(newest.facts.at)
                """
            if let cursor {
                place = """
                    \(place) AND (e.revision < \(cursor.revision) \
                    OR (e.revision = \(cursor.revision) AND e.ordinal > \(cursor.ordinal)))
                    """
            }
            // What the labels leave over is not known beforehand.
            let batch = labels == nil ? count : max(count, 1000)
            // Where the target decides nothing it is looked up for the rows of the page alone.
            let source: SQL =
                filter.namesTargets
                ? "ledger.target_event e"
                : """
                (SELECT * FROM ledger.target_event e WHERE \(place)\(filter.terms) \
                ORDER BY e.revision DESC, e.ordinal LIMIT \(batch)) e
                """
            let terms: SQL = filter.namesTargets ? "WHERE \(place)\(filter.terms)" : ""
            let rows = try await connection.query(
                """
                SELECT \(EventRow.columns) FROM \(source) JOIN ledger.target t ON t.id = e.target \
                \(terms) ORDER BY e.revision DESC, e.ordinal LIMIT \(batch)
                """
            ).map { try EventRow($0) }
            try await take(rows, facts, connection)
            guard rows.count >= batch, let last = rows.last else { return }
            cursor = EventCursor(revision: last.revision, ordinal: last.ordinal)
        }
    }

    // MARK: By target

    private mutating func readByTarget(
        _ wanted: Int, _ after: EventCursor?, _ connection: isolated PostgresConnection
    ) async throws {
        var cursor = after
        while found.count < wanted {
            let count = wanted - found.count
            var place: SQL = "true\(filter.window.terms("e.at"))"
            if let cursor {
                place = """
                    \(place) AND (e.revision < \(cursor.revision) \
                    OR (e.revision = \(cursor.revision) AND e.ordinal > \(cursor.ordinal)))
                    """
            }
            let rows = try await connection.query(
                """
                SELECT \(EventRow.columns) FROM ledger.target_event e JOIN ledger.target t ON t.id = e.target \
                WHERE \(place)\(filter.terms) ORDER BY e.revision DESC, e.ordinal LIMIT \(count)
                """
            ).map { try EventRow($0) }
            try await take(rows, nil, connection)
            guard rows.count == count, let last = rows.last else { return }
            cursor = EventCursor(revision: last.revision, ordinal: last.ordinal)
        }
    }

    // MARK: Both

    private mutating func take(
        _ rows: [EventRow], _ facts: [Int64: RevisionFacts]?, _ connection: isolated PostgresConnection
    ) async throws {
        var rows = rows
        if labels != nil {
            // An event has a label set before or after.
            rows = try await labels?.filter(rows, connection) { ($0.job, $0.labelSet ?? 0) } ?? rows
        }
        let events = try await resolver.resolve(rows, facts: facts, connection)
        // Another incarnation under the same name is no move.
        found += filter.movesOnly ? events.filter { $0.from != $0.to } : events
    }
}
