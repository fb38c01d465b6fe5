//
// ResolvedChange.swift: a change's events by the ledger's ids, hashed, in the order in which they are written.
//

import AllocationCore

/// What `flags` of a target event says. The values are stored.
struct EventFlags: OptionSet, Sendable {
    let rawValue: Int16

    static let discovered = EventFlags(rawValue: 1)
    static let vanished = EventFlags(rawValue: 2)
    /// There before and after, with another collector or none.
    static let moved = EventFlags(rawValue: 4)
    static let relabelled = EventFlags(rawValue: 8)
    static let cascade = EventFlags(rawValue: 16)

    init(rawValue: Int16) { self.rawValue = rawValue }

    init(_ change: TargetChange) {
        self = []
        switch (change.before, change.after) {
        case (nil, _): insert(.discovered)
        case (_, nil): insert(.vanished)
        case (let before?, let after?):
            if before.collector != after.collector { insert(.moved) }
            if before.labels != after.labels { insert(.relabelled) }
        }
        if change.reason == .cascadeLoadBound { insert(.cascade) }
    }
}

/// One row of ledger.target_event, apart from what all of a revision's rows share. 0 stands for none.
struct ResolvedEvent: Sendable {
    /// Its place in `AllocationChange.targets`.
    var change: Int32
    var target: Int32
    var collectorBefore: Int32
    var collectorAfter: Int32
    var labelSetBefore: Int32
    var labelSetAfter: Int32
    var leaf: Int32 = 0
    var reason: Int16
    var flags: Int16
}

/// A change that is ready to be written. An event's place is its ordinal.
struct ResolvedChange: Sendable {
    /// Ordered by target, as the rows that they change lie in the current state.
    var events: ContiguousArray<ResolvedEvent> = []
    /// First bytes of the leaf hashes of the collector events.
    var collectorLeaves: [Int32] = []
    /// By CollectorNumber; 0 for collectors that the change does not name.
    var collectors: ContiguousArray<Int32> = []
    var ring: Int32 = 0
    var ringDigest: Digest32 = .zero
    var counts = RevisionCounts()
    var eventsDigest: Digest32 = .zero
}
