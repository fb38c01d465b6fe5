//
// CollectorStory.swift: what happened to a collector and how its load changed, as one list.
//

import AllocationLedger
import AllocatorAPI
import PostgresDriver

/// What one revision was to a collector: it came, went or changed, or targets came and went.
struct CollectorStoryEntry: Sendable {
    var at: Timestamp
    var revision: Int64
    var events: [CollectorEvent] = []
    var load: LoadPoint?

    /// Both lists newest first, as one.
    static func merged(_ events: [CollectorEvent], _ loads: [LoadPoint]) -> [CollectorStoryEntry] {
        var entries: [Int64: CollectorStoryEntry] = [:]
        for load in loads { entries[load.revision] = Self(at: load.at, revision: load.revision, load: load) }
        for event in events {
            entries[event.revision, default: Self(at: event.at, revision: event.revision)].events.append(event)
        }
        return entries.values.sorted { $0.revision > $1.revision }
    }
}

extension RowForm<CollectorStoryEntry> {
    static var collectorStory: Self {
        Self([
            Field("time", "TIME", tint: { _ in .faint }) { .text("\($0.at)") },
            Field("revision", "REVISION") { .number($0.revision) },
            Field("event", "EVENT", tint: tint) { .list($0.events.map { .text($0.kind) }) },
            Field("targets", "TARGETS") { .optional($0.load?.targets) },
            Field("gained", "GAINED") { .optional($0.load?.gained) },
            Field("lost", "LOST") { .optional($0.load?.lost) },
            Field("node", "NODE") { .optional($0.events.last?.node) },
            Field("evidence", "EVIDENCE") { .optional($0.events.last?.evidence) },
            Field("uid") { .optional($0.events.last?.uid) },
            Field("cause") { .optional($0.events.last?.cause) },
            Field("cause_detail") { .optional($0.events.last?.causeDetail) },
        ])
    }

    @Sendable private static func tint(_ events: Cell) -> Tint? {
        guard case .list(let codes) = events else { return nil }
        if codes.contains(.text("left")) || codes.contains(.text("not_ready")) { return .red }
        return codes.contains(.text("joined")) || codes.contains(.text("ready")) ? .green : nil
    }
}
