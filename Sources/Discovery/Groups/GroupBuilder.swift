//
// GroupBuilder.swift: turns the texts of one target group into a packed run of interned labels.
//

import AllocationCore

/// Collects one group after the other and packs each (``PackedGroups``).
///
/// The groups of a document mostly name the same labels in the same order, so the order found by sorting is kept and
/// used again as long as the names repeat.
struct GroupBuilder: ~Copyable {
    private let table: LabelTable
    /// The label every group gets, overriding one of its own: where it was found.
    private let origin: LabelID
    private let originName: LabelNameID
    private let addressName: LabelNameID

    private var names: ContiguousArray<LabelNameID> = []
    private var ids: ContiguousArray<UInt32> = []
    private var targets: ContiguousArray<UInt32> = []
    private var run: ContiguousArray<UInt32> = []
    private var knownNames: ContiguousArray<LabelNameID> = []
    /// Positions of `ids` in the order of their names, each name's last.
    private var knownOrder: ContiguousArray<Int> = []

    /// - Parameter origin: The name and value of the label that says where the groups come from.
    init(table: LabelTable, origin: (name: String, value: String)) {
        self.table = table
        self.origin = table.intern(origin.name, origin.value)
        originName = table.nameID(self.origin)
        addressName = table.nameID(for: "__address__")
    }

    mutating func begin() {
        names.removeAll(keepingCapacity: true)
        ids.removeAll(keepingCapacity: true)
        targets.removeAll(keepingCapacity: true)
    }

    /// Forgets the labels given so far: a repeated member replaces the first.
    mutating func forgetLabels() {
        names.removeAll(keepingCapacity: true)
        ids.removeAll(keepingCapacity: true)
    }

    mutating func forgetTargets() { targets.removeAll(keepingCapacity: true) }

    mutating func addLabel(
        _ interner: inout LabelInterner, _ name: LabelNameID, value: UnsafeRawBufferPointer
    ) {
        names.append(name)
        ids.append(interner.intern(nameID: name, value: value).rawValue)
    }

    mutating func addTarget(_ interner: inout LabelInterner, _ address: UnsafeRawBufferPointer) {
        targets.append(interner.intern(nameID: addressName, value: address).rawValue)
    }

    /// The group as a run, valid until the next call.
    mutating func withRun<T>(_ body: (PackedGroups.Run) -> T) -> T {
        names.append(originName)
        ids.append(origin.rawValue)
        if names != knownNames { sort() }
        run.removeAll(keepingCapacity: true)
        run.append(UInt32(knownOrder.count))
        for position in knownOrder { run.append(ids[position]) }
        run.append(UInt32(targets.count))
        for target in targets {
            run.append(1)
            run.append(target)
        }
        return run.withUnsafeBufferPointer(body)
    }

    private mutating func sort() {
        knownNames = names
        // Of equal names the last one given counts.
        var last: [LabelNameID: Int] = [:]
        for (position, name) in names.enumerated() { last[name] = position }
        knownOrder = ContiguousArray(
            last.values.sorted { a, b in
                table.precedes(LabelID(rawValue: ids[a]), LabelID(rawValue: ids[b]))
            })
    }
}
