//
// IncidentFields.swift: the fields of what a report lists.
//

import AllocationCore
import AllocationLedger

extension RowForm<IncidentReport> {
    static var incident: Self {
        Self([
            Field("since") { .text("\($0.since)") },
            Field("until") { .text("\($0.until)") },
            Field("first_revision") { .optional($0.first?.revision.number) },
            Field("last_revision") { .optional($0.last?.revision.number) },
            Field("revisions") { .number($0.revisions) },
            Field("target_events") { .number($0.targetEvents) },
            Field("net_added") { .number($0.net.added) },
            Field("net_removed") { .number($0.net.removed) },
            Field("net_moved") { .number($0.net.moved) },
            Field("net_relabelled") { .number($0.net.relabelled) },
            Field("targets_without_collector") { .number($0.unassignedTargets) },
            Field("seconds_without_collector") { .decimal($0.unassignedSeconds) },
            Field("handovers") { .number($0.handovers.moves) },
            Field("handovers_known") { .number($0.handovers.known) },
            Field("ownerless_seconds") { .decimal($0.handovers.ownerlessSeconds) },
            Field("doubly_owned_seconds") { .decimal($0.handovers.doublyOwnedSeconds) },
        ])
    }
}

extension RowForm<IncidentReport.Count> {
    static func count(_ code: String, _ counted: String) -> Self {
        Self([
            Field(code, code.uppercased()) { .text($0.code) },
            Field(counted, counted.uppercased()) { .number($0.count) },
        ])
    }
}

extension RowForm<IncidentReport.MoveCount> {
    static var moveCount: Self {
        Self([
            Field("reason", "REASON") { .text($0.reason) },
            Field("from", "FROM") { .optional($0.from) },
            Field("to", "TO") { .optional($0.to) },
            Field("targets", "TARGETS") { .number($0.count) },
        ])
    }
}

extension RowForm<IncidentReport.Unassigned> {
    static var unassigned: Self {
        Self([
            Field("seconds", "SECONDS") { .decimal($0.seconds) },
            Field("ongoing", "STILL") { .boolean($0.isOngoing) },
            Field("job", "JOB") { .text($0.target.job) },
            Field("address", "ADDRESS") { .text($0.target.address) },
            Field("identity") { .text("\($0.target.identity.rawValue)") },
        ])
    }
}

extension RowForm<HandoverSummary.Job> {
    static var handoverJob: Self {
        Self([
            Field("job", "JOB") { .text($0.job) },
            Field("moves", "MOVES") { .number($0.moves) },
            Field("known", "KNOWN") { .number($0.known) },
            Field("ownerless_seconds", "OWNERLESS") { .decimal($0.ownerlessSeconds) },
            Field("doubly_owned_seconds", "DOUBLE") { .decimal($0.doublyOwnedSeconds) },
        ])
    }
}

extension RowForm<HandoverSummary.Worst> {
    static var handoverWorst: Self {
        Self([
            Field("time", "TIME") { .text("\($0.at)") },
            Field("revision", "REVISION") { .number($0.revision) },
            Field("job", "JOB") { .text($0.target.job) },
            Field("address", "ADDRESS") { .text($0.target.address) },
            Field("from", "FROM") { .text($0.from) },
            Field("to", "TO") { .text($0.to) },
            Field("ownerless_seconds", "OWNERLESS") { .optional($0.handover.ownerlessSeconds) },
            Field("doubly_owned_seconds", "DOUBLE") { .optional($0.handover.doublyOwnedSeconds) },
            Field("identity") { .text("\($0.target.identity.rawValue)") },
            Field("learned_by_old_at") { .optional($0.handover.learnedByOld.map { "\($0)" }) },
            Field("old_left_at") { .optional($0.handover.oldLeft.map { "\($0)" }) },
            Field("learned_by_new_at") { .optional($0.handover.learnedByNew.map { "\($0)" }) },
        ])
    }
}

extension RowForm<CollectorEvent> {
    static var collectorEvent: Self {
        Self([
            Field("time", "TIME") { .text("\($0.at)") },
            Field("revision", "REVISION") { .number($0.revision) },
            Field("collector", "COLLECTOR") { .text($0.collector) },
            Field("event", "EVENT") { .text($0.kind) },
            Field("node", "NODE") { .optional($0.node) },
            Field("evidence", "EVIDENCE") { .text($0.evidence) },
            Field("uid") { .optional($0.uid) },
            Field("cause") { .text($0.cause) },
            Field("cause_detail") { .text($0.causeDetail) },
        ])
    }
}

extension RowForm<DiscoveryRun> {
    static var discoveryRun: Self {
        Self([
            Field("time", "FROM") { .text("\($0.firstAt)") },
            Field("last_time", "TO") { .text("\($0.lastAt)") },
            Field("rounds", "TIMES") { .number($0.rounds) },
            Field("job", "JOB") { .text($0.job) },
            Field("provider", "PROVIDER") { .text($0.provider) },
            Field("source", "SOURCE") { .text($0.source) },
            Field("error", "ERROR") { .optional($0.error) },
            Field("open") { .boolean($0.isOpen) },
            Field("duration_seconds") { .decimal($0.durationSeconds) },
        ])
    }
}

extension RowForm<Gap> {
    static var gap: Self {
        Self([
            Field("time", "FROM") { .text("\($0.from)") },
            Field("last_time", "TO") { .text("\($0.to)") },
            Field("seconds", "SECONDS") { .decimal($0.seconds) },
            Field("cause", "CAUSE") { .text($0.cause) },
            Field("detail", "DETAIL") { .text($0.detail) },
        ])
    }
}

extension RowForm<Term> {
    static var term: Self {
        Self([
            Field("time", "FROM") { .text("\($0.acquiredAt)") },
            Field("last_time", "TO") { .optional($0.endedAt.map { "\($0)" }) },
            Field("epoch", "TERM") { .number($0.epoch) },
            Field("address", "ADDRESS") { .text($0.address) },
            Field("end_reason", "END") { .optional($0.endReason) },
            Field("first_revision", "FOUND REVISION") { .number($0.firstRevision) },
            Field("holder") { .text("\($0.holder)") },
        ])
    }
}
