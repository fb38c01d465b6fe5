//
// Placer.swift: a strategy at work: which collector gets a target.
//

/// The strategy bound to the collectors that are present.
enum Placer: Sendable {
    /// Owners of the partitions as collector numbers.
    case ring(ConsistentHashRing, owners: ContiguousArray<Int32>)
    /// Present collectors, sorted bytewise by name, so that ties fall to the smallest name.
    case leastWeighted(ContiguousArray<Int32>)
    /// Present collectors by load.
    case sticky(ContiguousArray<Int32>, StickySettings)

    init(_ strategy: StrategyConfiguration, collectors: CollectorTable) {
        let names = collectors.presentNames
        // Every name comes from the table itself.
        let numbers = ContiguousArray(names.map { collectors.number(of: $0).unsafelyUnwrapped.rawValue })
        switch strategy {
        case .consistentHashing(let version):
            let ring = ConsistentHashRing(members: names, version: version)
            self = .ring(ring, owners: ContiguousArray(ring.partitionOwners.map { numbers[Int($0)] }))
        case .leastWeighted:
            self = .leastWeighted(numbers)
        case .sticky(let settings):
            self = .sticky(numbers, settings)
        }
    }

    /// Present collectors of a strategy that goes by load; nil for one that does not.
    var balanced: ContiguousArray<Int32>? {
        switch self {
        case .ring: nil
        case .leastWeighted(let present), .sticky(let present, _): present
        }
    }

    /// What the ledger keeps of the rule.
    func placement(_ strategy: StrategyConfiguration, collectors: CollectorTable) -> Placement {
        switch self {
        case .ring(let ring, _):
            Placement(
                strategy: strategy.name, ringVersion: ring.version.rawValue, members: ring.members,
                partitionOwners: ring.partitionOwners,
                note: ring.isBeyondLibrary
                    ? "ring \(ring.version.rawValue) has no room for \(ring.members.count) collectors; "
                        + "v1's load bound is used on its positions" : nil
            )
        case .leastWeighted:
            Placement(
                strategy: strategy.name, ringVersion: nil, members: collectors.presentNames, partitionOwners: [])
        case .sticky(_, let settings):
            Placement(
                strategy: strategy.name, ringVersion: nil, members: collectors.presentNames, partitionOwners: [],
                note: settings.note)
        }
    }
}
