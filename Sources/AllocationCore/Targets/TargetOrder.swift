//
// TargetOrder.swift: the one order in which targets are listed, so that answers are stable from revision to revision.
//

/// Order by address, then labels, all bytewise.
package enum TargetOrder {
    /// Negative, zero or positive as address `a` sorts before, with or after `b`; no address sorts first.
    @inline(__always)
    package static func compareAddresses(_ a: LabelID?, _ b: LabelID?, in table: LabelTable) -> Int {
        switch (a, b) {
        case (nil, nil): 0
        case (nil, _): -1
        case (_, nil): 1
        case (let a?, let b?): table.compareValues(a, b)
        }
    }

    package static func precedes(_ a: IdentifiedTarget, _ b: IdentifiedTarget, in table: LabelTable) -> Bool {
        let order = compareAddresses(a.address, b.address, in: table)
        return order == 0 ? precedes(a.labels, b.labels, in: table) : order < 0
    }

    private static func precedes(_ a: LabelSet, _ b: LabelSet, in table: LabelTable) -> Bool {
        for (left, right) in zip(a.ids, b.ids) where left != right {
            let order = table.withPairBytes(left) { leftBytes in
                table.withPairBytes(right) { rightBytes in ByteOrder.compare(leftBytes, rightBytes) }
            }
            return order < 0
        }
        return a.count < b.count
    }
}
