//
// JobSnapshot.swift: one job as it is served at one revision.
//

import AllocationCore
import Synchronization

/// A job's targets by collector.
package final class JobSnapshot: Sendable {
    package let name: String
    /// By collector; a collector without targets of this job is absent.
    package let lists: [CollectorNumber: TargetList]
    /// Targets that no collector has.
    package let unassigned: TargetList?
    /// Room for what a renderer made of all lists together. Only renderers look inside.
    package let preparedAnswer = Mutex<(any AnyObject & Sendable)?>(nil)

    init(name: String, lists: [CollectorNumber: TargetList], unassigned: TargetList?) {
        self.name = name
        self.lists = lists
        self.unassigned = unassigned
    }

    /// Targets of the job, assigned or not.
    package var targetCount: Int {
        lists.values.reduce(unassigned?.targets.count ?? 0) { $0 + $1.targets.count }
    }
}
