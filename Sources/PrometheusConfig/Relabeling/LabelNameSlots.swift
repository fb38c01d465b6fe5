//
// LabelNameSlots.swift: the label names that one run of relabelling deals with, and each one's slot.
//
// The first slots belong to the names that the rules mention. Rules that match names (labelmap, labeldrop, labelkeep) or
// make them (a template as target) need a slot for every label; those slots are added as names turn up and stay for the
// following targets, which mostly have the same names.
//

import AllocationCore

/// Names by slot, found by the table's number or by their bytes.
struct LabelNameSlots: ~Copyable {
    struct Name {
        let bytes: UnsafeRawBufferPointer
        let isMeta: Bool
        /// The table's number, where the name was found by it.
        let id: LabelNameID?
    }

    private(set) var names: ContiguousArray<Name> = []
    /// Slot plus one by the table's name number; 0: none.
    private var slotsByID: ContiguousArray<Int32> = []
    /// Slot plus one by hash of the bytes, open addressing; 0: free.
    private var slotsByBytes: ContiguousArray<Int32> = ContiguousArray(repeating: 0, count: 64)
    private var arena = ByteArena()

    /// Beyond this many names a run starts afresh: the names of a whole process must not pile up here.
    static let countMax = 1 << 16

    init() {}

    mutating func removeAll() {
        for name in names {
            if let id = name.id { slotsByID[Int(id.rawValue)] = 0 }
        }
        names.removeAll(keepingCapacity: true)
        if slotsByBytes.count > 1 << 10 {
            slotsByBytes = ContiguousArray(repeating: 0, count: 1 << 10)
        } else {
            for place in slotsByBytes.indices { slotsByBytes[place] = 0 }
        }
        arena.reset()
    }

    /// The slot of a name of the table; -1: none.
    @inline(__always)
    func slot(of id: LabelNameID) -> Int32 {
        let index = Int(id.rawValue)
        return index < slotsByID.count ? slotsByID[index] &- 1 : -1
    }

    /// The slot of a name of the table, made if there is none. `bytes` must outlive the table's use here.
    mutating func addSlot(of id: LabelNameID, bytes: UnsafeRawBufferPointer) -> Int32 {
        let known = slot(of: id)
        if known >= 0 { return known }
        let slot = slot(ofBytes: bytes, id: id, isStable: true)
        while slotsByID.count <= Int(id.rawValue) { slotsByID.append(0) }
        slotsByID[Int(id.rawValue)] = slot + 1
        return slot
    }

    /// The slot of a name made by a rule, made if there is none; the bytes are copied.
    mutating func addSlot(ofBytes bytes: UnsafeRawBufferPointer) -> Int32 {
        slot(ofBytes: bytes, id: nil, isStable: false)
    }

    private mutating func slot(ofBytes bytes: UnsafeRawBufferPointer, id: LabelNameID?, isStable: Bool) -> Int32 {
        var place = place(of: bytes)
        if slotsByBytes[place] != 0 {
            let slot = slotsByBytes[place] - 1
            if id != nil {
                names[Int(slot)] = Name(bytes: names[Int(slot)].bytes, isMeta: names[Int(slot)].isMeta, id: id)
            }
            return slot
        }
        if (names.count + 1) * 2 > slotsByBytes.count {
            grow()
            place = self.place(of: bytes)
        }
        let stable = isStable ? bytes : arena.copy(bytes)
        names.append(Name(bytes: stable, isMeta: stable.starts(with: "__meta_".utf8), id: id))
        slotsByBytes[place] = Int32(names.count)
        return Int32(names.count - 1)
    }

    /// Where the name is, or where it would go.
    private func place(of bytes: UnsafeRawBufferPointer) -> Int {
        let mask = slotsByBytes.count - 1
        var place = Int(truncatingIfNeeded: XXH64.hash(bytes)) & mask
        while slotsByBytes[place] != 0 {
            if RegexMatcher.equal(names[Int(slotsByBytes[place]) - 1].bytes, bytes) { return place }
            place = (place + 1) & mask
        }
        return place
    }

    private mutating func grow() {
        slotsByBytes = ContiguousArray(repeating: 0, count: slotsByBytes.count * 2)
        for slot in names.indices { slotsByBytes[place(of: names[slot].bytes)] = Int32(slot + 1) }
    }
}
