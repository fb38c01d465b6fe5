//
// RingExplanationTests.swift: the walk that explains an owner ends at that owner.
//

import AllocationCore
import Testing

/// Goal: for every partition of every ring, the explanation gives the recorded owner, and names the full members between
/// it and the natural one.
///
/// Method: rings of many sizes, whose tables the vectors pin to upstream's library; loads counted again here.
@Suite struct RingExplanationTests {
    @Test(
        "A partition's walk ends at its owner, past full members only",
        arguments: [1, 2, 3, 10, 100, 1061, 2000], ConsistentHashRing.Version.allCases)
    func walk(count: Int, version: ConsistentHashRing.Version) throws {
        let ring = ConsistentHashRing(members: (0..<count).map { "collector-\($0)" }, version: version)
        var loads: [String: Int] = [:]
        for partition in stride(from: 0, to: ConsistentHashRing.partitionCount, by: count > 100 ? 53 : 1) {
            loads = Dictionary(
                ring.partitionOwners.prefix(partition).map { (ring.members[Int($0)], 1) }, uniquingKeysWith: +)
            let walk = try #require(ring.explain(partition: partition))
            #expect(walk.owner == ring.members[Int(ring.partitionOwners[partition])])
            #expect(walk.ownerLoad == loads[walk.owner] ?? 0 && walk.ownerLoad < walk.loadMax)
            #expect(walk.passed.isEmpty == (walk.naturalOwner == walk.owner))
            #expect(walk.passed.first.map { $0.member == walk.naturalOwner } ?? true)
            #expect(walk.steps >= walk.passed.count)
            for passed in walk.passed { #expect(passed.load == walk.loadMax && loads[passed.member] == passed.load) }
        }
    }

    @Test("There is nothing to explain without members or beyond the last partition")
    func nothing() {
        #expect(ConsistentHashRing(members: [], version: .v1).explain(partition: 0) == nil)
        let ring = ConsistentHashRing(members: ["a"], version: .v1)
        #expect(ring.explain(partition: -1) == nil)
        #expect(ring.explain(partition: ConsistentHashRing.partitionCount) == nil)
        #expect(ring.explain(partition: 1060)?.owner == "a")
    }
}
