//
// StateBase.swift: decides where the making of a past state begins: the state nearest to it in events.
//
// A state is known at the empty beginning, at each snapshot, and now. From one before the wanted revision later events are
// done; from one after it earlier ones are undone. What lies between the two nearest is counted, never more, so the
// decision does not cost the age of the ledger.
//

import PostgresDriver

/// A known state, and the events between it and a revision.
struct StateBase: Sendable, Hashable {
    enum Origin: Sendable, Hashable {
        case beginning
        case snapshot(RevisionPoint)
        case current
    }

    let origin: Origin
    /// The wanted revision.
    let point: RevisionPoint

    /// Whether events after the known state are done; else those after the wanted revision are undone.
    var isForwards: Bool {
        switch origin {
        case .beginning: true
        case .snapshot(let snapshot): snapshot <= point
        case .current: false
        }
    }

    /// After the earlier of the two, up to the later: `revision` and `at` lie above the lower and not above the upper.
    private var bounds: (lower: RevisionPoint?, upper: RevisionPoint?) {
        switch origin {
        case .beginning: (nil, point)
        case .snapshot(let snapshot): (min(snapshot, point), max(snapshot, point))
        case .current: (point, nil)
        }
    }

    /// Terms on the columns of an event.
    var terms: SQL {
        switch bounds {
        case (let lower?, let upper?):
            """
            revision > \(lower.revision.number) AND revision <= \(upper.revision.number) \
            AND at > \(lower.at) AND at <= \(upper.at)
            """
        case (let lower?, nil): "revision > \(lower.revision.number) AND at > \(lower.at)"
        case (nil, let upper?): "revision <= \(upper.revision.number) AND at <= \(upper.at)"
        case (nil, nil): "true"
        }
    }

    /// The same for COPY, which takes no binds. These are numbers of ours, and times made of digits alone.
    var literalTerms: String {
        let (lower, upper) = bounds
        let terms =
            (lower.map { ["revision > \($0.revision.number)", "at > TIMESTAMPTZ '\($0.at)'"] } ?? [])
            + (upper.map { ["revision <= \($0.revision.number)", "at <= TIMESTAMPTZ '\($0.at)'"] } ?? [])
        return terms.isEmpty ? "true" : terms.joined(separator: " AND ")
    }

    /// Finds the nearest.
    static func nearest(to point: RevisionPoint, _ connection: isolated PostgresConnection) async throws -> StateBase {
        let bounds = try await RecordedBounds.read(connection)
        guard point < bounds.latest else { return StateBase(origin: .current, point: point) }
        // What led from a snapshot to a revision is there only if the snapshot is no older than the oldest revision.
        let row = try await connection.query(
            """
            WITH b AS (SELECT revision, at FROM ledger.state_snapshot WHERE at <= \(point.at) \
            AND at >= \(bounds.oldest.at) ORDER BY at DESC LIMIT 1), \
            a AS (SELECT revision, at FROM ledger.state_snapshot WHERE at > \(point.at) ORDER BY at LIMIT 1) \
            SELECT (SELECT revision FROM b), (SELECT at FROM b), (SELECT revision FROM a), (SELECT at FROM a), \
            (SELECT coalesce(sum(target_events), 0) FROM ledger.revision WHERE at <= \(point.at) \
            AND at > coalesce((SELECT at FROM b), '-infinity'))::bigint, \
            (SELECT coalesce(sum(target_events), 0) FROM ledger.revision WHERE at > \(point.at) \
            AND at <= coalesce((SELECT at FROM a), 'infinity'))::bigint
            """
        ).first
        guard let row else { throw LedgerError.corrupted("no nearest state can be found") }
        func snapshot(_ column: Int) throws -> Origin? {
            guard let revision = try row.decode(column, as: Int64?.self) else { return nil }
            return .snapshot(RevisionPoint(revision: Revision(revision), at: try row.decode(column + 1)))
        }
        let after = StateBase(origin: try snapshot(2) ?? .current, point: point)
        let (eventsBefore, eventsAfter) = (try row.decode(4, as: Int64.self), try row.decode(5, as: Int64.self))
        guard let before = try snapshot(0) ?? (bounds.isCompacted ? nil : .beginning), eventsBefore <= eventsAfter
        else { return after }
        return StateBase(origin: before, point: point)
    }
}
