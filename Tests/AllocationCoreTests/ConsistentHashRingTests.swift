//
// ConsistentHashRingTests.swift: the ring against partition tables and look-ups made by upstream's own library.
//

import AllocationCore
import Foundation
import Testing

/// Goal: every partition and every key has the owner that upstream gives it, in both versions.
///
/// Method: the vectors were produced by running the library; a case where it gave up must still be placed here, marked.
@Suite struct ConsistentHashRingTests {
    struct Vector: Decodable, Sendable, CustomTestStringConvertible {
        let name: String
        let members: [String]
        let partitionOwners: [Int]?
        let keys: [String: String]?
        let error: String?

        enum CodingKeys: String, CodingKey {
            case name, members, keys, error
            case partitionOwners = "partition_owners"
        }

        var testDescription: String { name }

        static func load(_ file: String) -> [Vector] {
            do {
                let url = try #require(
                    Bundle.module.url(forResource: file, withExtension: "json", subdirectory: "Fixtures"))
                return try JSONDecoder().decode([Vector].self, from: Data(contentsOf: url))
            } catch {
                Issue.record("\(file): \(error)")
                return []
            }
        }
    }

    @Test("v1 places as the library v1.0.0 does", arguments: Vector.load("consistent-hashing-v1"))
    func v1(vector: Vector) { check(vector, .v1) }

    @Test("v0 places as the library v0.10.0 does", arguments: Vector.load("consistent-hashing-v0"))
    func v0(vector: Vector) { check(vector, .v0) }

    @Test("The vectors are there")
    func vectorsExist() {
        #expect(Vector.load("consistent-hashing-v1").count > 5)
        #expect(Vector.load("consistent-hashing-v0").contains { $0.error != nil })
    }

    private func check(_ vector: Vector, _ version: ConsistentHashRing.Version) {
        let ring = ConsistentHashRing(members: vector.members.shuffled(), version: version)
        #expect(ring.isBeyondLibrary == (vector.error != nil))
        if vector.error != nil {
            #expect(ring.partitionOwners.count == ConsistentHashRing.partitionCount)
        }
        if let owners = vector.partitionOwners {
            #expect(ring.partitionOwners.map { ring.members[Int($0)] } == owners.map { vector.members[$0] })
        }
        for (key, owner) in vector.keys ?? [:] { #expect(ring.owner(of: key) == owner, "key \(key)") }
    }

    @Test("Without members nobody owns anything")
    func empty() {
        let ring = ConsistentHashRing(members: [], version: .v1)
        #expect(ring.owner(of: "10.0.0.1:8080") == nil)
    }
}
