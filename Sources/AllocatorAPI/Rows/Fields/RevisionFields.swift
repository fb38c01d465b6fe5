//
// RevisionFields.swift: the fields of a revision.
//

import AllocationLedger

extension RowForm<RevisionSummary> {
    /// All of them, digests included, for programs.
    static var revision: Self { Self(what + by + how) }

    private static var what: [Field] {
        [
            Field("revision", "REVISION") { .number($0.revision) },
            Field("time", "TIME") { .text("\($0.at)") },
            Field("occurred_at") { .optional($0.occurredAt.map { "\($0)" }) },
            Field("cause", "CAUSE") { .text($0.cause) },
            Field("cause_detail", "DETAIL") { .text($0.causeDetail) },
            Field("targets_added", "ADDED") { .number(Int64($0.targetsAdded)) },
            Field("targets_removed", "REMOVED") { .number(Int64($0.targetsRemoved)) },
            Field("targets_moved", "MOVED") { .number(Int64($0.targetsMoved)) },
            Field("targets_relabelled", "RELABELLED") { .number(Int64($0.targetsRelabelled)) },
            Field("target_events") { .number(Int64($0.targetEvents)) },
            Field("collector_events") { .number(Int64($0.collectorEvents)) },
        ]
    }

    private static var by: [Field] {
        [
            Field("epoch") { .number($0.epoch) },
            Field("replica") { .text("\($0.replica)") },
            Field("replica_address") { .optional($0.replicaAddress) },
            Field("change_id") { .text("\($0.changeID)") },
        ]
    }

    private static var how: [Field] {
        [
            Field("strategy") { .text($0.strategy) },
            Field("ring_version") { .optional($0.ringVersion) },
            Field("members") { .list($0.members.map(Cell.text)) },
            Field("ring_digest") { .text("\($0.ringDigest)") },
            Field("placement_note") { .optional($0.placementNote) },
            Field("configuration_digest") { .optional($0.configurationDigest.map { "\($0)" }) },
            Field("events_digest") { .text("\($0.eventsDigest)") },
            Field("previous_digest") { .text("\($0.previousDigest)") },
            Field("digest") { .text("\($0.digest)") },
        ]
    }
}
