//
// GroupPlan.swift: what all targets of a group share whose own labels have the same names.
//
// A group's labels are the same for each of its targets, and the targets' own labels mostly have the same names. So
// where own labels go among the group's, which bytes of the identity are constant and which labels the rules look at is
// found once; each target then costs a copy of its IDs and a hash.
//
// Finding it costs a look at every label, and a look is a miss of the processor's caches. Since the groups of one job
// mostly have the same label names as well, places are remembered from group to group and only their neighbours checked.
//

import AllocationCore

/// How to merge and to hash a group's targets.
struct GroupPlan: ~Copyable {
    /// A part of the identity's bytes.
    struct HashPart: BitwiseCopyable {
        /// Range of ``constant``; empty for an own label.
        var start: Int
        var count: Int
        /// Index among the own labels; -1: constant.
        var own: Int
        /// The slot by which a rule can set or delete the label; -1: no rule can.
        var slot: Int32
    }

    private var isMade = false
    private var ownNames = ScratchBuffer<UInt32>()
    private var ownPlaces = ScratchBuffer<LabelPlace>()
    /// The index of each own label among the merged ones.
    private(set) var ownIndices = ScratchBuffer<Int>()
    /// The slot of each own label; -1: no rule can see it.
    var ownSlots = ScratchBuffer<Int32>()
    /// The merged labels of the target that the plan was made for.
    private(set) var merged: ContiguousArray<LabelID> = []
    /// Where the names starting with `__meta_` are among the merged labels.
    private(set) var metaRange = 0..<0
    private(set) var hashParts = ScratchBuffer<HashPart>()
    private(set) var constant = ScratchBuffer<UInt8>()
    /// Whether the labels have no name that seeding touches.
    var hasNoSeedNames = false
    /// The index of `__address__` among the merged labels; -1: there is none.
    private(set) var addressIndex = -1

    init() {}

    mutating func forget() { isMade = false }

    /// Whether the plan was made for own labels of these names.
    @inline(__always)
    func fits(_ own: borrowing LabelSet, in table: LabelTable) -> Bool {
        guard isMade, ownNames.count == own.ids.count else { return false }
        for index in ownNames.indices where table.nameID(own.ids[index]).rawValue != ownNames[index] { return false }
        return true
    }

    // MARK: Merging

    /// Merges; an own label replaces the group's of the same name (spec/target-allocator.md 6.2).
    mutating func begin(_ group: LabelSet, _ own: LabelSet, in table: LabelTable) {
        isMade = true
        hashParts.removeAll()
        constant.removeAll()
        ownSlots.removeAll()
        ownIndices.removeAll()
        addressIndex = -1
        rememberNames(own, in: table)
        // Not in place: the targets of the last group hold on to the storage.
        merged = []
        merged.reserveCapacity(group.ids.count + own.ids.count)
        var next = 0
        for index in own.ids.indices {
            let id = own.ids[index]
            ownPlaces[index].update(in: group.ids, table) { table.precedes($0, id) }
            let place = ownPlaces[index].index
            merged.append(contentsOf: group.ids[next..<place])
            ownIndices.append(merged.count)
            merged.append(id)
            next = place
            if place < group.ids.count, table.nameID(group.ids[place]) == table.nameID(id) { next += 1 }
        }
        merged.append(contentsOf: group.ids[next...])
        findMetaRange(in: table)
    }

    /// Places are worth keeping only for the names they were found for.
    private mutating func rememberNames(_ own: LabelSet, in table: LabelTable) {
        for index in own.ids.indices {
            let name = table.nameID(own.ids[index]).rawValue
            if index < ownNames.count, ownNames[index] == name { continue }
            ownNames.truncate(to: index)
            ownPlaces.truncate(to: index)
            ownNames.append(name)
            ownPlaces.append(LabelPlace())
        }
        ownNames.truncate(to: own.ids.count)
        ownPlaces.truncate(to: own.ids.count)
    }

    /// Names starting with `__meta_` are neighbours, since the labels are sorted.
    private mutating func findMetaRange(in table: LabelTable) {
        let last = metaRange
        if last.upperBound <= merged.count, !last.isEmpty, table.isMeta(merged[last.lowerBound]),
            table.isMeta(merged[last.upperBound - 1]),
            last.lowerBound == 0 || !table.isMeta(merged[last.lowerBound - 1]),
            last.upperBound == merged.count || !table.isMeta(merged[last.upperBound])
        {
            return
        }
        let start = merged.firstIndex { table.isMeta($0) } ?? merged.count
        metaRange = start..<(merged[start...].firstIndex { !table.isMeta($0) } ?? merged.count)
    }

    /// The labels of a target that the plan fits.
    @inline(__always)
    func labels(_ own: borrowing LabelSet) -> LabelSet {
        var ids = merged
        // Copies: `merged` still holds the storage. Writing to the copy is twice as fast as initialising a new array.
        ids.withUnsafeMutableBufferPointer { ids in
            for index in ownIndices.indices { ids[ownIndices[index]] = own.ids[index] }
        }
        return LabelSet(sortedUnique: ids)
    }

    // MARK: Identity

    /// Adds the merged label at `index`, in order, to what is hashed.
    ///
    /// - Parameter own: Its index among the own labels; -1: the group's.
    @inline(__always)
    mutating func addHashed(_ index: Int, own: Int, slot: Int32, in table: LabelTable) {
        let id = merged[index]
        if own >= 0 {
            hashParts.append(HashPart(start: 0, count: 0, own: own, slot: slot))
            return
        }
        if table.hasEmptyValue(id) { return }
        let start = constant.count
        let count = table.withPairBytes(id) { UnsafeMutableRawPointer(constant.extend(by: $0.count)).copyShort($0) }
        if slot < 0, let last = hashParts.last, last.own < 0, last.slot < 0 {
            hashParts[hashParts.count - 1].count += count
        } else {
            hashParts.append(HashPart(start: start, count: count, own: -1, slot: slot))
        }
    }

    mutating func setAddress(_ index: Int) { addressIndex = index }
}

/// Where a name is, or would go, in a sorted list of labels, remembered for the next list.
struct LabelPlace: BitwiseCopyable {
    private(set) var index = -1
    /// The names before and at the index, plus one; 0: the list's end.
    private var left: UInt32 = 0
    private var right: UInt32 = 0

    /// Finds the first label that does not sort before the name, unless that is where it was in the last list: it is
    /// when its neighbours there have the names they had.
    @inline(__always)
    mutating func update(
        in ids: ContiguousArray<LabelID>, _ table: LabelTable, precedesName: (LabelID) -> Bool
    ) {
        if index >= 0, index <= ids.count, left == Self.name(index - 1, ids, table),
            right == Self.name(index, ids, table)
        {
            return
        }
        var (low, high) = (0, ids.count)
        while low < high {
            let middle = (low + high) / 2
            if precedesName(ids[middle]) { low = middle + 1 } else { high = middle }
        }
        index = low
        left = Self.name(low - 1, ids, table)
        right = Self.name(low, ids, table)
    }

    /// Whether the label at the place has this name.
    @inline(__always)
    func isAt(_ name: UInt32) -> Bool { right == name &+ 1 }

    @inline(__always)
    private static func name(_ index: Int, _ ids: ContiguousArray<LabelID>, _ table: LabelTable) -> UInt32 {
        index >= 0 && index < ids.count ? table.nameID(ids[index]).rawValue &+ 1 : 0
    }
}
