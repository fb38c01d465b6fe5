//
// OperatorRevision.swift: what operators and retention record: revisions that change no target.
//
// The row that goes with such a revision (a seal, a hold, a release, a day given up) is bound into the digest chain by the
// revision's cause_detail, from which the row can be checked. The forms stand on the module's README page.
//

import AllocationCore
import PostgresDriver

/// A revision of cause `operator`.
package struct OperatorRevision: Sendable {
    /// The cause_detail.
    package var detail: String
    package var attachment: RevisionAttachment
    package var cause = Cause.operator

    /// A day is sealed.
    static func seal(_ day: RetentionDay, _ seals: [SealRecord]) -> OperatorRevision {
        let mentions = seals.map { "\($0.partition) \($0.mention)" }.joined(separator: ", ")
        let taken: SQL = """
            SELECT \("\(day) is sealed already")::text FROM ledger.seal \
            WHERE partition = ANY(\(seals.map(\.partition))) LIMIT 1
            """
        return OperatorRevision(
            detail: "sealed \(day): \(mentions)",
            attachment: RevisionAttachment(refusedBy: taken) { revision, at in
                seals.map { seal in
                    """
                    INSERT INTO ledger.seal (partition, from_at, to_at, rows, first_revision, last_revision, digest, tree, \
                    sealed_at, revision) VALUES (\(seal.partition), \(seal.from), \(seal.to), \(seal.rows), \
                    \(seal.firstRevision), \(seal.lastRevision), \(seal.digest.bytes), \
                    \(seal.tree.map { PostgresBind($0) } ?? .nullBytes), \(at), \(revision))
                    """
                }
            })
    }

    /// A sealed day is given up.
    ///
    /// - Parameter export: SHA-256 of the file that holds the day from now on.
    static func drop(
        _ day: RetentionDay, _ seals: [SealRecord], export: Digest32?, askedBy: String
    ) -> OperatorRevision {
        let mentions = seals.map { "\($0.partition) \($0.mention)" }.joined(separator: ", ")
        let exported = export.map { "; exported, sha256 \($0)" } ?? ""
        let held: SQL = """
            SELECT format('hold %s keeps %s', min(hold), \(day.description)::text) FROM ledger.active_hold \
            WHERE from_at < \(day.end) AND to_at > \(day.start) HAVING count(*) > 0
            """
        let bytes = export.map { PostgresBind($0.bytes) } ?? .nullBytes
        return OperatorRevision(
            detail: "dropped \(day): \(mentions)\(exported)",
            attachment: RevisionAttachment(refusedBy: held) { revision, at in
                [
                    """
                    INSERT INTO ledger.partition_drop (partition, revision, at, asked_by, export_sha256) \
                    SELECT p, \(revision), \(at), \(askedBy), \(bytes) FROM unnest(\(seals.map(\.partition))) AS p
                    """
                ]
            })
    }

    static func hold(from: Timestamp, to: Timestamp, reason: String, askedBy: String) -> OperatorRevision {
        OperatorRevision(
            detail: "hold \(from)/\(to) by \(askedBy): \(reason)",
            attachment: RevisionAttachment { revision, at in
                [
                    """
                    INSERT INTO ledger.legal_hold (hold, from_at, to_at, reason, placed_at, placed_by) \
                    VALUES (\(revision), \(from), \(to), \(reason), \(at), \(askedBy))
                    """
                ]
            })
    }

    /// What another replica served and the ledger does not have. Once.
    static func state(_ gap: Gap) -> OperatorRevision {
        let stated: SQL = """
            SELECT 'it is stated already'::text FROM ledger.gap WHERE cause = \(gap.cause) AND detail = \(gap.detail) LIMIT 1
            """
        let statements = gap.attachment.statements
        return OperatorRevision(
            detail: gap.statement, attachment: RevisionAttachment(refusedBy: stated) { statements($0, $1) },
            cause: .outageRecovered)
    }

    static func release(hold: Int64, reason: String, askedBy: String) -> OperatorRevision {
        let absent: SQL = """
            SELECT \("there is no hold \(hold), or it is released already")::text \
            WHERE NOT EXISTS (SELECT FROM ledger.active_hold WHERE hold = \(hold))
            """
        return OperatorRevision(
            detail: "release of hold \(hold) by \(askedBy): \(reason)",
            attachment: RevisionAttachment(refusedBy: absent) { revision, at in
                [
                    """
                    INSERT INTO ledger.hold_release (hold, revision, released_at, released_by, reason) \
                    VALUES (\(hold), \(revision), \(at), \(askedBy), \(reason))
                    """
                ]
            })
    }
}

extension RevisionDraft {
    package init(_ revision: OperatorRevision, placement: Placement) {
        self.init(
            change: AllocationChange(placement: placement), cause: revision.cause, causeDetail: revision.detail,
            attachments: [revision.attachment])
    }
}

extension PostgresBind {
    /// NULL where bytes could stand.
    fileprivate static let nullBytes = PostgresBind(type: [UInt8].postgresType, format: .binary, bytes: nil)
}
