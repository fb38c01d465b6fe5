//
// MerkleTree.swift: the tree over a revision's events, and over the log's revisions.
//
// RFC 6962, section 2.1: a leaf is SHA-256(0x00 ‖ entry), a node SHA-256(0x01 ‖ left ‖ right), the empty tree
// SHA-256 of nothing. Leaves come one by one; only one hash for each power of two is kept, so a tree of a million
// leaves needs twenty.
//

/// A Merkle tree hash that is built leaf by leaf.
package struct MerkleTree: Sendable, Hashable {
    /// The right edge: roots of complete subtrees, largest first; their sizes are distinct powers of two, the bits of
    /// ``count``.
    package private(set) var roots: [Digest32] = []
    package private(set) var count: Int64 = 0

    package init() {}

    /// Goes on from a right edge that was kept.
    ///
    /// - Parameter edge: ``edge`` of that tree.
    /// - Returns: Nil when it cannot be the edge of a tree of so many leaves.
    package init?(count: Int64, edge: [UInt8]) {
        guard count >= 0, edge.count == count.nonzeroBitCount * Digest32.byteCount else { return nil }
        roots = stride(from: 0, to: edge.count, by: Digest32.byteCount).compactMap {
            Digest32(edge[$0..<$0 + Digest32.byteCount])
        }
        self.count = count
    }

    /// The roots one after the other: with the number of leaves, all that is needed to go on.
    package var edge: [UInt8] { roots.flatMap(\.bytes) }

    /// - Parameter leaf: The hash of an entry, the prefix 0x00 included.
    package mutating func append(_ leaf: Digest32) {
        var root = leaf
        var bit = count
        while bit & 1 == 1 {
            root = Self.node(roots.removeLast(), root)
            bit >>= 1
        }
        roots.append(root)
        count += 1
    }

    /// Appends the leaves of numbers that are not used, so that leaf *i* stays that of revision *i* + 1.
    ///
    /// - Parameter revision: The next one that is used.
    mutating func skip(to revision: Int64) {
        while count < revision - 1 { append(Self.unused(count + 1)) }
    }

    /// The leaf of a revision's number that is not used: SHA-256 of byte 00, `N` and the number.
    static func unused(_ number: Int64) -> Digest32 {
        withUnsafeTemporaryAllocation(byteCount: 14, alignment: 1) { buffer in
            buffer[0] = 0
            buffer[1] = UInt8(ascii: "N")
            buffer.storeBytes(of: UInt32(8).bigEndian, toByteOffset: 2, as: UInt32.self)
            buffer.storeBytes(of: number.bigEndian, toByteOffset: 6, as: Int64.self)
            return Digest32.hash(UnsafeRawBufferPointer(buffer))
        }
    }

    /// Appends a complete subtree. Its size must not be larger than the smallest one that is there.
    ///
    /// - Parameter size: A power of two.
    mutating func append(subtree: Digest32, size: Int64) {
        precondition(size.nonzeroBitCount == 1 && count & (size - 1) == 0, "a subtree of \(size) after \(count) leaves")
        var root = subtree
        var bit = count / size
        while bit & 1 == 1 {
            root = Self.node(roots.removeLast(), root)
            bit >>= 1
        }
        roots.append(root)
        count += size
    }

    package var root: Digest32 {
        guard var root = roots.last else { return Digest32.hash([]) }
        for larger in roots.dropLast().reversed() { root = Self.node(larger, root) }
        return root
    }

    static func node(_ left: Digest32, _ right: Digest32) -> Digest32 {
        withUnsafeTemporaryAllocation(byteCount: 1 + 2 * Digest32.byteCount, alignment: 1) { buffer in
            buffer[0] = 1
            left.withBytes { UnsafeMutableRawBufferPointer(rebasing: buffer[1..<33]).copyMemory(from: $0) }
            right.withBytes { UnsafeMutableRawBufferPointer(rebasing: buffer[33..<65]).copyMemory(from: $0) }
            return Digest32.hash(UnsafeRawBufferPointer(buffer))
        }
    }
}
