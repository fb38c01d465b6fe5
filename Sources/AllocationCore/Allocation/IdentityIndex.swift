//
// IdentityIndex.swift: from a target's identity to its slot.
//
// Identities are hashes already, so their low bits place them: no second hash, 4 bytes an entry plus slack. A
// dictionary needs 16 and SipHash for each look-up.
//

/// Open-addressing map from identity to slot number; the identities themselves stay with their slots.
struct IdentityIndex: Sendable {
    private static let free: Int32 = -1
    private static let removed: Int32 = -2

    private var places = ContiguousArray(repeating: Self.free, count: 16)
    private(set) var count = 0
    /// Occupied or removed places; decides when to rebuild.
    private var used = 0

    init(capacity: Int = 0) { reserve(capacity) }

    mutating func reserve(_ capacity: Int) {
        var size = places.count
        while capacity * 10 > size * 7 { size *= 2 }
        if size != places.count, count == 0 {
            places = ContiguousArray(repeating: Self.free, count: size)
            used = 0
        }
    }

    func slot(of identity: TargetIdentity, identityAt: (Int32) -> TargetIdentity) -> Int32? {
        let mask = places.count - 1
        var place = Int(truncatingIfNeeded: identity.rawValue) & mask
        while places[place] != Self.free {
            let slot = places[place]
            if slot >= 0, identityAt(slot) == identity { return slot }
            place = (place + 1) & mask
        }
        return nil
    }

    /// Adds a slot whose identity is not in the index yet.
    mutating func insert(_ slot: Int32, for identity: TargetIdentity, identityAt: (Int32) -> TargetIdentity) {
        if (used + 1) * 10 > places.count * 7 { rebuild(identityAt: identityAt) }
        let mask = places.count - 1
        var place = Int(truncatingIfNeeded: identity.rawValue) & mask
        while places[place] >= 0 { place = (place + 1) & mask }
        if places[place] == Self.free { used += 1 }
        places[place] = slot
        count += 1
    }

    mutating func remove(_ slot: Int32, for identity: TargetIdentity) {
        let mask = places.count - 1
        var place = Int(truncatingIfNeeded: identity.rawValue) & mask
        while places[place] != Self.free {
            if places[place] == slot {
                places[place] = Self.removed
                count -= 1
                return
            }
            place = (place + 1) & mask
        }
    }

    private mutating func rebuild(identityAt: (Int32) -> TargetIdentity) {
        var size = 16
        while (count + 1) * 10 > size * 5 { size *= 2 }
        let old = places
        places = ContiguousArray(repeating: Self.free, count: size)
        let mask = size - 1
        for slot in old where slot >= 0 {
            var place = Int(truncatingIfNeeded: identityAt(slot).rawValue) & mask
            while places[place] >= 0 { place = (place + 1) & mask }
            places[place] = slot
        }
        used = count
    }
}
