//
// GapRecord.swift: a period in which nothing could be recorded, stated by the revision that ends it.
//
// The row of ledger.gap is for whoever asks in SQL. What binds it into the digest chain is the text in cause_detail, from
// which the row can be made again: `gap FROM/TO CAUSE: DETAIL`, with both instants in RFC 3339.
//

import PostgresDriver

extension Gap {
    /// Why nothing was recorded. The codes are stable.
    package enum Cause: String, Sendable, CaseIterable {
        /// The leader gave its lease up when it was stopped.
        case stopped
        /// The leader's lease ran out: it died, or was cut off.
        case crashed
        /// The same process lost its lease and got it back: it was held up for longer than the lease lasts.
        case leaseLost = "lease_lost"
        /// The process lived, and the database did not take what it had to write.
        case databaseOutage = "database_outage"
        /// One process went on by itself and another wrote meanwhile: what it served is no revision.
        case journal
        /// The database lost revisions that were served, or may have.
        case fork
    }

    package init(from: Timestamp, to: Timestamp, cause: Cause, detail: String) {
        self.init(from: from, to: to, cause: cause.rawValue, detail: StorableText.mended(detail))
    }

    /// What the cause_detail of its revision says of it.
    package var statement: String { "gap \(from)/\(to) \(cause): \(detail)" }

    var attachment: RevisionAttachment {
        RevisionAttachment { revision, _ in
            [
                """
                INSERT INTO ledger.gap (from_at, to_at, cause, detail, revision) \
                VALUES (\(from), \(to), \(cause), \(detail), \(revision))
                """
            ]
        }
    }
}

/// How a term began: who leads, and until when the one before it could record.
package struct TermStart: Sendable, Hashable {
    package var epoch: Int64
    package var address: String
    package var acquiredAt: Timestamp
    /// Nil when nothing was lost, or nothing had been recorded.
    package var gap: Gap?
    /// Whether the database is another than the one that the tip was written to, or while nothing is recorded than one that
    /// has given the lease, and may lack what that had.
    package var mayHaveLost = false
    /// When recording was last certain before it; while nothing is recorded, when the first term began.
    package var certainUntil: Timestamp

    /// See ``ForkRepair/next(after:served:elapsed:)``.
    package var elapsed: Duration { acquiredAt.since(certainUntil) }

    /// Of a term that this token names.
    ///
    /// - Throws: ``LedgerError/corrupted(_:)`` when the lease's own row of it is missing.
    static func read(_ token: FencingToken, _ connection: PostgresConnection) async throws -> TermStart {
        let row = try await connection.query(
            """
            SELECT t.address, t.acquired_at, t.recorded_until, t.gap_cause, p.epoch, p.address, p.end_reason, \
            t.system_identifier, t.timeline, w.epoch, w.system_identifier, w.timeline, \
            coalesce(t.recorded_until, (SELECT min(acquired_at) FROM ledger.term)) FROM ledger.term t \
            LEFT JOIN ledger.term p ON p.epoch = (SELECT max(epoch) FROM ledger.term WHERE epoch < t.epoch) \
            LEFT JOIN ledger.term w ON w.epoch = (SELECT CASE WHEN h.revision > 0 THEN h.epoch ELSE \
            (SELECT max(x.epoch) FROM ledger.term x WHERE x.epoch < t.epoch AND \
            (x.system_identifier <> t.system_identifier OR x.timeline <> t.timeline)) END \
            FROM ledger.head h WHERE h.name = 'allocator') \
            WHERE t.epoch = \(token.epoch)
            """
        ).first
        guard let row else { throw LedgerError.corrupted("ledger.term has no row of epoch \(token.epoch)") }
        var start = TermStart(
            epoch: token.epoch, address: try row.decode(0), acquiredAt: try row.decode(1), gap: nil,
            certainUntil: try row.decode(12))
        if let until = try row.decode(2, as: Timestamp?.self), until < start.acquiredAt {
            let cause = try row.decode(3, as: String?.self).flatMap { Gap.Cause(rawValue: $0) } ?? .crashed
            var detail = "nobody led before"
            if let epoch = try row.decode(4, as: Int64?.self) {
                let (address, reason) = (try row.decode(5, as: String.self), try row.decode(6, as: String?.self))
                detail = "term \(epoch) of \(address) ended: \(reason ?? "not said")"
            }
            start.gap = Gap(from: until, to: start.acquiredAt, cause: cause, detail: detail)
        }
        if try row.decode(9, as: Int64?.self) != nil {
            start.mayHaveLost = ForkRepair.mayHaveLost(
                before: ForkRepair.Server(systemIdentifier: try row.decode(10), timeline: try row.decode(11)),
                now: ForkRepair.Server(systemIdentifier: try row.decode(7), timeline: try row.decode(8)))
        }
        return start
    }

    /// The cause_detail of the term's first revision.
    package var detail: String {
        "term \(epoch) of \(address)" + (gap.map { "; \($0.statement)" } ?? "")
    }
}
