//
// EventShapes.swift: targets, what happened to them, and revisions, as JSON.
//

import AllocationCore
import AllocationLedger

extension JSONShape where Value == RecordedTarget {
    static let target = JSONShape(
        "Target", "A target as the ledger knows it.",
        [
            .text("job", "Name of the job.") { $0.job },
            .text("identity", "The standard API's 64-bit identity, decimal.") { "\($0.identity.rawValue)" },
            .text("address", "`__address__` when it was first recorded; empty without one.") { $0.address },
        ])
}

extension JSONShape where Value == RecordedLabel {
    static let label = JSONShape(
        "Label", "One label pair.", [.text("name", "Its name.") { $0.name }, .text("value", "Its value.") { $0.value }])
}

extension JSONShape where Value == LabelDifference.Change {
    static let labelChange = JSONShape(
        "LabelChange", "A label whose value changed.",
        [
            .text("name", "Its name.") { $0.name }, .text("before", "Its value before.") { $0.before },
            .text("after", "Its value after.") { $0.after },
        ])
}

extension JSONShape where Value == LabelDifference {
    static let labelDifference = JSONShape(
        "LabelDifference", "What of a label set changed.",
        [
            .objects("added", "Labels that are new.", .label) { $0.added },
            .objects("removed", "Labels that are gone.", .label) { $0.removed },
            .objects("changed", "Labels with another value.", .labelChange) { $0.changed },
        ])
}

extension JSONShape where Value == RingPlace {
    static let ringPlace = JSONShape(
        "RingPlace", "Where the ring puts an address.",
        [
            .integer("partition", "Partition of the ring, from 0 to 1060.") { Int64($0.partition) },
            .optionalText("owner_before", "Who owned the partition before the revision.") { $0.ownerBefore },
            .optionalText("owner_after", "Who owned it from the revision on.") { $0.ownerAfter },
        ])
}

extension JSONShape where Value == TargetEvent {
    static let targetEvent = JSONShape(
        "TargetEvent", "What one revision did to one target, with the state before and after.",
        [
            .time("at", "When it was recorded, by the database's clock.") { $0.at },
            .integer("revision", "Number of the revision.") { $0.revision },
            .integer("ordinal", "Its place in the revision.") { Int64($0.ordinal) },
            .object("target", "Which target.", .target) { $0.target },
            .texts(
                "kinds",
                "What happened: `discovered`, `assigned`, `moved`, `unassigned`, `relabelled`, `vanished`; "
                    + "`fetched`: a collector learned of a move."
            ) { $0.kinds.codes },
            .optionalText("from", "The collector before; null: none.") { $0.from },
            .optionalText("to", "The collector after; null: none.") { $0.to },
            .text("reason", "Stable code of why.") { $0.reason },
            .optionalText(
                "kind", "`direct`: its old or new collector joined or left; `cascade`: the load bound pushed it on."
            ) { $0.moveKind?.rawValue },
            .text("cause", "What triggered the revision.") { $0.cause },
            .text("cause_detail", "The trigger in words: a job, a list of collectors, a configuration.") {
                $0.causeDetail
            },
            .optionalObject("ring", "Null without a ring.", .ringPlace) { $0.ring },
            .optionalObject("labels", "What of its labels changed; null: nothing, or not asked for.", .labelDifference)
            {
                $0.labels
            },
            .optionalText("continues", "Identity that the same endpoint had before this revision.") {
                $0.continues.map { "\($0.rawValue)" }
            },
            .optionalText("continued_by", "Identity under which the same endpoint goes on.") {
                $0.continuedBy.map { "\($0.rawValue)" }
            },
            .optionalText("fetched_by", "Who fetched; null for everything but `fetched`.") { $0.fetchedBy },
        ] + JSONShape<Handover>.handover.lifted { $0.handover })
}

extension JSONShape where Value == Handover {
    static let handover = JSONShape(
        "Handover",
        "How a target passed to another collector. Null is not known, or not asked for: moves and a target's history have it.",
        [
            .optionalTime("learned_by_old_at", "The old collector's first fetch without the target.") {
                $0.learnedByOld
            },
            .optionalTime("old_left_at", "When the old collector left, where it did so before it fetched.") {
                $0.oldLeft
            },
            .optionalTime("learned_by_new_at", "The new collector's first fetch with the target.") {
                $0.learnedByNew
            },
            .optionalNumber("ownerless_seconds", "From the old collector's end to the new one's first fetch.") {
                $0.ownerlessSeconds
            },
            .optionalNumber("doubly_owned_seconds", "From the new collector's first fetch to the old one's end.") {
                $0.doublyOwnedSeconds
            },
        ])
}

extension JSONShape where Value == HandoverSummary {
    static let handovers = JSONShape(
        "Handovers", "How all targets that moved passed from collector to collector, as far as fetches tell.",
        [
            .integer("moves", "Moves from a collector to another.") { $0.moves },
            .integer("known", "Those of which it is known when both collectors learned.") { $0.known },
            .number("ownerless_seconds", "Nobody scraped, all known moves together.") { $0.ownerlessSeconds },
            .number("doubly_owned_seconds", "Two scraped, all known moves together.") { $0.doublyOwnedSeconds },
            .objects("jobs", "The same by job.", .handoverJob) { $0.jobs },
            .objects("worst", "Longest without a collector, or with two, first.", .handoverWorst) { $0.worst },
        ])
}

extension JSONShape where Value == HandoverSummary.Job {
    static let handoverJob = JSONShape(
        "HandoverJob", "The handovers of one job.",
        [
            .text("job", "Name of the job.") { $0.job }, .integer("moves", "Moves.") { $0.moves },
            .integer("known", "Those that are known.") { $0.known },
            .number("ownerless_seconds", "Nobody scraped.") { $0.ownerlessSeconds },
            .number("doubly_owned_seconds", "Two scraped.") { $0.doublyOwnedSeconds },
        ])
}

extension JSONShape where Value == HandoverSummary.Worst {
    static let handoverWorst = JSONShape(
        "HandoverWorst", "One target's handover.",
        [
            .time("at", "When the move was recorded.") { $0.at },
            .integer("revision", "Number of the revision.") { $0.revision },
            .object("target", "Which target.", .target) { $0.target },
            .text("from", "The old collector.") { $0.from }, .text("to", "The new collector.") { $0.to },
        ] + JSONShape<Handover>.handover.lifted { $0.handover })
}

extension JSONShape where Value == CollectorEvent {
    static let collectorEvent = JSONShape(
        "CollectorEvent", "What one revision did to a collector.",
        [
            .time("at", "When it was recorded.") { $0.at },
            .integer("revision", "Number of the revision.") { $0.revision },
            .text("collector", "Name of the collector.") { $0.collector },
            .optionalText("uid", "Tells incarnations under one name apart.") { $0.uid },
            .text("kind", "`joined`, `left`, `ready`, `not_ready` or `node_changed`.") { $0.kind },
            .optionalText("node", "The node it runs on.") { $0.node },
            .text("evidence", "What was observed.") { $0.evidence },
            .text("cause", "What triggered the revision.") { $0.cause },
            .text("cause_detail", "The trigger in words.") { $0.causeDetail },
        ])
}

extension JSONShape where Value == RevisionSummary {
    static let revision = JSONShape(
        "Revision", "One atomic change of the allocation.",
        [
            .integer("revision", "Its number; numbers have no gap.") { $0.revision },
            .time("at", "When it was recorded, by the database's clock.") { $0.at },
            .optionalTime("occurred_at", "When it happened, where that was long before.") { $0.occurredAt },
            .text("cause", "What triggered it.", allowed: Cause.allCases.map(\.rawValue)) { $0.cause },
            .text("cause_detail", "The trigger in words.") { $0.causeDetail },
            .integer("epoch", "The term in which it was written.") { $0.epoch },
            .text("replica", "UUID of the process that wrote it.") { "\($0.replica)" },
            .optionalText("replica_address", "Address of that process.") { $0.replicaAddress },
            .text("change_id", "UUID made by the writer.") { "\($0.changeID)" },
            .text("strategy", "Strategy in force.") { $0.strategy },
            .optionalText("ring_version", "Version of the ring.") { $0.ringVersion },
            .texts("members", "Collectors that targets were placed on.") { $0.members },
            .text("ring_digest", "SHA-256 of the placement rule.") { "\($0.ringDigest)" },
            .optionalText("configuration_digest", "SHA-256 of the configuration in force.") {
                $0.configurationDigest.map { "\($0)" }
            },
            .integer("targets_added", "Targets that came.") { Int64($0.targetsAdded) },
            .integer("targets_removed", "Targets that went.") { Int64($0.targetsRemoved) },
            .integer("targets_moved", "Targets that changed collectors.") { Int64($0.targetsMoved) },
            .integer("targets_relabelled", "Targets that changed labels.") { Int64($0.targetsRelabelled) },
            .integer("target_events", "Events of targets.") { Int64($0.targetEvents) },
            .integer("collector_events", "Events of collectors.") { Int64($0.collectorEvents) },
            .text("events_digest", "RFC 6962 root over its events.") { "\($0.eventsDigest)" },
            .text("previous_digest", "Digest of the revision before.") { "\($0.previousDigest)" },
            .text("digest", "Its own digest.") { "\($0.digest)" },
        ])
}

extension JSONShape where Value == RevisionPoint {
    static let point = JSONShape(
        "RevisionPoint", "A revision and its time.",
        [
            .integer("revision", "Number of the revision.") { $0.revision.number },
            .time("at", "When it was recorded.") { $0.at },
        ])
}
