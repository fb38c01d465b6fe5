//
// TargetList.swift: the targets of one job that one collector has, in the order in which they are served.
//

import AllocationCore
import Synchronization

/// One answer of `/jobs/{job}/targets?collector_id=…`, before it is rendered.
///
/// Immutable: a revision that changes none of its targets hands the same object on, so whatever was prepared from it
/// stays valid and is found in ``preparedAnswer``.
package final class TargetList: Sendable {
    /// Sorted by address, then identity, so that the order is the same from revision to revision and on every replica.
    package let targets: ContiguousArray<IdentifiedTarget>
    /// Room for what a renderer made of this list, so that it is made once. Only renderers look inside.
    package let preparedAnswer = Mutex<(any AnyObject & Sendable)?>(nil)

    /// - Parameter targets: In any order, no identity twice.
    package init(targets: ContiguousArray<IdentifiedTarget>, in table: LabelTable) {
        self.targets = ContiguousArray(targets.sorted { Self.precedes($0, $1, table) })
    }

    private init(sorted targets: ContiguousArray<IdentifiedTarget>) { self.targets = targets }

    /// This list without `removed` and with `added`; costs one pass over the list and a sort of what is added.
    package func replacing(
        removed: Set<TargetIdentity>, added: ContiguousArray<IdentifiedTarget>, in table: LabelTable
    ) -> TargetList {
        let sorted = added.sorted { Self.precedes($0, $1, table) }
        var merged = ContiguousArray<IdentifiedTarget>()
        merged.reserveCapacity(max(0, targets.count + sorted.count - removed.count))
        var next = sorted.startIndex
        for target in targets where removed.isEmpty || !removed.contains(target.identity) {
            while next < sorted.endIndex, Self.precedes(sorted[next], target, table) {
                merged.append(sorted[next])
                next += 1
            }
            merged.append(target)
        }
        merged.append(contentsOf: sorted[next...])
        return TargetList(sorted: merged)
    }

    private static func precedes(_ a: IdentifiedTarget, _ b: IdentifiedTarget, _ table: LabelTable) -> Bool {
        let order = TargetOrder.compareAddresses(a.address, b.address, in: table)
        return order == 0 ? a.identity < b.identity : order < 0
    }
}
