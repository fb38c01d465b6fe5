//
// StateShapes.swift: states, differences, decisions and reports, as JSON.
//

import AllocationCore
import AllocationLedger

extension JSONShape where Value == TargetAssignment {
    static let assignment = JSONShape(
        "Assignment", "A target and who had it.",
        [
            .object("target", "Which target.", .target) { $0.target },
            .optionalText("collector", "Who had it; null: none.") { $0.collector },
            JSONField(
                name: "labels", schema: .nullable(.map(.text())),
                description: "Its labels after relabelling; null where they were not asked for."
            ) { assignment, json in
                guard let labels = assignment.labels else { return json.null() }
                json.object { json in
                    for pair in labels.pairs { json.member(pair.name, pair.value) }
                }
            },
        ])
}

extension JSONShape where Value == TargetDifference {
    static let targetDifference = JSONShape(
        "TargetDifference", "How a target differs between two instants: the net, not the sum.",
        [
            .object("target", "Which target.", .target) { $0.target },
            .texts("kinds", "`added`, `removed`, `moved`, `relabelled`.") { $0.kinds.codes },
            .optionalText("from", "Its collector at the first instant.") { $0.from },
            .optionalText("to", "Its collector at the second instant.") { $0.to },
            .optionalObject("labels", "What of its labels differs.", .labelDifference) { $0.labels },
            .integer("events", "Events between the two.") { $0.events },
        ])
}

extension JSONShape where Value == DifferenceCounts {
    static let differenceCounts = JSONShape(
        "DifferenceCounts", "How many targets differ.",
        [
            .integer("added", "There at the second instant only.") { $0.added },
            .integer("removed", "There at the first instant only.") { $0.removed },
            .integer("moved", "With another collector.") { $0.moved },
            .integer("relabelled", "With other labels.") { $0.relabelled },
            .integer("events", "Events between the two: the sum, not the net.") { $0.events },
        ])
}

extension JSONShape where Value == CollectorState {
    static let collectorState = JSONShape(
        "Collector", "A collector as it was.",
        [
            .text("name", "Its name.") { $0.name },
            .optionalText("uid", "Tells incarnations under one name apart.") { $0.uid },
            .optionalText("node", "The node it ran on.") { $0.node },
            .boolean("present", "False for one that had left and still had targets.") { $0.isPresent },
            .boolean("ready", "False between a `not_ready` and the next `ready`.") { $0.isReady },
            .optionalObject("joined", "When it last joined.", .point) { $0.joined },
            .optionalText("evidence", "What was observed when it joined.") { $0.evidence },
            .integer("targets", "Targets that it had.") { $0.targets },
        ])
}

extension JSONShape where Value == LoadPoint {
    static let loadPoint = JSONShape(
        "LoadPoint", "How many targets a collector had from a revision on.",
        [
            .time("at", "When the revision was recorded.") { $0.at },
            .integer("revision", "Number of the revision.") { $0.revision },
            .integer("targets", "Targets from then on.") { $0.targets },
            .integer("gained", "Targets that came.") { $0.gained },
            .integer("lost", "Targets that went.") { $0.lost },
        ])
}

extension JSONShape where Value == JobRevision {
    static let jobRevision = JSONShape(
        "JobRevision", "What one revision did to a job.",
        [
            .time("at", "When it was recorded.") { $0.at },
            .integer("revision", "Number of the revision.") { $0.revision },
            .text("cause", "What triggered it.") { $0.cause },
            .text("cause_detail", "The trigger in words.") { $0.causeDetail },
            .integer("added", "Targets that came.") { $0.added },
            .integer("removed", "Targets that went.") { $0.removed },
            .integer("moved", "Targets that changed collectors.") { $0.moved },
            .integer("relabelled", "Targets that changed labels.") { $0.relabelled },
        ])
}

extension JSONShape where Value == DiscoveryRun {
    static let discoveryRun = JSONShape(
        "DiscoveryRun", "Equal results of one provider in a row.",
        [
            .time("first_at", "When it was first found.") { $0.firstAt },
            .time("last_at", "When it was last found.") { $0.lastAt },
            .text("job", "Name of the job; empty for the configuration file.") { $0.job },
            .text("provider", "The mechanism.") { $0.provider },
            .text("source", "What was asked, without credentials.") { $0.source },
            .boolean("succeeded", "False: the last targets stayed.") { $0.succeeded },
            .integer("targets", "Targets found.") { Int64($0.targets) },
            .integer("added", "Targets that came with the first.") { Int64($0.added) },
            .integer("removed", "Targets that went with the first.") { Int64($0.removed) },
            .integer("dropped_by_relabelling", "Targets that the job's rules dropped.") {
                Int64($0.droppedByRelabelling)
            },
            .optionalText("error", "What went wrong.") { $0.error },
            .number("duration_seconds", "How long the last took.") { $0.durationSeconds },
            .integer("rounds", "How many times it was found.") { $0.rounds },
            .integer("revision", "In force when the run began.") { $0.revision },
            .boolean("open", "It goes on.") { $0.isOpen },
        ])
}

extension JSONShape where Value == Term {
    static let term = JSONShape(
        "Term", "One process's leadership.",
        [
            .integer("epoch", "Its number; numbers only grow.") { $0.epoch },
            .text("holder", "UUID of the process.") { "\($0.holder)" },
            .text("address", "Its address.") { $0.address },
            .time("acquired_at", "When it took the lease.") { $0.acquiredAt },
            .optionalTime("ended_at", "When it ended; null: it goes on.") { $0.endedAt },
            .optionalText("end_reason", "Why it ended.") { $0.endReason },
            .integer("first_revision", "The tip of the log that it found.") { $0.firstRevision },
            .text("first_digest", "Digest of that revision.") { "\($0.firstDigest)" },
        ])
}

extension JSONShape where Value == Replica {
    static let replica = JSONShape(
        "Replica", "What one process said of itself last.",
        [
            .text("id", "UUID of the process.") { "\($0.report.id)" },
            .text("address", "Its address.") { $0.report.name },
            .text("state", "starting, leading, following, or superseded: it leaves the lease to a newer configuration.")
            {
                $0.report.state.rawValue
            },
            .boolean("alive", "It was heard of lately.") { $0.isAlive },
            .optionalInteger("epoch", "The term that it leads in.") { $0.report.epoch },
            .optionalInteger("revision", "What it serves; null: nothing yet.") { $0.report.applied?.revision },
            .optionalText("digest", "Digest of that revision.") { $0.report.applied.map { "\($0.digest)" } },
            .integer("behind_revisions", "Revisions that are recorded and that it does not serve yet.") {
                $0.report.behindRevisions
            },
            .number("behind_seconds", "For how long there have been any.") { $0.report.behindSeconds },
            .text("hearing", "How it hears of revisions: connecting, listening or polling.") {
                $0.report.hearing.rawValue
            },
            .optionalText("configuration", "Digest of the configuration that it would record.") {
                $0.report.configuration.map { "\($0)" }
            },
            .text("version", "The newest migration that it knows.") { $0.version },
            .time("started_at", "When it was first heard of.") { $0.startedAt },
            .time("seen_at", "When it was last heard of.") { $0.seenAt },
        ])
}

extension JSONShape where Value == [Replica] {
    static let replicas = JSONShape(
        "Replicas", "Every process that was heard of.",
        [.objects("items", "Those that lead first.", .replica) { $0 }])
}

extension JSONShape where Value == Gap {
    static let gap = JSONShape(
        "Gap", "A period in which nothing could be recorded.",
        [
            .time("from", "Its beginning.") { $0.from }, .time("to", "Its end.") { $0.to },
            .text("cause", "Why.") { $0.cause }, .text("detail", "In words.") { $0.detail },
        ])
}

extension JSONShape where Value == Decision.Ring {
    static let decisionRing = JSONShape(
        "DecisionRing", "How the ring came to the owner.",
        [
            .text("version", "Version of the ring.") { $0.version },
            .texts("members", "The collectors on it.") { $0.members },
            .text("digest", "SHA-256 of the placement rule.") { "\($0.digest)" },
            .text("key", "What was hashed.") { $0.key },
            .text("hash", "XXH64 of the key, decimal.") { "\($0.hash)" },
            .integer("partition", "The hash modulo the number of partitions.") { Int64($0.partition) },
            .optionalText("owner", "Owner of the partition, as recorded.") { $0.owner },
            .optionalText("natural_owner", "Owner if there were no load bound.") { $0.walk?.naturalOwner },
            JSONField(
                name: "passed", schema: .list(.text()),
                description: "Members that were passed because they had no room left, in order."
            ) { ring, json in json.list(ring.walk?.passed ?? []) { $1.text($0.member) } },
            .optionalInteger("load_max", "Partitions that one member may have.") { $0.walk.map { Int64($0.loadMax) } },
            .optionalText("owner_before", "Owner of the partition before the deciding revision.") { $0.ownerBefore },
            .boolean("reproduced", "Computing the ring again gives the recorded owner.") { $0.isReproduced },
        ])
}

extension JSONShape where Value == Decision.Balance {
    static let decisionBalance = JSONShape(
        "DecisionBalance", "How the targets were spread over the collectors after the deciding revision.",
        [
            .integer("collectors", "Collectors that were present.") { Int64($0.collectors) },
            .integer("targets", "Targets in all.") { $0.targets },
            .integer("of_collector", "Targets of the collector that was chosen.") { $0.ofCollector },
            .integer("fewest", "Targets of the emptiest collector.") { $0.fewest },
            .integer("most", "Targets of the fullest collector.") { $0.most },
        ])
}

extension JSONShape where Value == Decision {
    static let decision = JSONShape(
        "Decision", "Why a target was where it was.",
        [
            .object("target", "Which target.", .target) { $0.target },
            .object("point", "The revision that was asked about.", .point) { $0.point },
            .boolean("present", "Whether the target was there.") { $0.isPresent },
            .optionalText("collector", "Who had it; null: none.") { $0.collector },
            .optionalObject("event", "The event that put it there.", .targetEvent) { $0.event },
            .optionalObject("revision", "The revision of that event.", .revision) { $0.revision },
            .objects("collector_events", "What the same revision did to collectors.", .collectorEvent) {
                $0.collectorEvents
            },
            .optionalText("previous_collector", "Who had it before that event.") { $0.previousCollector },
            .optionalObject("ring", "Null for a strategy without a ring.", .decisionRing) { $0.ring },
            .optionalObject("balance", "Null for a strategy that does not go by load.", .decisionBalance) {
                $0.balance
            },
            .optionalObject("until", "Until when the decision held.", .point) { $0.until },
            .text("summary", "The decision in words.") { $0.sentence },
        ])
}

extension JSONShape where Value == IncidentReport.Count {
    static let codeCount = JSONShape(
        "Count", "How often.", [.text("code", "Of what.") { $0.code }, .integer("count", "How often.") { $0.count }])
}

extension JSONShape where Value == IncidentReport.MoveCount {
    static let moveCount = JSONShape(
        "MoveCount", "Moves from one collector to another for one reason.",
        [
            .text("reason", "Why.") { $0.reason }, .optionalText("from", "Null: none.") { $0.from },
            .optionalText("to", "Null: none.") { $0.to }, .integer("count", "How many.") { $0.count },
        ])
}

extension JSONShape where Value == IncidentReport.Unassigned {
    static let unassigned = JSONShape(
        "Unassigned", "A target that nobody was to scrape.",
        [
            .object("target", "Which target.", .target) { $0.target },
            .number("seconds", "For how long.") { $0.seconds },
            .boolean("ongoing", "Still so at the end of the window.") { $0.isOngoing },
        ])
}

extension JSONShape where Value == IncidentReport {
    static let report = JSONShape(
        "Report", "An incident on one page.",
        [
            .time("since", "Beginning of the window.") { $0.since },
            .time("until", "End of the window.") { $0.until },
            .optionalObject("first", "In force at the beginning.", .point) { $0.first },
            .optionalObject("last", "In force at the end.", .point) { $0.last },
            .integer("revisions", "Revisions in the window.") { $0.revisions },
            .integer("target_events", "Events of targets in the window.") { $0.targetEvents },
            .object("net", "What differs between its ends.", .differenceCounts) { $0.net },
            .objects("revisions_by_cause", "Revisions by cause.", .codeCount) { $0.revisionsByCause },
            .objects("events_by_reason", "Events by reason.", .codeCount) { $0.eventsByReason },
            .objects("moves", "The most frequent moves.", .moveCount) { $0.moves },
            .objects("collector_events", "Collectors that joined, left or changed.", .collectorEvent) {
                $0.collectorEvents
            },
            .integer("unassigned_targets", "Targets that no collector had for some time.") { $0.unassignedTargets },
            .number("unassigned_seconds", "For how long, all targets together.") { $0.unassignedSeconds },
            .objects("worst_unassigned", "Those that nobody had for longest.", .unassigned) { $0.worstUnassigned },
            .object("handovers", "How targets passed from collector to collector.", .handovers) { $0.handovers },
            .objects("failed_discoveries", "Discovery that failed.", .discoveryRun) { $0.failedDiscoveries },
            .objects("gaps", "Periods without recording.", .gap) { $0.gaps },
            .objects("terms", "Who led.", .term) { $0.terms },
        ])
}

extension JSONShape where Value == Explanation.Fact {
    static let fact = JSONShape(
        "Fact", "One thing that the ledger says.",
        [
            .text("code", "What it says, stable.", allowed: Explanation.Code.allCases.map(\.rawValue)) {
                $0.code.rawValue
            },
            .boolean("cause", "True: something is not scraped because of it.") { $0.code.isCause },
            .text("text", "The same as a sentence.") { $0.text },
            .optionalText("job", "Of which job.") { $0.job },
            .optionalObject("target", "Of which target.", .target) { $0.target },
            .optionalText("collector", "Of which collector.") { $0.collector },
            .optionalInteger("revision", "The revision that says so.") { $0.revision },
            .optionalTime("at", "When that was, or began.") { $0.at },
            .optionalText("evidence", "A message or a rule, as recorded.") { $0.evidence },
        ])
}

extension JSONShape where Value == Explanation {
    static let explanation = JSONShape(
        "Explanation", "Why something is not being scraped.",
        [
            .object("point", "The revision in force.", .point) { $0.point },
            .boolean("well", "True: no cause was found.") { $0.isWell },
            .objects("facts", "Targets first, then jobs.", .fact) { $0.facts },
        ])
}
