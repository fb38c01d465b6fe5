//
// WalkEvent.swift: everything that can make the walk take a step.
//

import AllocationCore
import AllocationLedger
import Discovery

/// One reason to look again. Handed over one at a time: the sender waits until the walk took it, so that nothing but
/// the discovery manager's own coalescing ever piles up.
enum WalkEvent: Sendable {
    case lease(LeaseTransition)
    case discovery(DiscoveryBatch)
    case collectors(CollectorSet)
    /// A second has passed.
    case tick
}
