//
// LeaseQueries.swift: acquiring, renewing and giving up the lease. All arithmetic uses the database's clock.
//

import PostgresDriver

enum LeaseQueries {
    /// Takes the lease if nobody's is running; begins a term. Nil: somebody holds it.
    static func acquire(
        holder: UUID128, address: String, timeToLive: Double, _ connection: PostgresConnection,
        deadline: ContinuousClock.Instant
    ) async throws -> Int64? {
        try await connection.transaction(deadline: deadline) { @Sendable connection in
            let rows = try await connection.query(
                """
                UPDATE ledger.lease SET holder = \(holder), epoch = epoch + 1, address = \(address), \
                acquired_at = clock_timestamp(), \
                expires_at = clock_timestamp() + make_interval(secs => \(timeToLive)) \
                WHERE name = 'allocator' AND expires_at <= clock_timestamp() RETURNING epoch
                """)
            guard let epoch = try rows.first?.decode(0, as: Int64.self) else { return nil }
            _ = try await connection.pipeline([
                """
                UPDATE ledger.term SET ended_at = clock_timestamp(), end_reason = 'lease expired' \
                WHERE ended_at IS NULL AND epoch < \(epoch)
                """,
                """
                INSERT INTO ledger.term (epoch, holder, address, acquired_at, system_identifier, timeline, \
                first_revision, first_digest) \
                SELECT \(epoch), \(holder), \(address), clock_timestamp(), s.system_identifier, s.timeline, h.revision, \
                h.digest FROM ledger.head h, ledger.server_identity() s WHERE h.name = 'allocator'
                """,
            ])
            return epoch
        }
    }

    /// Lengthens the lease. A plain update of `expires_at` alone, which passes a writer's FOR KEY SHARE.
    static func renew(
        _ token: FencingToken, timeToLive: Double, _ connection: PostgresConnection, deadline: ContinuousClock.Instant
    ) async throws -> Bool {
        try await connection.execute(
            """
            UPDATE ledger.lease SET expires_at = clock_timestamp() + make_interval(secs => \(timeToLive)) \
            WHERE name = 'allocator' AND holder = \(token.holder) AND epoch = \(token.epoch)
            """, deadline: deadline) == 1
    }

    /// Ends the term now, so that another need not wait for the lease to run out.
    static func release(
        _ token: FencingToken, reason: String, _ connection: PostgresConnection, deadline: ContinuousClock.Instant
    ) async throws {
        _ = try await connection.pipeline(
            [
                """
                UPDATE ledger.lease SET expires_at = clock_timestamp() \
                WHERE name = 'allocator' AND holder = \(token.holder) AND epoch = \(token.epoch)
                """,
                """
                UPDATE ledger.term SET ended_at = clock_timestamp(), end_reason = \(reason) \
                WHERE epoch = \(token.epoch) AND holder = \(token.holder) AND ended_at IS NULL
                """,
            ], deadline: deadline)
    }

    /// Who holds the lease, as its address and the seconds it has left.
    static func holder(
        _ connection: PostgresConnection, deadline: ContinuousClock.Instant
    ) async throws -> (address: String, secondsLeft: Double)? {
        let rows = try await connection.query(
            """
            SELECT address, extract(epoch FROM expires_at - clock_timestamp())::double precision FROM ledger.lease \
            WHERE name = 'allocator' AND expires_at > clock_timestamp()
            """, deadline: deadline)
        return try rows.first.map { (try $0.decode(0, as: String.self), try $0.decode(1, as: Double.self)) }
    }
}
