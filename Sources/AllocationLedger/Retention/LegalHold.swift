//
// LegalHold.swift: periods that must be kept whatever retention says.
//
// A hold's number is that of the revision that recorded it. Neither hold nor release is ever changed: a release is a row of
// its own.
//

import PostgresDriver

/// A period whose days are not dropped.
package struct LegalHold: Sendable, Hashable {
    /// The revision that recorded it.
    package var number: Int64
    package var from: Timestamp
    /// Exclusive.
    package var to: Timestamp
    package var reason: String
    package var placedAt: Timestamp
    package var placedBy: String

    /// Whether it keeps something of that day.
    package func keeps(_ day: RetentionDay) -> Bool { from < day.end && to > day.start }

    /// Holds that are not released, in the order of their numbers.
    package static func active(_ connection: isolated PostgresConnection) async throws -> [LegalHold] {
        let rows = try await connection.query(
            "SELECT hold, from_at, to_at, reason, placed_at, placed_by FROM ledger.active_hold ORDER BY hold")
        return try rows.map { row in
            LegalHold(
                number: try row.decode(0), from: try row.decode(1), to: try row.decode(2), reason: try row.decode(3),
                placedAt: try row.decode(4), placedBy: try row.decode(5))
        }
    }
}
