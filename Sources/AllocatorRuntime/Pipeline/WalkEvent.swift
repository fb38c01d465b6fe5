//
// WalkEvent.swift: everything that can make the walk take a step.
//

import AllocationCore
import AllocationLedger
import Discovery
import PostgresDriver

/// One reason to look again. Handed over one at a time: the sender waits until the walk took it, so that nothing but
/// the discovery manager's own coalescing ever piles up.
enum WalkEvent: Sendable {
    case lease(LeaseTransition)
    case discovery(DiscoveryBatch)
    case collectors(CollectorSet)
    /// The configuration file has changed.
    case configuration(ReloadedConfiguration)
    /// Something is to be recorded that changes no target.
    case operation(WalkOperation)
    /// A second has passed.
    case tick
    /// Something may have been recorded by another process.
    case look
}

/// What became of a changed configuration file.
struct ReloadedConfiguration: Sendable {
    /// Nil: it was refused, and what was in force stays.
    var settings: WalkSettings?
    /// For the record: a reload is a discovery result of the file.
    var report: DiscoveryReportDraft
}
