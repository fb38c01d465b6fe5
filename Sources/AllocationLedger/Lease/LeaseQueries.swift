//
// LeaseQueries.swift: acquiring, renewing and giving up the lease. All arithmetic uses the database's clock.
//

import PostgresDriver

package enum LeaseQueries {
    /// Why a term ended whose holder gave it up.
    static let stopped = "stopped"

    /// Takes the lease if nobody's is running; begins a term. Nil: somebody holds it.
    ///
    /// The term's row keeps until when recording was certain before it: the last renewal whose holder could record, or the
    /// last revision where that is later. Both are this server's times; those of discovery results are not. A term in which
    /// nothing was recorded was none: what was certain before it counts. A revision that came when renewals had been missed
    /// does not make the time before it certain: whoever wrote it had a gap to tell of and did not get there.
    ///
    /// Where the server is another than the one that the tip was written to (or, while nothing is recorded, than one that has
    /// given the lease), or where a lost epoch is known, others that were used may have been lost: the new one is far above
    /// them.
    ///
    /// A lease that was renewed in the far future is nobody's either: the server's clock was set back, and would have to get
    /// there again before it runs out. Whoever holds it is fenced like any other whose term is over.
    ///
    /// - Parameters:
    ///   - sawOutage: Whether this process lived and could not reach the database before.
    ///   - configuration: What it would record; nil: whatever others have, it may lead.
    ///   - lost: The highest epoch that is known to have been used, by whoever knows of one that was lost.
    static func acquire(
        holder: UUID128, address: String, timeToLive: Double, sawOutage: Bool = false, configuration: Digest32? = nil,
        above lost: Int64 = 0,
        _ connection: PostgresConnection, deadline: ContinuousClock.Instant
    ) async throws -> Int64? {
        try await connection.transaction(deadline: deadline) { @Sendable connection in
            // The row as it was is locked and joined: RETURNING alone knows only what it became.
            let rows = try await connection.query(
                """
                UPDATE ledger.lease l SET holder = \(holder), address = \(address), \
                epoch = greatest(\(lost)::bigint + 1, l.epoch + CASE WHEN \(lost)::bigint > l.epoch OR EXISTS (SELECT \
                FROM ledger.server_identity() s, ledger.term t, ledger.head h WHERE (h.epoch = t.epoch OR h.revision = 0) \
                AND (t.system_identifier <> s.system_identifier OR t.timeline <> s.timeline)) \
                THEN \(ForkRepair.epochDistance)::bigint + (\(ForkRepair.epochsPerSecond)::bigint * greatest(0, \
                coalesce(extract(epoch FROM clock_timestamp() - l.renewed_at), 0)))::bigint ELSE 1 END), \
                acquired_at = clock_timestamp(), renewed_at = clock_timestamp(), \
                expires_at = clock_timestamp() + make_interval(secs => \(timeToLive)) \
                FROM (SELECT name, holder, renewed_at FROM ledger.lease WHERE name = 'allocator' \
                AND (expires_at <= clock_timestamp() OR \
                renewed_at > clock_timestamp() + make_interval(secs => \(timeToLive))) \
                AND NOT \(ReplicaQueries.isSuperseded(configuration, holder)) \
                FOR UPDATE) old WHERE l.name = old.name RETURNING l.epoch, old.holder, old.renewed_at
                """)
            guard let row = rows.first else { return nil }
            let epoch = try row.decode(0, as: Int64.self)
            let sameHolder = try row.decode(1, as: UUID128?.self) == holder
            let renewedAt = try row.decode(2, as: Timestamp?.self)
            let otherwise: Gap.Cause = sawOutage ? .databaseOutage : sameHolder ? .leaseLost : .crashed
            _ = try await connection.pipeline([
                """
                UPDATE ledger.term SET ended_at = clock_timestamp(), end_reason = 'lease expired' \
                WHERE ended_at IS NULL AND epoch < \(epoch)
                """,
                """
                INSERT INTO ledger.term (epoch, holder, address, acquired_at, system_identifier, timeline, \
                first_revision, first_digest, recorded_until, gap_cause) \
                SELECT \(epoch), \(holder), \(address), clock_timestamp(), s.system_identifier, s.timeline, h.revision, \
                h.digest, CASE WHEN h.revision > 0 THEN CASE WHEN h.epoch <> p.epoch THEN coalesce(p.recorded_until, h.at) \
                WHEN h.at > \(renewedAt)::timestamptz + make_interval(secs => \(timeToLive / 2)) THEN \(renewedAt) \
                ELSE greatest(h.at, \(renewedAt)) END END, \
                CASE WHEN h.revision > 0 THEN CASE WHEN p.end_reason = \(Self.stopped) THEN 'stopped' \
                ELSE \(otherwise.rawValue) END END \
                FROM ledger.server_identity() s, ledger.head h \
                LEFT JOIN ledger.term p ON p.epoch = (SELECT max(epoch) FROM ledger.term WHERE epoch < \(epoch)) \
                WHERE h.name = 'allocator'
                """,
            ])
            return epoch
        }
    }

    /// Lengthens the lease. A plain update of columns that are no key, which passes a writer's FOR KEY SHARE.
    ///
    /// One that has run out stays so: what asks may be the last packet of a process that is long dead, and the time since
    /// then would count as one in which it recorded.
    ///
    /// - Parameter isRecording: Whether what the holder decides gets recorded; else the last certain time stays.
    /// - Returns: The last renewal whose holder could record, by the server's clock; nil: the lease is another's, or ran out.
    package static func renew(
        _ token: FencingToken, timeToLive: Double, isRecording: Bool = true, _ connection: PostgresConnection,
        deadline: ContinuousClock.Instant
    ) async throws -> Timestamp? {
        try await connection.query(
            """
            UPDATE ledger.lease SET renewed_at = CASE WHEN \(isRecording) THEN clock_timestamp() ELSE renewed_at END, \
            expires_at = clock_timestamp() + make_interval(secs => \(timeToLive)) \
            WHERE name = 'allocator' AND holder = \(token.holder) AND epoch = \(token.epoch) \
            AND expires_at > clock_timestamp() RETURNING renewed_at
            """, deadline: deadline
        ).first?.decode(0, as: Timestamp.self)
    }

    /// When the lease was last renewed.
    static func renewedAt(_ connection: PostgresConnection, deadline: ContinuousClock.Instant) async throws
        -> Timestamp?
    {
        try await connection.query("SELECT renewed_at FROM ledger.lease WHERE name = 'allocator'", deadline: deadline)
            .first?.decode(0, as: Timestamp?.self)
    }

    /// Ends the term now, so that another need not wait for the lease to run out.
    ///
    /// - Parameter isRecording: As for a renewal.
    static func release(
        _ token: FencingToken, reason: String, isRecording: Bool = true, _ connection: PostgresConnection,
        deadline: ContinuousClock.Instant
    ) async throws {
        _ = try await connection.pipeline(
            [
                """
                UPDATE ledger.lease SET expires_at = clock_timestamp(), \
                renewed_at = CASE WHEN \(isRecording) THEN clock_timestamp() ELSE renewed_at END \
                WHERE name = 'allocator' AND holder = \(token.holder) AND epoch = \(token.epoch)
                """,
                """
                UPDATE ledger.term SET ended_at = clock_timestamp(), end_reason = \(reason) \
                WHERE epoch = \(token.epoch) AND holder = \(token.holder) AND ended_at IS NULL
                """,
                // Whoever follows asks at once instead of at its usual time.
                "SELECT pg_notify(\(LedgerTail.leaseChannel), '')",
            ], deadline: deadline)
    }

    /// Who holds the lease, with its address and the seconds it has left.
    static func holder(
        _ connection: PostgresConnection, deadline: ContinuousClock.Instant
    ) async throws -> (holder: UUID128?, address: String, secondsLeft: Double)? {
        let rows = try await connection.query(
            """
            SELECT holder, address, extract(epoch FROM expires_at - clock_timestamp())::double precision FROM ledger.lease \
            WHERE name = 'allocator' AND expires_at > clock_timestamp()
            """, deadline: deadline)
        return try rows.first.map {
            (try $0.decode(0, as: UUID128?.self), try $0.decode(1, as: String.self), try $0.decode(2, as: Double.self))
        }
    }
}
