//
// LedgerQueries.swift: the statements that reading and writing share.
//

import PostgresDriver

package enum LedgerQueries {
    static let headStatement: SQL = "SELECT revision, epoch, at, digest FROM ledger.head WHERE name = 'allocator'"

    /// For the rest of a transaction that holds the head's or the lease's row: how long it waits for the other one, and how
    /// long whoever comes next waits for a client that has vanished in the middle of it and does not say so.
    static let patience: SQL = """
        SELECT set_config('lock_timeout', '10s', true), set_config('idle_in_transaction_session_timeout', '10s', true)
        """

    /// For the rest of a transaction: rows are found by their keys, one by one. What an append joins is small beside what is
    /// stored. A plan that was made while that was small too, on a ledger that is new, would go on reading all of it until
    /// somebody analyses the table: measured, appends took four times as long after half a minute.
    static let byKeysAlone: SQL = """
        SELECT set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true), \
        set_config('enable_mergejoin', 'off', true)
        """

    /// Partitions for a week from the session's now.
    static let ensurePartitions: SQL =
        "SELECT ledger.ensure_partitions((clock_timestamp() AT TIME ZONE 'UTC')::date, 7)"

    /// Nil while nothing is recorded.
    static func head(_ connection: PostgresConnection) async throws -> LedgerHead? {
        guard let row = try await connection.query(headStatement).first else { return nil }
        let head = try head(row)
        return head.revision.number == 0 ? nil : head
    }

    /// Reads revision, epoch, at, digest.
    static func head(_ row: PostgresRow) throws -> LedgerHead {
        let bytes = try row.decode(3, as: [UInt8].self)
        guard let digest = Digest32(bytes) else {
            throw LedgerError.corrupted("a digest of \(bytes.count) bytes in ledger.head or ledger.revision")
        }
        return LedgerHead(
            revision: Revision(try row.decode(0, as: Int64.self)), epoch: try row.decode(1, as: Int64.self),
            at: try row.decode(2, as: Timestamp.self), digest: digest)
    }

    /// Proves inside a transaction that the term is not over, and keeps it so until the transaction ends: a takeover
    /// changes the epoch, which is a key, and waits for FOR KEY SHARE; a renewal does not wait.
    ///
    /// A term ends with its server: a standby that took over may lack what was committed last and served by others, and
    /// would give the same numbers again. The next term leaves them out.
    static func fenceStatement(_ token: FencingToken) -> SQL {
        """
        SELECT 1 FROM ledger.lease l WHERE name = 'allocator' AND holder = \(token.holder) AND epoch = \(token.epoch) \
        AND expires_at > clock_timestamp() AND NOT EXISTS (SELECT FROM ledger.term t, ledger.server_identity() s \
        WHERE t.epoch = l.epoch AND (t.system_identifier <> s.system_identifier OR t.timeline <> s.timeline)) \
        FOR KEY SHARE OF l
        """
    }

    package static func fence(_ token: FencingToken, _ connection: isolated PostgresConnection) async throws {
        guard try await !connection.query(fenceStatement(token)).isEmpty else { throw LedgerError.fenced(token) }
    }
}
