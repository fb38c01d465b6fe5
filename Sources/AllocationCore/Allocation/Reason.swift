//
// Reason.swift: the stable codes that say what triggered a revision and why one target changed.
//
// Names and numbers are the contract with auditors (design: "Words" of the ledger). A code is never renumbered.
//

/// What triggered a revision.
package enum Cause: String, Sendable, CaseIterable {
    /// The first revision of a ledger.
    case bootstrap
    /// Discovered targets appeared, changed or vanished.
    case discovery
    /// Collectors joined or left.
    case membership
    /// Another configuration took effect.
    case configuration
    /// Another strategy or another version of the ring took effect.
    case strategy
    /// A new leader recorded something at the start of its term.
    case termStart = "term_start"
    /// Changes made while PostgreSQL was away were written down.
    case outageRecovered = "outage_recovered"
    /// Revisions lost in a failover of PostgreSQL were written again.
    case forkRepaired = "fork_repaired"
    /// A person asked for it.
    case `operator`
}

/// Why one target changed.
package enum Reason: Int16, Sendable, CaseIterable {
    /// It was found and had not been there.
    case discovered = 1
    /// Its discovery, fully synchronised, no longer has it.
    case vanished = 2
    /// Same identity, other labels; the collector stays.
    case labelsChanged = 3
    /// Its job is no longer configured.
    case jobRemoved = 4
    /// A collector that joined took it.
    case collectorJoined = 5
    /// Its collector left.
    case collectorLeft = 6
    /// Its collector was not ready for longer than the grace period.
    case collectorNotReady = 7
    /// Neither old nor new collector joined or left: the load bound pushed its partition on.
    case cascadeLoadBound = 8
    /// The target's or the collector's node changed.
    case nodeChanged = 9
    /// The strategy or the ring's version changed.
    case strategyChanged = 10
    /// Moved to even out the load, on request.
    case rebalanced = 11
    /// No collector could take it.
    case noCollector = 12
    /// Its collector was drained on request.
    case drained = 13

    /// The code as users read it.
    package var code: String {
        switch self {
        case .discovered: "discovered"
        case .vanished: "vanished"
        case .labelsChanged: "labels_changed"
        case .jobRemoved: "job_removed"
        case .collectorJoined: "collector_joined"
        case .collectorLeft: "collector_left"
        case .collectorNotReady: "collector_not_ready"
        case .cascadeLoadBound: "cascade_load_bound"
        case .nodeChanged: "node_changed"
        case .strategyChanged: "strategy_changed"
        case .rebalanced: "rebalanced"
        case .noCollector: "no_collector"
        case .drained: "drained"
        }
    }

    /// Reads a code as users write it.
    package init?(code: String) {
        guard let reason = Self.allCases.first(where: { $0.code == code }) else { return nil }
        self = reason
    }
}
