//
// RingReader.swift: placement rules, whole, or only who owned the partitions that a page shows.
//
// A rule names every collector. A page of moves by one rule is told by reading that rule once; the story of one target
// over many rules by asking each rule for one name.
//

import AllocationCore
import PostgresDriver

/// Placement rules by number, read when they first occur.
struct RingReader {
    private var rings: [Int32: Placement] = [:]

    mutating func read(_ numbers: some Sequence<Int32?>, _ connection: isolated PostgresConnection) async throws {
        let new = Set(numbers.compactMap { $0 }.filter { rings[$0] == nil }).sorted()
        guard !new.isEmpty else { return }
        let rows = try await connection.query(
            """
            SELECT id, strategy, version, members, partition_owners, note FROM ledger.ring WHERE id = ANY(\(new))
            """)
        for row in rows {
            rings[try row.decode(0)] = Placement(
                strategy: try row.decode(1), ringVersion: try row.decode(2), members: try row.decode(3),
                partitionOwners: try row.decode(4, as: [Int16].self).map { UInt16(bitPattern: $0) },
                note: try row.decode(5))
        }
    }

    subscript(number: Int32?) -> Placement? { number.flatMap { rings[$0] } }
}

/// Owners of partitions by placement rule, read when they first occur.
struct OwnerReader {
    struct Key: Hashable, Sendable {
        let ring: Int32
        let partition: Int
    }

    private struct Owner {
        /// Nil without collectors.
        let name: String?
        /// Whether the rule is a ring at all.
        let isRing: Bool
    }

    private var rings = RingReader()
    private var owners: [Key: Owner] = [:]

    /// From this many partitions of a rule on, on average, the rule is read whole.
    private static let wholeFrom = 8

    mutating func read(_ wanted: [Key], _ connection: isolated PostgresConnection) async throws {
        let new = Set(wanted.filter { owners[$0] == nil && rings[$0.ring] == nil })
        let numbers = Set(new.map(\.ring))
        guard new.count < Self.wholeFrom * numbers.count else { return try await rings.read(numbers, connection) }
        let keys = Array(new)
        // Stored as the 16 bits that they are.
        let rows = try await connection.query(
            """
            SELECT r.id, u.partition, \
            r.members[(r.partition_owners[u.partition + 1]::integer + 65536) % 65536 + 1], r.version IS NOT NULL \
            FROM unnest(\(keys.map(\.ring)), \(keys.map { Int32($0.partition) })) AS u(ring, partition) \
            JOIN ledger.ring r ON r.id = u.ring
            """)
        for row in rows {
            owners[Key(ring: try row.decode(0), partition: Int(try row.decode(1, as: Int32.self)))] = Owner(
                name: try row.decode(2), isRing: try row.decode(3))
        }
    }

    /// Nil without a ring.
    func place(_ address: String, _ facts: RevisionFacts) -> RingPlace? {
        let partition = ConsistentHashRing.partition(of: address)
        guard let after = owner(facts.ring, partition), after.isRing else { return nil }
        return RingPlace(
            partition: partition, ownerBefore: facts.ringBefore.flatMap { owner($0, partition)?.name },
            ownerAfter: after.name)
    }

    private func owner(_ ring: Int32, _ partition: Int) -> Owner? {
        if let owner = owners[Key(ring: ring, partition: partition)] { return owner }
        return rings[ring].map { Owner(name: $0.owner(of: partition), isRing: $0.ringVersion != nil) }
    }
}

extension Placement {
    /// Nil without a ring or without collectors.
    package func owner(of partition: Int) -> String? {
        guard partition < partitionOwners.count else { return nil }
        let owner = Int(partitionOwners[partition])
        return owner < members.count ? members[owner] : nil
    }
}
