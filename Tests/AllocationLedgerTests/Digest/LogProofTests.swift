import Foundation
import Testing

@testable import AllocationLedger

/// Goal: proofs are RFC 6962's: any certificate transparency tool takes them, and nothing else is taken for one.
///
/// Method: the happy paths of transparency-dev/merkle's test data (testdata/inclusion and testdata/consistency), which
/// are over the entries of ``MerkleTreeTests``; and the definition, for every index and size up to 33.
@Suite struct LogProofTests {
    private static func hash(_ base64: String) -> Digest32 { Digest32(Data(base64Encoded: base64) ?? Data()) ?? .zero }

    private static let entries: [[UInt8]] = [
        [], [0x00], [0x10], [0x20, 0x21], [0x30, 0x31], [0x40, 0x41, 0x42, 0x43], Array(0x50...0x57),
        Array(0x60...0x6F),
    ]
    private static let leaves = entries.map { Digest32.hash([0] + $0) }
    private static let root8 = hash("XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=")

    struct Inclusion: Sendable {
        var index: Int64
        var size: Int64
        var root: String
        var path: [String]
    }

    @Test(
        "Published inclusion proofs are made and taken",
        arguments: [
            Inclusion(
                index: 0, size: 8, root: "XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=",
                path: [
                    "lqKW0iTyhcZ77pPDD4owkVfw2qNdxbh+QQt4YwoJz8c=", "Xwg/ChozygdqlSeYMlgNs+DvRYS9/x9UyKNg9Q3jAx4=",
                    "a0eq8p7jwq+a+Im8H7klTavTEXfxYjLdaqsDXKOb9uQ=",
                ]),
            Inclusion(
                index: 5, size: 8, root: "XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=",
                path: [
                    "vBoGQ7EuTS18d5GPROD095qDi2z57FtcKD4fTYhZnms=", "yoVOoSjtBQtBs1/8G4e46yveRh6eO1WW7Oa51ZdaCuA=",
                    "037kGJdt2VdTwcc4Yrk5j6Kiz5tP8P3+izDNlSCWFLc=",
                ]),
            Inclusion(
                index: 2, size: 3, root: "rra8/idLcKFPsGel5VeCZNsPqbUa9eC6FZFY8yngbnc=",
                path: ["+sVCA+fMaWzw38tCySodnbr3CtnmIfS9jZhmLwDjwSU="]),
            Inclusion(
                index: 1, size: 5, root: "Tju7H3tHjc/nH7YxYxUZo7yhLJrvyhYSv85ME6hiZNQ=",
                path: [
                    "bjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0=", "Xwg/ChozygdqlSeYMlgNs+DvRYS9/x9UyKNg9Q3jAx4=",
                    "vBoGQ7EuTS18d5GPROD095qDi2z57FtcKD4fTYhZnms=",
                ]),
        ])
    func publishedInclusion(_ known: Inclusion) {
        let leaf = Self.leaves[Int(known.index)]
        let path = known.path.map(Self.hash)
        #expect(Self.path(known.index, Self.leaves.prefix(Int(known.size))) == path)
        #expect(LogProof.root(leaf: leaf, index: known.index, size: known.size, path: path) == Self.hash(known.root))
    }

    struct Consistency: Sendable {
        var first: Int64
        var second: Int64
        var firstRoot: String
        var secondRoot: String
        var proof: [String]
    }

    @Test(
        "Published consistency proofs are made and taken",
        arguments: [
            Consistency(
                first: 1, second: 8, firstRoot: "bjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0=",
                secondRoot: "XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=",
                proof: [
                    "lqKW0iTyhcZ77pPDD4owkVfw2qNdxbh+QQt4YwoJz8c=", "Xwg/ChozygdqlSeYMlgNs+DvRYS9/x9UyKNg9Q3jAx4=",
                    "a0eq8p7jwq+a+Im8H7klTavTEXfxYjLdaqsDXKOb9uQ=",
                ]),
            Consistency(
                first: 6, second: 8, firstRoot: "duZ9rbzfHhDht03cYIq9L5jfsW+851J3tSMqEn8gh+8=",
                secondRoot: "XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=",
                proof: [
                    "DrxdNDf74tsVi58Sah0RjjCBgQMdCpSfje3t68VY72o=", "yoVOoSjtBQtBs1/8G4e46yveRh6eO1WW7Oa51ZdaCuA=",
                    "037kGJdt2VdTwcc4Yrk5j6Kiz5tP8P3+izDNlSCWFLc=",
                ]),
            Consistency(
                first: 2, second: 5, firstRoot: "+sVCA+fMaWzw38tCySodnbr3CtnmIfS9jZhmLwDjwSU=",
                secondRoot: "Tju7H3tHjc/nH7YxYxUZo7yhLJrvyhYSv85ME6hiZNQ=",
                proof: [
                    "Xwg/ChozygdqlSeYMlgNs+DvRYS9/x9UyKNg9Q3jAx4=", "vBoGQ7EuTS18d5GPROD095qDi2z57FtcKD4fTYhZnms=",
                ]),
            Consistency(
                first: 6, second: 7, firstRoot: "duZ9rbzfHhDht03cYIq9L5jfsW+851J3tSMqEn8gh+8=",
                secondRoot: "3bib5AOAnjJXUNPSY814kpwpQreUKjS3fhIslZSnTIw=",
                proof: [
                    "DrxdNDf74tsVi58Sah0RjjCBgQMdCpSfje3t68VY72o=", "sIaT7C5yFZcTBkHoIR5+7cy0wmQTlj7ubB4u0W/7Gl8=",
                    "037kGJdt2VdTwcc4Yrk5j6Kiz5tP8P3+izDNlSCWFLc=",
                ]),
        ])
    func publishedConsistency(_ known: Consistency) throws {
        let proof = known.proof.map(Self.hash)
        #expect(Self.proof(known.first, Self.leaves.prefix(Int(known.second))) == proof)
        let roots = try #require(
            LogProof.roots(
                first: known.first, size: known.second, firstRoot: Self.hash(known.firstRoot), proof: proof))
        #expect(roots == (Self.hash(known.firstRoot), Self.hash(known.secondRoot)))
    }

    @Test("Every leaf of every tree up to 33 is proven by what the definition says, and by nothing that was changed")
    func everyInclusion() {
        let leaves = (0..<33 as Range<UInt8>).map { Digest32.hash([0, $0]) }
        for size in 1...leaves.count {
            let part = leaves.prefix(size)
            let root = Self.root(part)
            for index in 0..<size {
                let path = Self.path(Int64(index), part)
                #expect(Self.hashes(LogProof.inclusionRanges(index: Int64(index), size: Int64(size)), part) == path)
                func leads(_ leaf: Digest32, _ path: [Digest32], _ index: Int, _ size: Int) -> Bool {
                    LogProof.root(leaf: leaf, index: Int64(index), size: Int64(size), path: path) == root
                }
                #expect(leads(leaves[index], path, index, size))
                #expect(!leads(.hash([9]), path, index, size))
                #expect(!leads(leaves[index], path + [.zero], index, size))
                #expect(!leads(leaves[index], path, size, size))
                if let last = path.last {
                    #expect(!leads(leaves[index], path.dropLast(), index, size))
                    #expect(!leads(leaves[index], path.dropLast() + [Digest32.hash(last.bytes)], index, size))
                }
            }
        }
    }

    @Test("Every tree up to 33 is proven to begin with every smaller one, and with nothing else")
    func everyConsistency() {
        let leaves = (0..<33 as Range<UInt8>).map { Digest32.hash([0, $0]) }
        for size in 1...leaves.count {
            let part = leaves.prefix(size)
            for first in 1...size {
                let proof = Self.proof(Int64(first), part)
                #expect(Self.hashes(LogProof.consistencyRanges(first: Int64(first), size: Int64(size)), part) == proof)
                let (old, new) = (Self.root(leaves.prefix(first)), Self.root(part))
                func holds(_ old: Digest32, _ proof: [Digest32]) -> Bool {
                    LogProof.roots(first: Int64(first), size: Int64(size), firstRoot: old, proof: proof)
                        .map { $0 == (old, new) } ?? false
                }
                #expect(holds(old, proof))
                #expect(!holds(.hash([9]), proof))
                #expect(!holds(old, proof + [.zero]))
                for place in proof.indices {
                    var other = proof
                    other[place] = .hash(proof[place].bytes)
                    #expect(!holds(old, other), "hash \(place) of \(first) in \(size)")
                }
            }
        }
    }

    @Test("A tree goes on from its edge")
    func edge() throws {
        let leaves = (0..<40 as Range<UInt8>).map { Digest32.hash([0, $0]) }
        for count in 0...leaves.count {
            var tree = MerkleTree()
            for leaf in leaves.prefix(count) { tree.append(leaf) }
            var again = try #require(MerkleTree(count: Int64(count), edge: tree.edge))
            #expect(again == tree)
            for leaf in leaves.dropFirst(count) { again.append(leaf) }
            #expect(again.root == Self.root(leaves[...]))
            #expect(MerkleTree(count: Int64(count) + 1, edge: tree.edge + [0]) == nil)
        }
    }

    @Test("What stands for the first leaves stands for them in proofs too")
    func subtrees() {
        let leaves = (0..<30 as Range<UInt8>).map { Digest32.hash([0, $0]) }
        for dropped in 1..<29 {
            var tree = MerkleTree()
            for leaf in leaves.prefix(dropped) { tree.append(leaf) }
            for index in dropped..<30 {
                var hasher = RangeHasher(LogProof.inclusionRanges(index: Int64(index), size: 30))
                var start: Int64 = 0
                var rest = Int64(dropped)
                for root in tree.roots {
                    let size = Int64(1) << (63 - rest.leadingZeroBitCount)
                    hasher.take(subtree: root, start: start, size: size)
                    start += size
                    rest -= size
                }
                for (place, leaf) in leaves.enumerated().dropFirst(dropped) { hasher.take(leaf, index: Int64(place)) }
                #expect(hasher.hashes == Self.path(Int64(index), leaves[...]), "leaf \(index) behind \(dropped)")
            }
        }
    }

    // MARK: RFC 6962, written out

    private static func split(_ count: Int) -> Int {
        var split = 1
        while split * 2 < count { split *= 2 }
        return split
    }

    private static func root(_ leaves: ArraySlice<Digest32>) -> Digest32 {
        guard leaves.count > 1 else { return leaves.first ?? .hash([]) }
        let split = split(leaves.count)
        return .hash([1] + root(leaves.prefix(split)).bytes + root(leaves.dropFirst(split)).bytes)
    }

    private static func path(_ index: Int64, _ leaves: ArraySlice<Digest32>) -> [Digest32] {
        guard leaves.count > 1 else { return [] }
        let split = split(leaves.count)
        return index < split
            ? path(index, leaves.prefix(split)) + [root(leaves.dropFirst(split))]
            : path(index - Int64(split), leaves.dropFirst(split)) + [root(leaves.prefix(split))]
    }

    private static func proof(
        _ first: Int64, _ leaves: ArraySlice<Digest32>, isWhole: Bool = true
    ) -> [Digest32] {
        if first == leaves.count { return isWhole ? [] : [root(leaves)] }
        let split = split(leaves.count)
        return first <= split
            ? proof(first, leaves.prefix(split), isWhole: isWhole) + [root(leaves.dropFirst(split))]
            : proof(first - Int64(split), leaves.dropFirst(split), isWhole: false) + [root(leaves.prefix(split))]
    }

    /// In one pass over the leaves.
    private static func hashes(_ ranges: [Range<Int64>], _ leaves: ArraySlice<Digest32>) -> [Digest32]? {
        var hasher = RangeHasher(ranges)
        for (index, leaf) in leaves.enumerated() { hasher.take(leaf, index: Int64(index)) }
        return hasher.hashes
    }
}
