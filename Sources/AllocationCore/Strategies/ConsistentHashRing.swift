//
// ConsistentHashRing.swift: which collector owns which of 1061 partitions, bit for bit as upstream computes it.
//
// Consistent hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam, 2016) as the Go library that upstream uses
// implements it. Two versions of that library assign differently; both are kept, see spec/target-allocator.md 8.3.
//

/// The partition table for one set of members.
///
/// Example with members `a`, `b`, `c`: each is put on the ring at 5 positions; partition 0 hashes to a position and is
/// given to the next member clockwise that still has room, then partition 1, and so on up to 1060. A target's partition
/// is the hash of its address modulo 1061, so a target moves only when its partition's owner changes.
///
/// Invariant: the table is a function of the set of members and the version alone; order of members does not matter.
package struct ConsistentHashRing: Sendable, Hashable {
    /// Which release of upstream's ring library is followed.
    package enum Version: String, Sendable, CaseIterable {
        /// Library v1.0.0, upstream since August 2026: virtual node `<index>:<name>`.
        case v1
        /// Library v0.10.0, upstream up to v0.158.0: virtual node `<name><index>`.
        case v0
    }

    package static let partitionCount = 1061
    private static let replicationFactor = 5
    private static let loadFactor = 1.1

    package let version: Version
    /// Sorted bytewise, no name twice.
    package let members: [String]
    /// For each partition the index of its owner in ``members``; empty when there are no members.
    package let partitionOwners: [UInt16]
    /// Set where version v0 gives up ("not enough room to distribute partitions") and v1's load bound was used instead.
    package let isBeyondLibrary: Bool

    struct VirtualNode {
        let position: UInt64
        let member: Int
    }

    /// - Parameter members: Names in any order; a name given twice counts once.
    package init(members: some Sequence<String>, version: Version) {
        self.version = version
        self.members = Set(members).sorted(by: ByteOrder.precedes)
        precondition(self.members.count <= Int(UInt16.max), "more than \(UInt16.max) collectors")
        guard !self.members.isEmpty else {
            (partitionOwners, isBeyondLibrary) = ([], false)
            return
        }
        let ring = Self.virtualNodes(self.members, version)
        if let owners = Self.distribute(ring, members: self.members.count, version: version) {
            (partitionOwners, isBeyondLibrary) = (owners, false)
        } else {
            let owners = Self.distribute(ring, members: self.members.count, version: .v1)
            // v1's bound times the number of members is never less than the number of partitions.
            partitionOwners = owners.unsafelyUnwrapped
            isBeyondLibrary = true
        }
    }

    /// The partition of an address: the bytes of its un-relabelled `__address__`.
    package static func partition(of address: UnsafeRawBufferPointer) -> Int {
        Int(XXH64.hash(address) % UInt64(partitionCount))
    }

    /// The partition of an address given as text.
    package static func partition(of address: String) -> Int {
        Int(XXH64.hash(address) % UInt64(partitionCount))
    }

    /// The name that owns `address`; nil when there are no members.
    package func owner(of address: String) -> String? {
        guard !partitionOwners.isEmpty else { return nil }
        return members[Int(partitionOwners[Self.partition(of: address)])]
    }

    static func virtualNodes(_ members: [String], _ version: Version) -> [VirtualNode] {
        var ring: [VirtualNode] = []
        ring.reserveCapacity(members.count * replicationFactor)
        for (member, name) in members.enumerated() {
            for index in 0..<replicationFactor {
                let key = version == .v1 ? "\(index):\(name)" : "\(name)\(index)"
                ring.append(VirtualNode(position: XXH64.hash(key), member: member))
            }
        }
        return ring.sorted { $0.position < $1.position }
    }

    /// Partitions that one member may own.
    static func loadMax(members: Int, version: Version) -> Int {
        switch version {
        case .v0: Int((Double(partitionCount / members) * loadFactor).rounded(.up))
        case .v1: Int((Double(partitionCount) / Double(members) * loadFactor).rounded(.up))
        }
    }

    /// Nil where the library of that version gives up.
    private static func distribute(_ ring: [VirtualNode], members: Int, version: Version) -> [UInt16]? {
        let loadMax = loadMax(members: members, version: version)
        // v0.10.0 counts a step before it looks, so it never tries the last position of a full turn.
        let stepsMax = version == .v0 ? ring.count - 1 : ring.count
        var loads = [Int](repeating: 0, count: members)
        var owners: [UInt16] = []
        owners.reserveCapacity(partitionCount)
        for partition in 0..<partitionCount {
            var place = firstPlace(in: ring, from: hash(ofPartition: partition))
            var steps = 0
            while steps < stepsMax, loads[ring[place].member] >= loadMax {
                place = (place + 1) % ring.count
                steps += 1
            }
            guard steps < stepsMax else { return nil }
            loads[ring[place].member] += 1
            owners.append(UInt16(ring[place].member))
        }
        return owners
    }

    static func hash(ofPartition partition: Int) -> UInt64 {
        withUnsafeBytes(of: UInt64(partition).littleEndian) { XXH64.hash($0) }
    }

    /// Index of the first position at or after `position`, the ring's first when there is none.
    static func firstPlace(in ring: [VirtualNode], from position: UInt64) -> Int {
        var (low, high) = (0, ring.count)
        while low < high {
            let middle = (low + high) / 2
            if ring[middle].position < position { low = middle + 1 } else { high = middle }
        }
        return low == ring.count ? 0 : low
    }
}
