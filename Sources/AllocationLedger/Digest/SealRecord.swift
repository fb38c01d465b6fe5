//
// SealRecord.swift: what is kept of a partition that retention drops, and what binds it to the log.
//
// The row of ledger.seal alone proves nothing: whoever drops a partition behind our back could write one. So the drop
// is a revision of cause `operator`, and its detail names the seal's digest, which thereby is in the chain. Retention
// writes both, verify reads both; the rule stands here once, and on the module's README page.
//

import PostgresDriver

/// One row of `ledger.seal`.
package struct SealRecord: Sendable, Hashable {
    /// Name of the partition, such as `revision_20261121`.
    package var partition: String
    package var from: Timestamp
    /// Exclusive.
    package var to: Timestamp
    package var rows: Int64
    /// Nil when it had no row.
    package var firstRevision: Int64?
    package var lastRevision: Int64?
    /// Of a partition of `ledger.revision`: the digest of its last revision, which the next one names as the one before.
    package var digest: Digest32
    /// Of a partition of `ledger.revision`: ``MerkleTree/edge`` of the log up to its last revision, so that roots can still
    /// be computed. Nil for other tables.
    package var tree: [UInt8]?

    package init(
        partition: String, from: Timestamp, to: Timestamp, rows: Int64, firstRevision: Int64?, lastRevision: Int64?,
        digest: Digest32, tree: [UInt8]?
    ) {
        self.partition = partition
        self.from = from
        self.to = to
        self.rows = rows
        self.firstRevision = firstRevision
        self.lastRevision = lastRevision
        self.digest = digest
        self.tree = tree
    }

    /// With what the detail of the revision begins that records a drop.
    package static let dropMark = "dropped "

    /// What the detail of the revision that records the drop says of this seal; a detail may name several.
    package var mention: String { "seal \(sealDigest)" }

    /// SHA-256 over all of it.
    package var sealDigest: Digest32 {
        var encoder = RecordEncoder()
        encoder.begin(prefix: nil, type: "S")
        encoder.field(partition)
        encoder.field(from.microsecondsSince1970)
        encoder.field(to.microsecondsSince1970)
        encoder.field(rows)
        for revision in [firstRevision, lastRevision] {
            if let revision { encoder.field(revision) } else { encoder.absent() }
        }
        encoder.field(digest)
        if let tree { tree.withUnsafeBytes { encoder.field($0) } } else { encoder.absent() }
        return encoder.digest
    }
}
