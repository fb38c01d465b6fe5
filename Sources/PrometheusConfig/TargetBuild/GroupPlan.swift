//
// GroupPlan.swift: what all targets of a group that have the same label names of their own share.
//
// A group's 39 labels are the same for each of its targets, and the targets' own labels mostly have the same names. So
// where own labels go among the group's, and which bytes of the identity are constant, is found once; each target then
// costs a copy of its IDs and a hash.
//

import AllocationCore

/// How to merge and to hash a group's targets.
struct GroupPlan: ~Copyable {
    /// A run of the group's labels, then one of the target's own.
    struct Segment {
        var start: Int
        var count: Int
        /// Index among the own labels; -1 for the run behind the last of them.
        var own: Int
    }

    /// A part of the identity's bytes.
    struct HashPart {
        /// Range of ``constant``; empty for an own label.
        var start: Int
        var count: Int
        /// Index among the own labels; -1: constant.
        var own: Int
        /// The slot by which a rule can set or delete the label; -1: no rule can.
        var slot: Int32
    }

    private var ownNames: ContiguousArray<LabelNameID> = []
    private var isMade = false
    private(set) var segments: ContiguousArray<Segment> = []
    private(set) var mergedCount = 0
    private(set) var hashParts: ContiguousArray<HashPart> = []
    private(set) var constant: ContiguousArray<UInt8> = []
    /// The slot of each own label; -1: no rule can see it.
    private(set) var ownSlots: ContiguousArray<Int32> = []
    /// Whether the labels have no name that seeding touches, so that its result is the same for every target.
    var hasConstantSeeds = false
    /// The `__address__` among the own labels; -1: not there.
    private(set) var ownAddress = -1
    /// The `__address__` of the group.
    private(set) var groupAddress: LabelID?

    init() {}

    mutating func forget() { isMade = false }

    /// Whether the plan was made for own labels of these names.
    @inline(__always)
    func fits(_ own: borrowing LabelSet, in table: LabelTable) -> Bool {
        guard isMade, ownNames.count == own.ids.count else { return false }
        for index in ownNames.indices where table.nameID(own.ids[index]) != ownNames[index] { return false }
        return true
    }

    /// Finds the places of the own labels among the group's. Both are sorted by name; an own label replaces the group's
    /// of the same name.
    mutating func begin(_ group: LabelSet, _ own: LabelSet, in table: LabelTable) {
        isMade = true
        ownNames.removeAll(keepingCapacity: true)
        segments.removeAll(keepingCapacity: true)
        hashParts.removeAll(keepingCapacity: true)
        constant.removeAll(keepingCapacity: true)
        ownSlots.removeAll(keepingCapacity: true)
        mergedCount = 0
        ownAddress = -1
        groupAddress = nil
        var next = 0
        for index in own.ids.indices {
            let id = own.ids[index]
            ownNames.append(table.nameID(id))
            let place = Self.place(of: id, in: group, from: next, table)
            add(Segment(start: next, count: place - next, own: index))
            next = place
            if place < group.ids.count, table.nameID(group.ids[place]) == table.nameID(id) { next += 1 }
        }
        add(Segment(start: next, count: group.ids.count - next, own: -1))
    }

    private mutating func add(_ segment: Segment) {
        segments.append(segment)
        mergedCount += segment.count + (segment.own >= 0 ? 1 : 0)
    }

    /// Where the first label is that does not sort before `id`.
    private static func place(of id: LabelID, in group: LabelSet, from start: Int, _ table: LabelTable) -> Int {
        var (low, high) = (start, group.ids.count)
        while low < high {
            let middle = (low + high) / 2
            if table.precedes(group.ids[middle], id) { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Takes the group's next label, in order of names.
    mutating func addGroupLabel(_ id: LabelID, slot: Int32, isAddress: Bool, in table: LabelTable) {
        if isAddress { groupAddress = id }
        if table.isMeta(id) || table.hasEmptyValue(id) { return }
        let start = constant.count
        table.withPairBytes(id) { constant.append(contentsOf: $0) }
        let count = constant.count - start
        if slot < 0, let last = hashParts.last, last.own < 0, last.slot < 0 {
            hashParts[hashParts.count - 1].count += count
        } else {
            hashParts.append(HashPart(start: start, count: count, own: -1, slot: slot))
        }
    }

    /// Takes the target's next own label, in order of names.
    mutating func addOwnLabel(_ id: LabelID, slot: Int32, isAddress: Bool, in table: LabelTable) {
        if isAddress { ownAddress = ownSlots.count }
        if !table.isMeta(id) { hashParts.append(HashPart(start: 0, count: 0, own: ownSlots.count, slot: slot)) }
        ownSlots.append(slot)
    }

    /// The group's labels with a target's own in their places.
    @inline(__always)
    func merged(_ group: borrowing LabelSet, _ own: borrowing LabelSet) -> LabelSet {
        if own.ids.isEmpty { return copy group }
        if group.ids.isEmpty { return copy own }
        let ids = ContiguousArray<LabelID>(unsafeUninitializedCapacity: mergedCount) { merged, count in
            group.ids.withUnsafeBufferPointer { groupIDs in
                for segment in segments {
                    if segment.count > 0 {
                        _ = merged[count..<count &+ segment.count].initialize(
                            fromContentsOf: groupIDs[segment.start..<segment.start &+ segment.count])
                        count &+= segment.count
                    }
                    if segment.own >= 0 {
                        merged.initializeElement(at: count, to: own.ids[segment.own])
                        count &+= 1
                    }
                }
            }
        }
        return LabelSet(sortedUnique: ids)
    }
}
