//
// LogReader.swift: the log of revisions as a Merkle tree: root, inclusion and consistency proofs, read from the database.
//
// A leaf is a revision's digest, which is SHA-256 of the byte 0 and the record and so already the leaf hash of RFC 6962
// (README.md, "Log and checkpoints"). What retention dropped is in the tree by the edge that its seal keeps. Links are
// looked at in passing: a log that is broken has no root.
//

import AllocationCore
import PostgresDriver

/// A proof that a revision is in the log.
package struct InclusionProof: Sendable, Hashable {
    package var revision: Revision
    /// Number of the leaf, from 0.
    package var index: Int64
    /// Leaves of the tree.
    package var size: Int64
    package var leaf: Digest32
    /// From the leaf up.
    package var path: [Digest32]
    package var root: Digest32

    /// Whether it proves that the leaf is in the tree of this root.
    package var isValid: Bool { LogProof.root(leaf: leaf, index: index, size: size, path: path) == root }
}

/// A proof that a larger log begins with a smaller one.
package struct ConsistencyProof: Sendable, Hashable {
    package var first: Int64
    package var second: Int64
    package var firstRoot: Digest32
    package var secondRoot: Digest32
    package var path: [Digest32]

    package var isValid: Bool {
        guard let roots = LogProof.roots(first: first, size: second, firstRoot: firstRoot, proof: path) else {
            return false
        }
        return roots == (firstRoot, secondRoot)
    }
}

/// The log's tree up to a revision, and the digest of that revision.
package struct LogTip: Sendable, Hashable {
    package var tree = MerkleTree()
    /// Zeros while there is no revision.
    package var digest = Digest32.zero

    package init() {}
}

package enum LogReader {
    /// The tree up to `size`, the latest revision when nil.
    ///
    /// - Parameter known: Goes on from here, after a check that the log still continues it.
    /// - Throws: ``LedgerError/corrupted(_:)`` where revisions do not follow each other; ``HistoryError``.
    package static func tip(
        upTo size: Int64? = nil, from known: LogTip = LogTip(), _ connection: isolated PostgresConnection
    ) async throws -> LogTip {
        let size = try await checked(size, connection)
        var start = try await dropped(connection)
        guard start.tree.count <= size else { throw try await compacted(connection) }
        if known.tree.count > start.tree.count, known.tree.count <= size { start = known }
        var tip = start
        try await leaves(after: start, upTo: size, connection) { leaf in
            tip.tree.append(leaf.digest)
            if leaf.isUsed { tip.digest = leaf.digest }
        }
        return tip
    }

    package static func inclusion(
        of revision: Revision, size: Int64? = nil, _ connection: isolated PostgresConnection
    ) async throws -> InclusionProof {
        let size = try await checked(size, connection)
        guard revision.number >= 1, revision.number <= size else {
            throw HistoryError.notYetWritten(latest: Revision(size))
        }
        let index = revision.number - 1
        let start = try await dropped(connection)
        guard start.tree.count <= index else { throw try await compacted(connection) }
        var hasher = RangeHasher(LogProof.inclusionRanges(index: index, size: size))
        take(start.tree, &hasher)
        var tree = start.tree
        var leaf: Digest32?
        try await leaves(after: start, upTo: size, connection) { next in
            if tree.count == index { leaf = next.digest }
            hasher.take(next.digest, index: tree.count)
            tree.append(next.digest)
        }
        guard let leaf, let path = hasher.hashes else {
            throw LedgerError.corrupted("revisions up to \(size) are not all there")
        }
        return InclusionProof(
            revision: revision, index: index, size: size, leaf: leaf, path: path, root: tree.root)
    }

    package static func consistency(
        first: Int64, second: Int64? = nil, _ connection: isolated PostgresConnection
    ) async throws -> ConsistencyProof {
        let size = try await checked(second, connection)
        guard first >= 1, first <= size else { throw HistoryError.notYetWritten(latest: Revision(size)) }
        let start = try await dropped(connection)
        guard start.tree.count <= first else { throw try await compacted(connection) }
        var hasher = RangeHasher(LogProof.consistencyRanges(first: first, size: size))
        take(start.tree, &hasher)
        var tree = start.tree
        var firstRoot = tree.root
        try await leaves(after: start, upTo: size, connection) { leaf in
            hasher.take(leaf.digest, index: tree.count)
            tree.append(leaf.digest)
            if tree.count == first { firstRoot = tree.root }
        }
        guard let path = hasher.hashes else {
            throw LedgerError.corrupted("revisions up to \(size) are not all there")
        }
        return ConsistencyProof(first: first, second: size, firstRoot: firstRoot, secondRoot: tree.root, path: path)
    }

    // MARK: Reading

    /// The tree of what retention dropped; empty while nothing was.
    package static func dropped(_ connection: isolated PostgresConnection) async throws -> LogTip {
        let rows = try await connection.query(
            """
            SELECT v.revision, v.previous_digest, s.digest, s.tree, s.last_revision FROM \
            (SELECT revision, previous_digest, cause FROM ledger.revision ORDER BY revision LIMIT 1) v \
            LEFT JOIN ledger.seal s ON s.tree IS NOT NULL AND s.last_revision < v.revision \
            AND (s.last_revision = v.revision - 1 OR v.cause = \(Cause.forkRepaired.rawValue)) \
            ORDER BY s.last_revision DESC NULLS LAST LIMIT 1
            """)
        var tip = LogTip()
        guard let row = rows.first, try row.decode(0, as: Int64.self) > 1 else { return tip }
        let first = try row.decode(0, as: Int64.self)
        guard let digest = try row.decode(2, as: [UInt8]?.self).flatMap({ Digest32($0) }),
            let edge = try row.decode(3, as: [UInt8]?.self), let last = try row.decode(4, as: Int64?.self),
            let tree = MerkleTree(count: last, edge: edge)
        else {
            throw LedgerError.corrupted("revisions before \(first) are gone, and no seal says what they were")
        }
        guard Digest32(try row.decode(1, as: [UInt8].self)) == digest else {
            throw LedgerError.corrupted("revision \(first) does not continue what the seal before it says")
        }
        (tip.tree, tip.digest) = (tree, digest)
        return tip
    }

    private static func checked(_ size: Int64?, _ connection: isolated PostgresConnection) async throws -> Int64 {
        let head = try await LedgerQueries.head(connection)
        guard let latest = head?.revision else { throw HistoryError.nothingRecorded }
        guard let size else { return latest.number }
        guard size >= 1, size <= latest.number else { throw HistoryError.notYetWritten(latest: latest) }
        return size
    }

    private static func compacted(_ connection: isolated PostgresConnection) async throws -> HistoryError {
        .compacted(oldest: try await RecordedBounds.read(connection).oldest)
    }

    private static func take(_ tree: MerkleTree, _ hasher: inout RangeHasher) {
        var start: Int64 = 0
        var rest = tree.count
        for root in tree.roots {
            let size = Int64(1) << (63 - rest.leadingZeroBitCount)
            hasher.take(subtree: root, start: start, size: size)
            start += size
            rest -= size
        }
    }

    private struct Leaf {
        var digest: Digest32
        /// False: of a number that the repair of a fork left out.
        var isUsed: Bool
    }

    /// Hands on the leaves behind `tip`, each revision's proven to follow the one before.
    private static func leaves(
        after tip: LogTip, upTo size: Int64, _ connection: isolated PostgresConnection,
        _ take: (Leaf) -> Void
    ) async throws {
        // COPY takes no binds; these are numbers of ours.
        let first = tip.tree.count
        var expected = first
        var previous = tip.digest
        try await connection.copyOut(
            """
            COPY (SELECT revision, previous_digest, digest, cause = 'fork_repaired' FROM ledger.revision \
            WHERE revision >= \(unsafeSQL: "\(max(first, 1))") AND revision <= (SELECT coalesce(min(revision), \
            \(unsafeSQL: "\(size)")) FROM ledger.revision WHERE revision >= \(unsafeSQL: "\(size)")) ORDER BY revision, at) \
            TO STDOUT (FORMAT binary)
            """
        ) { row in
            let revision = try row.int64()
            let before = Digest32(try row.bytes())
            guard let digest = Digest32(try row.bytes()) else {
                throw LedgerError.corrupted("the digest of revision \(revision) has not 32 bytes")
            }
            if revision == first, expected == first {
                // What was known already has to be what is there.
                guard digest == previous else {
                    throw LedgerError.corrupted("revision \(revision) is another than it was before")
                }
                return
            }
            let repairs = try row.bool()
            guard revision == expected + 1 || (repairs && revision > expected) else {
                throw LedgerError.corrupted("revision \(expected + 1) is gone")
            }
            guard before == previous else {
                throw LedgerError.corrupted("revision \(revision) does not continue the one before it")
            }
            while expected + 1 < revision, expected < size {
                expected += 1
                take(Leaf(digest: MerkleTree.unused(expected), isUsed: false))
            }
            guard expected < size else { return }
            expected += 1
            previous = digest
            take(Leaf(digest: digest, isUsed: true))
        }
        guard expected == size else { throw LedgerError.corrupted("revision \(expected + 1) is gone") }
    }
}
