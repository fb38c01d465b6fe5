//
// LogProof.swift: inclusion and consistency proofs of a Merkle tree: which hashes they consist of, and what they prove.
//
// RFC 6962, sections 2.1.1 and 2.1.2. A proof is a list of hashes of ranges of leaves, so making one needs no tree in
// memory: the ranges are known from the numbers alone, and one pass over the leaves hashes them.
//

/// Ranges of leaves whose tree hashes make up a proof.
enum LogProof {
    /// The audit path of a leaf, from the leaf up.
    ///
    /// - Parameter index: From 0, below `size`.
    static func inclusionRanges(index: Int64, size: Int64) -> [Range<Int64>] {
        precondition(index >= 0 && index < size, "leaf \(index) of \(size)")
        var (low, high) = (Int64(0), size)
        var ranges: [Range<Int64>] = []
        while high - low > 1 {
            let middle = low + split(high - low)
            if index < middle {
                ranges.append(middle..<high)
                high = middle
            } else {
                ranges.append(low..<middle)
                low = middle
            }
        }
        return ranges.reversed()
    }

    /// The proof that a tree of `size` leaves begins with that of `first`.
    static func consistencyRanges(first: Int64, size: Int64) -> [Range<Int64>] {
        precondition(first >= 0 && first <= size, "the first \(first) of \(size)")
        var ranges: [Range<Int64>] = []
        var (low, high, isWhole) = (Int64(0), size, true)
        guard first > 0 else { return [] }
        while first != high {
            let middle = low + split(high - low)
            if first <= middle {
                ranges.append(middle..<high)
                high = middle
            } else {
                ranges.append(low..<middle)
                low = middle
                isWhole = false
            }
        }
        if !isWhole { ranges.append(low..<high) }
        return ranges.reversed()
    }

    /// The root that an audit path leads to; nil when it has not the hashes that it must have.
    package static func root(leaf: Digest32, index: Int64, size: Int64, path: [Digest32]) -> Digest32? {
        guard index >= 0, index < size else { return nil }
        let ranges = inclusionRanges(index: index, size: size)
        guard ranges.count == path.count else { return nil }
        return zip(ranges, path).reduce(leaf) { hash, step in
            step.0.lowerBound > index ? MerkleTree.node(hash, step.1) : MerkleTree.node(step.1, hash)
        }
    }

    /// The roots of both trees that a consistency proof leads to; nil when it has not the hashes that it must have.
    ///
    /// - Parameter firstRoot: Of the smaller tree; part of the proof where that tree is a subtree of the larger one.
    package static func roots(
        first: Int64, size: Int64, firstRoot: Digest32, proof: [Digest32]
    ) -> (first: Digest32, second: Digest32)? {
        guard first > 0, first <= size else { return nil }
        let ranges = consistencyRanges(first: first, size: size)
        guard ranges.count == proof.count else { return nil }
        var steps = zip(ranges, proof).map { (range: $0, hash: $1) }[...]
        var (old, new) = (firstRoot, firstRoot)
        // Where the smaller tree is no subtree of the larger one, its last part comes first.
        if let last = steps.first, last.range.upperBound == first {
            steps.removeFirst()
            (old, new) = (last.hash, last.hash)
        }
        for step in steps {
            if step.range.lowerBound >= first {
                new = MerkleTree.node(new, step.hash)
            } else {
                (old, new) = (MerkleTree.node(step.hash, old), MerkleTree.node(step.hash, new))
            }
        }
        return (old, new)
    }

    /// The largest power of two below `count`, which is 2 or more.
    private static func split(_ count: Int64) -> Int64 {
        1 << (63 - (count - 1).leadingZeroBitCount)
    }
}

/// Hashes ranges of leaves in one pass over the leaves.
struct RangeHasher {
    /// Disjoint, ordered by where they begin, each with its number in the proof.
    private var parts: [(range: Range<Int64>, place: Int, tree: MerkleTree)]
    private var next = 0

    init(_ ranges: [Range<Int64>]) {
        parts = ranges.enumerated().map { ($1, $0, MerkleTree()) }.sorted { $0.range.lowerBound < $1.range.lowerBound }
    }

    /// Takes a complete subtree in place of its leaves.
    ///
    /// - Parameter start: Number of its first leaf.
    mutating func take(subtree: Digest32, start: Int64, size: Int64) {
        guard seek(start) else { return }
        precondition(parts[next].range.upperBound >= start + size, "a subtree reaches out of \(parts[next].range)")
        parts[next].tree.append(subtree: subtree, size: size)
    }

    mutating func take(_ leaf: Digest32, index: Int64) {
        if seek(index) { parts[next].tree.append(leaf) }
    }

    private mutating func seek(_ index: Int64) -> Bool {
        while next < parts.count, parts[next].range.upperBound <= index { next += 1 }
        return next < parts.count && parts[next].range.contains(index)
    }

    /// In the order of the proof; nil when leaves were missing.
    var hashes: [Digest32]? {
        guard parts.allSatisfy({ $0.tree.count == Int64($0.range.count) }) else { return nil }
        return parts.sorted { $0.place < $1.place }.map(\.tree.root)
    }
}
