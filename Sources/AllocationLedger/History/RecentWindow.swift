//
// RecentWindow.swift: how far back a look at what happened last may go, when nobody said how far.
//
// A day is little in one ledger and a million events in another, so both the time and the events are bounded. Revisions
// tell how many events they have; no event is read.
//

import PostgresDriver

extension HistoryWindow {
    /// The stretch up to a moment that is at most so long and holds about so many events of targets, and at least one
    /// revision.
    package static func recent(
        until: Timestamp, within duration: Duration, eventsMax: Int64, _ connection: isolated PostgresConnection
    ) async throws -> HistoryWindow {
        let since = until.advanced(by: .zero - duration)
        let tooFar = try await connection.query(
            """
            SELECT at, n FROM (SELECT at, row_number() OVER w AS n, sum(target_events) OVER w AS events \
            FROM ledger.revision WHERE at >= \(since) AND at < \(until) WINDOW w AS (ORDER BY at DESC)) AS r \
            WHERE events > \(eventsMax) ORDER BY at DESC LIMIT 1
            """
        ).first
        guard let tooFar else { return HistoryWindow(since: since, until: until) }
        let at = try tooFar.decode(0, as: Timestamp.self)
        let isOnlyOne = try tooFar.decode(1, as: Int64.self) == 1
        return HistoryWindow(since: isOnlyOne ? at : at.advanced(by: .microseconds(1)), until: until)
    }
}
