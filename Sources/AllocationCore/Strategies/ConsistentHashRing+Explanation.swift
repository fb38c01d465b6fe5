//
// ConsistentHashRing+Explanation.swift: how one partition came to its owner.
//

extension ConsistentHashRing {
    /// The walk of one partition around the ring.
    package struct Explanation: Sendable, Hashable {
        /// A member that had no room left.
        package struct Passed: Sendable, Hashable {
            package var member: String
            /// Partitions that it had by then, which is the most it may have.
            package var load: Int
        }

        package var partition: Int
        /// Whose position is the next one clockwise: the owner if there were no load bound.
        package var naturalOwner: String
        package var owner: String
        /// Full members that were passed, in the order of the walk; a member that has several of the positions comes
        /// once. Empty: the natural owner had room.
        package var passed: [Passed]
        /// Positions that were passed: the load-bound step.
        package var steps: Int
        /// Partitions that one member may have.
        package var loadMax: Int
        /// Partitions that the owner had before this one.
        package var ownerLoad: Int
    }

    /// Distributes again up to this partition. Nil without members, or beyond the last partition.
    package func explain(partition wanted: Int) -> Explanation? {
        guard !partitionOwners.isEmpty, partitionOwners.indices.contains(wanted) else { return nil }
        let ring = Self.virtualNodes(members, version)
        let loadMax = Self.loadMax(members: members.count, version: isBeyondLibrary ? .v1 : version)
        // The owners of those before are known; only their number matters.
        var loads = [Int](repeating: 0, count: members.count)
        for partition in 0..<wanted { loads[Int(partitionOwners[partition])] += 1 }
        var place = Self.firstPlace(in: ring, from: Self.hash(ofPartition: wanted))
        let natural = ring[place].member
        var passed: [Int] = []
        var steps = 0
        while loads[ring[place].member] >= loadMax, steps < ring.count {
            if !passed.contains(ring[place].member) { passed.append(ring[place].member) }
            place = (place + 1) % ring.count
            steps += 1
        }
        let owner = ring[place].member
        return Explanation(
            partition: wanted, naturalOwner: members[natural], owner: members[owner],
            passed: passed.map { .init(member: members[$0], load: loads[$0]) }, steps: steps, loadMax: loadMax,
            ownerLoad: loads[owner])
    }
}
