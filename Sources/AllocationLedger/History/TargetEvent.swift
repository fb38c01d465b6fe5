//
// TargetEvent.swift: what one revision did to one target, in words.
//

import AllocationCore
import PostgresDriver

/// A target as the ledger knows it. The identity names it within its job; job and address are its endpoint, which stays
/// the same when labels, and so the identity, change.
package struct RecordedTarget: Sendable, Hashable {
    /// The target's number in the ledger: the order of state and difference lists.
    package var number: Int32
    package var job: String
    package var identity: TargetIdentity
    /// `__address__` when it was first recorded; empty without one.
    package var address: String

    package init(number: Int32, job: String, identity: TargetIdentity, address: String) {
        self.number = number
        self.job = job
        self.identity = identity
        self.address = address
    }
}

/// What an event was for the target. Several may hold at once: relabelled and moved.
package struct TargetEventKinds: OptionSet, Sendable, Hashable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// It was not there before.
    package static let discovered = TargetEventKinds(rawValue: 1)
    /// It came to a collector and had none.
    package static let assigned = TargetEventKinds(rawValue: 2)
    /// It went from one collector to another.
    package static let moved = TargetEventKinds(rawValue: 4)
    /// It had a collector and has none.
    package static let unassigned = TargetEventKinds(rawValue: 8)
    /// Its labels changed.
    package static let relabelled = TargetEventKinds(rawValue: 16)
    /// It is not there any more.
    package static let vanished = TargetEventKinds(rawValue: 32)
    /// Its old or new owner learned of a move. No revision does that; it is told where a target's life is.
    package static let fetched = TargetEventKinds(rawValue: 64)

    private static let names: [(TargetEventKinds, String)] = [
        (.discovered, "discovered"), (.assigned, "assigned"), (.moved, "moved"), (.unassigned, "unassigned"),
        (.relabelled, "relabelled"), (.vanished, "vanished"), (.fetched, "fetched"),
    ]

    /// The words, in this order.
    package var codes: [String] { Self.names.filter { contains($0.0) }.map(\.1) }
}

/// A consequence of a collector that came or went: of the target's own, or one that the load bound pushed on.
package enum MoveKind: String, Sendable, Hashable, CaseIterable {
    case direct
    case cascade

    /// Nil for what is no consequence of a collector.
    package init?(_ reason: Reason?) {
        switch reason {
        case .collectorJoined, .collectorLeft, .collectorNotReady, .drained: self = .direct
        case .cascadeLoadBound: self = .cascade
        default: return nil
        }
    }
}

/// Where a ring puts a target, before and after a revision.
package struct RingPlace: Sendable, Hashable {
    package var partition: Int
    /// Nil before the first revision and where there was no ring or no collector.
    package var ownerBefore: String?
    package var ownerAfter: String?
}

/// One target's change by one revision.
package struct TargetEvent: Sendable, Hashable {
    package var at: Timestamp
    package var revision: Int64
    package var ordinal: Int32
    package var target: RecordedTarget
    package var kinds: TargetEventKinds
    /// The collector before; nil: none.
    package var from: String?
    /// The collector after; nil: none.
    package var to: String?
    /// Stable code, see `ledger.reason`.
    package var reason: String
    package var cause: String
    package var causeDetail: String
    /// Nil without a ring.
    package var ring: RingPlace?
    /// Numbers of `ledger.label_set`; nil: the target was, or is, not there.
    package var labelSetBefore: Int32?
    package var labelSetAfter: Int32?
    /// What of the labels changed; read where it is asked for, nil where labels stayed or were not read.
    package var labels: LabelDifference?
    /// The identity that this discovered target had before the same revision, under the same endpoint.
    package var continues: TargetIdentity?
    /// The identity under which this vanished target goes on, under the same endpoint.
    package var continuedBy: TargetIdentity?
    /// When its owners learned of it, of one that changed the collector; read where it is asked for.
    package var handover = Handover()
    /// Who fetched; nil for everything but ``TargetEventKinds/fetched``.
    package var fetchedBy: String?

    package var moveKind: MoveKind? { MoveKind(Reason(code: reason)) }
    package var cursor: EventCursor { EventCursor(revision: revision, ordinal: ordinal) }
}

extension TargetEvent {
    /// What its owners' fetches were for the target: one entry for each owner that learned.
    var fetches: [TargetEvent] {
        var entries: [TargetEvent] = []
        if let from, let at = handover.learnedByOld {
            entries.append(fetch(by: from, at: at, "learned that it lost it"))
        }
        if let to, let at = handover.learnedByNew { entries.append(fetch(by: to, at: at, "learned that it has it")) }
        return entries
    }

    private func fetch(by collector: String, at: Timestamp, _ what: String) -> TargetEvent {
        var entry = self
        entry.at = at
        entry.kinds = .fetched
        (entry.from, entry.fetchedBy) = (to, collector)
        (entry.reason, entry.cause, entry.causeDetail) = ("fetched", "fetch", "\(collector) \(what)")
        (entry.labels, entry.continues, entry.continuedBy) = (nil, nil, nil)
        entry.labelSetBefore = labelSetAfter
        entry.handover = Handover()
        return entry
    }
}
