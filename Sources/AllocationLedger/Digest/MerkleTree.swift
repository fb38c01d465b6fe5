//
// MerkleTree.swift: the root over a revision's events.
//
// RFC 6962, section 2.1: a leaf is SHA-256(0x00 ‖ entry), a node SHA-256(0x01 ‖ left ‖ right), the empty tree
// SHA-256 of nothing. Leaves come one by one; only one hash for each power of two is kept, so a revision of a million
// events needs twenty.
//

/// A Merkle tree hash that is built leaf by leaf.
struct MerkleTree {
    /// Roots of complete subtrees, largest first; sizes are distinct powers of two, the bits of `count`.
    private var roots: [Digest32] = []
    private(set) var count = 0

    /// - Parameter leaf: The hash of an entry, the prefix 0x00 included.
    mutating func append(_ leaf: Digest32) {
        var root = leaf
        var bit = count
        while bit & 1 == 1 {
            root = Self.node(roots.removeLast(), root)
            bit >>= 1
        }
        roots.append(root)
        count += 1
    }

    var root: Digest32 {
        guard var root = roots.last else { return Digest32.hash([]) }
        for larger in roots.dropLast().reversed() { root = Self.node(larger, root) }
        return root
    }

    private static func node(_ left: Digest32, _ right: Digest32) -> Digest32 {
        withUnsafeTemporaryAllocation(byteCount: 1 + 2 * Digest32.byteCount, alignment: 1) { buffer in
            buffer[0] = 1
            left.withBytes { UnsafeMutableRawBufferPointer(rebasing: buffer[1..<33]).copyMemory(from: $0) }
            right.withBytes { UnsafeMutableRawBufferPointer(rebasing: buffer[33..<65]).copyMemory(from: $0) }
            return Digest32.hash(UnsafeRawBufferPointer(buffer))
        }
    }
}
