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
    struct Name: BitwiseCopyable {
        let bytes: UnsafeRawBufferPointer
        let isMeta: Bool
        /// The table's number plus one, where the name was found by it.
        let idPlusOne: UInt32

        init(_ bytes: UnsafeRawBufferPointer, _ id: LabelNameID?) {
            self.bytes = bytes
            isMeta = bytes.starts(with: "__meta_".utf8)
            idPlusOne = id.map { $0.rawValue + 1 } ?? 0
        }
    }

    private(set) var names = ScratchBuffer<Name>()
    /// Slot plus one by the table's name number; 0: none.
    private var slotsByID = ScratchBuffer<Int32>()
    /// Slot plus one by hash of the bytes, open addressing; 0: free.
    private var slotsByBytes = ScratchBuffer<Int32>()
    private var arena = ByteArena()

    /// Beyond this many names a run starts afresh: the names of a whole process must not pile up here.
    static let countMax = 1 << 16

    init() { slotsByBytes.append(repeating: 0, count: 64) }

    mutating func removeAll() {
        for slot in names.indices where names[slot].idPlusOne > 0 { slotsByID[Int(names[slot].idPlusOne) - 1] = 0 }
        names.removeAll()
        slotsByBytes.truncate(to: 1 << 10)
        for place in slotsByBytes.indices { slotsByBytes[place] = 0 }
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
        slotsByID.append(repeating: 0, count: max(0, Int(id.rawValue) + 1 - slotsByID.count))
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
            if let id { names[Int(slot)] = Name(names[Int(slot)].bytes, id) }
            return slot
        }
        if (names.count + 1) * 2 > slotsByBytes.count {
            grow()
            place = self.place(of: bytes)
        }
        let stable = isStable ? bytes : arena.copy(bytes)
        names.append(Name(stable, id))
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
        for place in slotsByBytes.indices { slotsByBytes[place] = 0 }
        slotsByBytes.append(repeating: 0, count: slotsByBytes.count)
        for slot in names.indices { slotsByBytes[place(of: names[slot].bytes)] = Int32(slot + 1) }
    }
}
