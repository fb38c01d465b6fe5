//
// SlotAlignment.swift: decides which group of a document that was read again is which group of the last reading.
//
// Pure: marks in, slots out. A group is recognised by the hash of its bytes, first where it is expected, then near by,
// at the end anywhere; what is not recognised takes the slots of the groups that are no longer there, in order. So an
// edit in place keeps its slot, an insertion takes a new one, and everything else stays where it was.
//

/// Groups of a document by slot: what to recognise them by, and in which order they stood.
struct DocumentIndex: Sendable {
    /// How a group's content is known again. Contents with equal marks count as equal.
    struct Mark: Sendable, Equatable {
        /// XXH64 with the process's random seed, so that no writer can make two contents look equal.
        var hash: UInt64
        var length: UInt32
    }

    fileprivate(set) var marks: ContiguousArray<Mark> = []
    /// Slots in the order of the document.
    fileprivate(set) var order: ContiguousArray<UInt32> = []
    /// Slots that hold nothing, highest first.
    fileprivate var free: [UInt32] = []

    /// Groups in the document, those without targets included.
    var count: Int { order.count }

    /// The seed of every mark of this process.
    static let seed = UInt64.random(in: .min ... .max)
}

/// One reading of a document, compared with the last one.
struct SlotAlignment: ~Copyable {
    /// A content that was not recognised in passing.
    private struct Open {
        var place: Int
        var mark: DocumentIndex.Mark
    }

    /// What became of the contents.
    struct Outcome {
        var index: DocumentIndex
        /// For each content given to ``add(_:)``, in order: its slot, and whether it was not in the document before.
        var added: ContiguousArray<(slot: UInt32, isNew: Bool)>
        /// Slots whose group is no longer there.
        var removed: [UInt32]
    }

    /// Places that are compared around an expected one.
    private static let window = 16

    private let old: DocumentIndex
    private var isClaimed: ContiguousArray<Bool>
    private var order: ContiguousArray<UInt32> = []
    private var open: ContiguousArray<Open> = []
    /// Where the next content would be, had nothing been inserted or deleted since the last recognised one.
    private var expected = 0
    private var openSinceExpected = 0

    init(_ old: DocumentIndex) {
        self.old = old
        isClaimed = ContiguousArray(repeating: false, count: old.order.count)
        order.reserveCapacity(old.order.count)
    }

    /// How the next content would begin and hash if it is an old one: at the expected place (`isShifted` false), or as
    /// many places on as there were new contents (edits in place).
    func expectation(isShifted: Bool) -> DocumentIndex.Mark? {
        if isShifted && openSinceExpected == 0 { return nil }
        let place = expected + (isShifted ? openSinceExpected : 0)
        guard place < old.order.count, !isClaimed[place] else { return nil }
        return old.marks[Int(old.order[place])]
    }

    /// The next content is the one that ``expectation(isShifted:)`` named.
    mutating func keepExpected(isShifted: Bool) { claim(expected + (isShifted ? openSinceExpected : 0)) }

    /// Takes the next content if it was near the expected place.
    mutating func keepNear(_ mark: DocumentIndex.Mark) -> Bool {
        if keep(mark, from: expected) { return true }
        return openSinceExpected > Self.window / 2 && keep(mark, from: expected + openSinceExpected - Self.window / 2)
    }

    /// Takes the next content as not recognised yet.
    mutating func add(_ mark: DocumentIndex.Mark) {
        open.append(Open(place: order.count, mark: mark))
        order.append(0)
        openSinceExpected += 1
    }

    private mutating func keep(_ mark: DocumentIndex.Mark, from start: Int) -> Bool {
        for place in start..<max(start, min(start + Self.window, old.order.count))
        where !isClaimed[place] && old.marks[Int(old.order[place])] == mark {
            claim(place)
            return true
        }
        return false
    }

    private mutating func claim(_ place: Int) {
        isClaimed[place] = true
        order.append(old.order[place])
        expected = place + 1
        openSinceExpected = 0
    }

    /// Recognises what moved far, and gives every new content a slot.
    consuming func finish() -> Outcome {
        var left = old.order.indices.filter { !isClaimed[$0] }
        var added = ContiguousArray<(slot: UInt32, isNew: Bool)>(repeating: (0, true), count: open.count)
        if !left.isEmpty && !open.isEmpty { left = claimMoved(left, &added) }

        var index = old
        var freed = left[...]
        for position in open.indices where added[position].isNew {
            let slot: UInt32
            if let place = freed.popFirst() {
                slot = old.order[place]
            } else if let unused = index.free.popLast() {
                slot = unused
            } else {
                slot = UInt32(index.marks.count)
                index.marks.append(open[position].mark)
            }
            index.marks[Int(slot)] = open[position].mark
            added[position].slot = slot
        }
        for position in open.indices { order[open[position].place] = added[position].slot }
        let removed = freed.map { old.order[$0] }
        if !removed.isEmpty { index.free = (index.free + removed).sorted(by: >) }
        index.order = order
        return Outcome(index: index, added: added, removed: removed)
    }

    /// Finds open contents among the old places that nobody claimed; returns the places that stay unclaimed.
    private func claimMoved(_ left: [Int], _ added: inout ContiguousArray<(slot: UInt32, isNew: Bool)>) -> [Int] {
        // Chains of equal hashes: `first` by hash, then `next`, both as positions in `left`.
        var first: [UInt64: Int] = [:]
        first.reserveCapacity(left.count)
        var next = ContiguousArray(repeating: -1, count: left.count)
        for position in left.indices.reversed() {
            let hash = old.marks[Int(old.order[left[position]])].hash
            if let behind = first.updateValue(position, forKey: hash) { next[position] = behind }
        }
        var isTaken = ContiguousArray(repeating: false, count: left.count)
        for (position, content) in open.enumerated() {
            guard let found = first[content.mark.hash] else { continue }
            let slot = old.order[left[found]]
            guard old.marks[Int(slot)] == content.mark else { continue }
            first[content.mark.hash] = next[found] >= 0 ? next[found] : nil
            isTaken[found] = true
            added[position] = (slot, false)
        }
        return left.indices.filter { !isTaken[$0] }.map { left[$0] }
    }
}
