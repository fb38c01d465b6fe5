//
// TargetLookup.swift: finds recorded targets by identity, by endpoint, or by a part of their address.
//

import AllocationCore
import PostgresDriver

package enum TargetLookup {
    /// Targets of this identity: usually one; several when jobs share it.
    ///
    /// - Parameter job: Nil: any.
    package static func find(
        identity: TargetIdentity, job: String? = nil, _ connection: isolated PostgresConnection
    ) async throws -> [RecordedTarget] {
        let condition: SQL = job.map { " AND j.name = \($0)" } ?? ""
        let rows = try await connection.query(
            """
            SELECT t.id, j.name, t.identity, t.address FROM ledger.job j \
            JOIN ledger.target t ON t.job = j.id AND t.identity = \(Int64(bitPattern: identity.rawValue)) \
            WHERE true\(condition) ORDER BY t.id LIMIT 1000
            """)
        return try rows.map { try target($0) }
    }

    /// The one target of this identity.
    ///
    /// - Throws: ``HistoryError/unknown(_:)``; ``HistoryError/ambiguous(_:)`` when the job must be named.
    package static func one(
        identity: TargetIdentity, job: String? = nil, _ connection: isolated PostgresConnection
    ) async throws -> RecordedTarget {
        let found = try await find(identity: identity, job: job, connection)
        guard let first = found.first else { throw HistoryError.unknown("target \(identity.rawValue)") }
        guard found.count == 1 else { throw HistoryError.ambiguous("\(identity.rawValue)") }
        return first
    }

    /// All identities that an endpoint has had, the latest first.
    package static func find(
        job: String, address: String, _ connection: isolated PostgresConnection
    ) async throws -> [RecordedTarget] {
        let rows = try await connection.query(
            """
            SELECT t.id, j.name, t.identity, t.address FROM ledger.target t JOIN ledger.job j ON j.id = t.job \
            WHERE t.address = \(address) AND j.name = \(job) ORDER BY t.id DESC LIMIT 1000
            """)
        return try rows.map { try target($0) }
    }

    /// Targets whose address holds this text, in the order of their numbers.
    ///
    /// - Parameter after: The number behind which to go on.
    package static func search(
        address part: String, job: String? = nil, after: Int32 = 0, limit: Int,
        _ connection: isolated PostgresConnection
    ) async throws -> [RecordedTarget] {
        let condition: SQL = job.map { " AND j.name = \($0)" } ?? ""
        let rows = try await connection.query(
            """
            SELECT t.id, j.name, t.identity, t.address FROM ledger.target t JOIN ledger.job j ON j.id = t.job \
            WHERE t.id > \(after) AND strpos(t.address, \(part)) > 0\(condition) \
            ORDER BY t.id LIMIT \(PageLimit.clamped(limit))
            """)
        return try rows.map { try target($0) }
    }

    private static func target(_ row: PostgresRow) throws -> RecordedTarget {
        RecordedTarget(
            number: try row.decode(0), job: try row.decode(1),
            identity: TargetIdentity(rawValue: UInt64(bitPattern: try row.decode(2, as: Int64.self))),
            address: try row.decode(3))
    }
}
