//
// DebugTargets.swift: the targets that are served, in the order of their identities, a page at a time.
//
// The snapshot keeps lists by job and collector, so a page is found in one pass over all targets that keeps the page's
// share of them; nothing is copied or sorted but that.
//

import AllocationCore
import AllocatorRuntime

/// One target as it is served.
struct ServedTarget {
    let job: JobSnapshot
    /// Nil: none has it.
    let collector: CollectorNumber?
    let target: IdentifiedTarget
}

/// A part of the served targets.
struct ServedTargets {
    static let pageSize = 500

    /// Ordered by identity.
    let targets: [ServedTarget]
    /// Targets before the first of these.
    let skipped: Int
    let total: Int
    /// Behind which the next page begins; nil: this is the last.
    var next: TargetIdentity? { skipped + targets.count < total ? targets.last?.target.identity : nil }

    /// - Parameters:
    ///   - collector: Nil: all.
    ///   - after: The identity behind which to begin.
    init(_ snapshot: AllocationSnapshot, collector: CollectorNumber? = nil, after: TargetIdentity?) {
        var kept: [ServedTarget] = []
        var (skipped, total) = (0, 0)
        // Whoever comes behind a whole page of others is not on it.
        var last: TargetIdentity?
        func take(_ job: JobSnapshot, _ holder: CollectorNumber?, _ list: TargetList) {
            total += list.targets.count
            for target in list.targets {
                if let after, target.identity <= after {
                    skipped += 1
                    continue
                }
                if let last, target.identity > last { continue }
                kept.append(ServedTarget(job: job, collector: holder, target: target))
                // Twice a page at most, cut to one now and then.
                if kept.count >= 2 * Self.pageSize {
                    Self.cut(&kept)
                    last = kept.last?.target.identity
                }
            }
        }
        for job in snapshot.jobs {
            if let collector {
                if let list = job.lists[collector] { take(job, collector, list) }
            } else {
                for (holder, list) in job.lists { take(job, holder, list) }
                if let list = job.unassigned { take(job, nil, list) }
            }
        }
        Self.cut(&kept)
        targets = kept
        self.skipped = skipped
        self.total = total
    }

    private static func cut(_ kept: inout [ServedTarget]) {
        kept.sort { a, b in
            a.target.identity == b.target.identity
                ? a.job.name < b.job.name : a.target.identity < b.target.identity
        }
        if kept.count > pageSize { kept.removeLast(kept.count - pageSize) }
    }

    /// The target of this identity.
    static func find(_ identity: TargetIdentity, in snapshot: AllocationSnapshot) -> ServedTarget? {
        for job in snapshot.jobs {
            for (holder, list) in job.lists {
                if let target = list.targets.first(where: { $0.identity == identity }) {
                    return ServedTarget(job: job, collector: holder, target: target)
                }
            }
            if let target = job.unassigned?.targets.first(where: { $0.identity == identity }) {
                return ServedTarget(job: job, collector: nil, target: target)
            }
        }
        return nil
    }
}
