//
// RelabelScratch.swift: the label set of one running target, and the memory that all runs share.
//
// The set is kept as Prometheus' label builder keeps it, because the order of its result decides a target's identity:
// the base, sorted by name, less what was set or deleted; then everything that was set, in the order in which it was
// first set since it was last deleted. An empty value is no label.
//
// Rules and their order: spec/target-allocator.md 6.4 and 7, after Prometheus v3.14 model/labels.Builder.
//

import AllocationCore
import CRE2

/// Room in which rules run, one target after the other. Not for two threads at once: give each its own.
///
/// What one target leaves behind is valid until the next one begins.
package struct RelabelScratch: ~Copyable {
    /// A label in the state of the running target.
    struct Slot: BitwiseCopyable {
        /// The value in the base; empty where there is none.
        var baseValue = UnsafeRawBufferPointer(start: nil, count: 0)
        /// The base this value belongs to.
        var baseStamp: UInt64 = 0
        /// The target that set or deleted this label.
        var stamp: UInt64 = 0
        /// The place among the added labels; -1: deleted.
        var added: Int32 = -1
    }

    /// A label that was set; slot -1: deleted since.
    struct Added: BitwiseCopyable {
        var slot: Int32
        var value: UnsafeRawBufferPointer
    }

    /// What a rule that matches names says of one name.
    enum NameResult {
        static let unknown: Int32 = -2
        static let noMatch: Int32 = -1
        // Zero and up: matched; for a labelmap the slot of the new name.
    }

    /// The last input of a rule and what came of it. The targets of a group, and neighbouring groups, mostly agree in what
    /// is asked about them: namespace, phase, the operator's own labels.
    struct MatchMemo: BitwiseCopyable {
        static let bytesMax = 64

        var count = -1
        var isMatch = false
        var bytes = SIMD64<UInt8>()
    }

    // The rules that the slots belong to; they own names and constants.
    private var relabeling: CompiledRelabeling?
    private var touchesAnyName = false
    private(set) var nameRuleCount = 0
    var names = LabelNameSlots()
    private var slots = ScratchBuffer<Slot>()
    private(set) var added = ScratchBuffer<Added>()
    /// Slots of the base's labels in order, where every label has one.
    private(set) var baseSlots = ScratchBuffer<Int32>()
    private var baseStamp: UInt64 = 0
    private var targetStamp: UInt64 = 0
    /// By slot, `nameRuleCount` each.
    var nameResults = ScratchBuffer<Int32>()
    var memos = ScratchBuffer<MatchMemo>()
    /// Texts that rules make.
    var arena = ByteArena()
    /// What a labelmap is about to set.
    var pending = ScratchBuffer<Added>()
    private(set) var groups: UnsafeMutablePointer<cre2_span>
    private var groupCapacity = 8
    var hashInput = HashInput()
    var plan = GroupPlan()
    /// Where each of the rules' `metaSlots` was in the last group.
    var metaPlaces = ScratchBuffer<LabelPlace>()

    package init() { groups = .allocate(capacity: groupCapacity) }

    deinit { groups.deallocate() }

    // MARK: Rules and base

    /// Prepares for running `relabeling`. Costs nothing when it is the one that ran last.
    @inline(__always)
    mutating func bind(_ relabeling: CompiledRelabeling) {
        if self.relabeling !== relabeling || names.names.count > LabelNameSlots.countMax { rebind(relabeling) }
    }

    private mutating func rebind(_ relabeling: CompiledRelabeling) {
        names.removeAll()
        slots.removeAll()
        nameResults.removeAll()
        plan.forget()
        metaPlaces.removeAll()
        metaPlaces.append(repeating: LabelPlace(), count: relabeling.metaSlots.count)
        memos.removeAll()
        memos.append(repeating: MatchMemo(), count: relabeling.memoCount)
        self.relabeling = relabeling
        touchesAnyName = relabeling.touchesAnyName
        nameRuleCount = relabeling.nameRuleCount
        for name in relabeling.names {
            _ = names.addSlot(of: LabelNameID(rawValue: name.id), bytes: name.bytes)
        }
        extendSlots()
        if relabeling.groupCountMax > groupCapacity {
            groups.deallocate()
            groupCapacity = relabeling.groupCountMax
            groups = .allocate(capacity: groupCapacity)
        }
    }

    /// Gives every name that has come to be known a state.
    private mutating func extendSlots() {
        while slots.count < names.names.count {
            slots.append(Slot())
            nameResults.append(repeating: NameResult.unknown, count: nameRuleCount)
        }
    }

    /// Starts a new base without labels.
    mutating func beginBase() {
        baseStamp &+= 1
        baseSlots.removeAll()
    }

    /// The slot that the next label of the base has, in order of names; -1: no rule can see it.
    mutating func addToBase(_ id: LabelID, in table: LabelTable) -> Int32 {
        var slot = names.slot(of: table.nameID(id))
        if slot < 0 {
            guard touchesAnyName else { return -1 }
            // The table's bytes stay; it lives at least as long as the rules that are bound.
            slot = table.withNameBytes(id) { names.addSlot(of: table.nameID(id), bytes: $0) }
            extendSlots()
        }
        if touchesAnyName { baseSlots.append(slot) }
        table.withValueBytes(id) { setBase(slot, $0) }
        return slot
    }

    /// Sets a label's value in the base, for all targets until it is set again.
    @inline(__always)
    mutating func setBase(_ slot: Int32, _ value: UnsafeRawBufferPointer) {
        slots[Int(slot)].baseValue = value
        slots[Int(slot)].baseStamp = baseStamp
    }

    /// Whether the base has a label of this name, be its value empty or not.
    func isInBase(_ slot: Int32) -> Bool { slots[Int(slot)].baseStamp == baseStamp }

    /// Forgets what the last target set and deleted.
    @inline(__always)
    mutating func beginTarget() {
        targetStamp &+= 1
        added.removeAll()
        arena.reset()
    }

    // MARK: Labels of the running target

    /// The value of a label; empty when there is none.
    @inline(__always)
    func value(_ slot: Int32) -> UnsafeRawBufferPointer {
        let state = slots[Int(slot)]
        if state.stamp == targetStamp {
            return state.added < 0 ? UnsafeRawBufferPointer(start: nil, count: 0) : added[Int(state.added)].value
        }
        return state.baseStamp == baseStamp ? state.baseValue : UnsafeRawBufferPointer(start: nil, count: 0)
    }

    /// Whether the running target has set or deleted the label.
    @inline(__always)
    func isTouched(_ slot: Int32) -> Bool { slots[Int(slot)].stamp == targetStamp }

    /// Sets a label; an empty value deletes it. The bytes must stay until the next target begins.
    @inline(__always)
    mutating func set(_ slot: Int32, _ value: UnsafeRawBufferPointer) {
        if value.isEmpty { return delete(slot) }
        let index = Int(slot)
        if slots[index].stamp == targetStamp, slots[index].added >= 0 {
            added[Int(slots[index].added)].value = value
        } else {
            slots[index].stamp = targetStamp
            slots[index].added = Int32(added.count)
            added.append(Added(slot: slot, value: value))
        }
    }

    @inline(__always)
    mutating func delete(_ slot: Int32) {
        let index = Int(slot)
        if slots[index].stamp == targetStamp, slots[index].added >= 0 {
            added[Int(slots[index].added)].slot = -1
        }
        slots[index].stamp = targetStamp
        slots[index].added = -1
    }

    /// The slot of a name that a rule made.
    mutating func slot(ofName bytes: UnsafeRawBufferPointer) -> Int32 {
        let slot = names.addSlot(ofBytes: bytes)
        extendSlots()
        return slot
    }

    // MARK: Result

    /// The labels of the running target in builder order, `base` being what it started from.
    package func labels(over base: LabelSet, in table: LabelTable) -> [(name: String, value: String)] {
        var labels: [(name: String, value: String)] = []
        for id in base.ids where !table.hasEmptyValue(id) {
            let slot = names.slot(of: table.nameID(id))
            if slot < 0 || !isTouched(slot) { labels.append((table.name(id), table.value(id))) }
        }
        for index in added.indices where added[index].slot >= 0 {
            let label = added[index]
            let name = String(decoding: names.names[Int(label.slot)].bytes, as: UTF8.self)
            labels.append((name, String(decoding: label.value, as: UTF8.self)))
        }
        return labels
    }
}
