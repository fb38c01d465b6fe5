//
// PackedGroups.swift: target groups as the manager keeps them, a few bytes a label.
//
// What discovery found last must stay in memory: a newly attached job, changed relabel rules and a new term each need
// all of it. As `TargetGroup` values a million groups of one target and 20 labels are five heap blocks each, some
// 370 MB; as runs of 32-bit numbers they are 100 MB, and only what is handed over becomes a `TargetGroup` again.
//

import AllocationCore

/// Groups by slot. A slot's run is `labels, IDs…, targets, (IDs, IDs…)…`, each count before what it counts.
///
/// Invariant: every present slot has at least one target; a group without targets is an absent slot.
struct PackedGroups: Sendable {
    /// One group on its way in: the same words as in ``PackedGroups``.
    typealias Run = UnsafeBufferPointer<UInt32>

    private struct Place {
        var start: UInt32
        var length: UInt32
        var targets: UInt32
    }

    private var words: ContiguousArray<UInt32> = []
    private var places: ContiguousArray<Place> = []
    private var wordsInUse = 0
    private(set) var targetCount = 0
    /// Slots that hold a group.
    private(set) var count = 0

    /// One more than the highest slot ever set.
    var slotCount: Int { places.count }

    func contains(_ slot: Int) -> Bool { slot < places.count && places[slot].length > 0 }

    /// Targets of the group in a slot.
    func targetCount(at slot: Int) -> Int { slot < places.count ? Int(places[slot].targets) : 0 }

    /// Puts a group into a slot, or empties the slot when the group has no targets.
    ///
    /// - Returns: False when the slot held the very same group.
    @discardableResult
    mutating func set(_ slot: Int, _ run: Run) -> Bool {
        let targets = Self.targetCount(run)
        guard targets > 0 else { return remove(slot) }
        while places.count <= slot { places.append(Place(start: 0, length: 0, targets: 0)) }
        let old = places[slot]
        if Int(old.length) == run.count {
            let start = Int(old.start)
            let isSame = words.withUnsafeBufferPointer { $0[start..<start + run.count].elementsEqual(run) }
            if isSame { return false }
            for index in 0..<run.count { words[start + index] = run[index] }
            targetCount += targets - Int(old.targets)
            places[slot].targets = UInt32(targets)
            return true
        }
        if old.length > 0 { remove(slot) }
        precondition(words.count + run.count < UInt32.max, "\(words.count) words of groups in one document")
        places[slot] = Place(start: UInt32(words.count), length: UInt32(run.count), targets: UInt32(targets))
        words.append(contentsOf: run)
        wordsInUse += run.count
        targetCount += targets
        count += 1
        return true
    }

    /// - Returns: False when the slot was empty.
    @discardableResult
    mutating func remove(_ slot: Int) -> Bool {
        guard contains(slot) else { return false }
        wordsInUse -= Int(places[slot].length)
        targetCount -= Int(places[slot].targets)
        count -= 1
        places[slot] = Place(start: 0, length: 0, targets: 0)
        if words.count > 1024 && words.count > wordsInUse * 2 { compact() }
        return true
    }

    /// The group in a slot, as it was put in. Nil: the slot is empty.
    func withRun<T>(_ slot: Int, _ body: (Run) -> T) -> T? {
        guard contains(slot) else { return nil }
        let place = places[slot]
        return words.withUnsafeBufferPointer { words in
            body(Run(rebasing: words[Int(place.start)..<Int(place.start) + Int(place.length)]))
        }
    }

    /// The group in a slot; without targets when the slot is empty.
    func group(_ slot: Int, source: String) -> TargetGroup {
        withRun(slot) { run in
            var position = 0
            let labels = Self.labelSet(run, &position)
            let targets = Int(run[position])
            position += 1
            var sets: [LabelSet] = []
            sets.reserveCapacity(targets)
            for _ in 0..<targets { sets.append(Self.labelSet(run, &position)) }
            return TargetGroup(source: source, labels: labels, targets: sets)
        } ?? TargetGroup(source: source, labels: LabelSet(), targets: [])
    }

    private static func labelSet(_ run: Run, _ position: inout Int) -> LabelSet {
        let count = Int(run[position])
        let start = position + 1
        position = start + count
        let ids = ContiguousArray<LabelID>(unsafeUninitializedCapacity: count) { buffer, initialized in
            guard let base = buffer.baseAddress else { return }
            for index in 0..<count {
                (base + index).initialize(to: LabelID(rawValue: run[start + index]))
            }
            initialized = count
        }
        return LabelSet(sortedUnique: ids)
    }

    private static func targetCount(_ run: Run) -> Int { Int(run[Int(run[0]) + 1]) }

    private mutating func compact() {
        var kept = ContiguousArray<UInt32>()
        kept.reserveCapacity(wordsInUse)
        for slot in places.indices where places[slot].length > 0 {
            let start = Int(places[slot].start)
            places[slot].start = UInt32(kept.count)
            kept.append(contentsOf: words[start..<start + Int(places[slot].length)])
        }
        words = kept
    }

    /// Gives back what growing left over; worth it once after a large first load.
    mutating func trim() {
        guard words.capacity > words.count + words.count / 8 else { return }
        compact()
    }
}

extension PackedGroups {
    /// Packs a group that exists as a value: for static configuration and for mechanisms with few targets.
    mutating func set(_ slot: Int, labels: LabelSet, targets: [LabelSet]) -> Bool {
        var words: ContiguousArray<UInt32> = []
        words.append(UInt32(labels.count))
        words.append(contentsOf: labels.ids.lazy.map(\.rawValue))
        words.append(UInt32(targets.count))
        for target in targets {
            words.append(UInt32(target.count))
            words.append(contentsOf: target.ids.lazy.map(\.rawValue))
        }
        return words.withUnsafeBufferPointer { set(slot, $0) }
    }
}
