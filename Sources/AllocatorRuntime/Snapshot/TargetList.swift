//
// TargetList.swift: the targets of one job that one collector has, in the order in which they are served.
//

import AllocationCore
import PostgresDriver
import Synchronization

/// When a list last changed, as far as this process knows.
package struct ListChange: Sendable, Hashable {
    /// It lies in these revisions: in the one where it was seen; in a range where the list was loaded.
    package let revisions: ClosedRange<Int64>
    /// When the last of them was recorded.
    package let at: Timestamp

    package init(revisions: ClosedRange<Int64>, at: Timestamp) {
        self.revisions = revisions
        self.at = at
    }
}

/// One answer of `/jobs/{job}/targets?collector_id=…`, before it is rendered.
///
/// Immutable: a revision that changes none of its targets hands the same object on, so whatever was prepared from it
/// stays valid and is found in ``preparedAnswer``.
package final class TargetList: Sendable {
    /// Sorted by address, then identity, so that the order is the same from revision to revision and on every replica.
    package let targets: ContiguousArray<IdentifiedTarget>
    /// Room for what a renderer made of this list, so that it is made once. Only renderers look inside.
    package let preparedAnswer = Mutex<(any AnyObject & Sendable)?>(nil)
    package let change: ListChange
    /// Whether its collector was answered with it.
    package let wasFetched = Atomic(false)

    /// - Parameter targets: In any order, no identity twice.
    package init(targets: ContiguousArray<IdentifiedTarget>, change: ListChange, in table: LabelTable) {
        self.targets = ContiguousArray(targets.sorted { Self.precedes($0, $1, table) })
        self.change = change
    }

    /// - Parameter targets: In the order in which they are served.
    init(sorted targets: ContiguousArray<IdentifiedTarget>, change: ListChange) {
        self.targets = targets
        self.change = change
    }

    /// This list without `removed` and with `added`; costs one pass over the list and a sort of what is added.
    package func replacing(
        removed: Set<TargetIdentity>, added: ContiguousArray<IdentifiedTarget>, change: ListChange,
        in table: LabelTable
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
        return TargetList(sorted: merged, change: change)
    }

    private static func precedes(_ a: IdentifiedTarget, _ b: IdentifiedTarget, _ table: LabelTable) -> Bool {
        let order = TargetOrder.compareAddresses(a.address, b.address, in: table)
        return order == 0 ? a.identity < b.identity : order < 0
    }
}
