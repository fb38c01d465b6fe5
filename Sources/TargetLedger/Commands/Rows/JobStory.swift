//
// JobStory.swift: what happened to a job: revisions that changed its targets and what discovery found, as one list.
//

import AllocationLedger
import AllocatorAPI
import PostgresDriver

/// One thing that happened to a job.
enum JobStoryEntry: Sendable {
    case changed(JobRevision)
    case discovery(DiscoveryRun)

    var at: Timestamp {
        switch self {
        case .changed(let revision): revision.at
        case .discovery(let run): run.firstAt
        }
    }

    fileprivate var change: JobRevision? { if case .changed(let revision) = self { revision } else { nil } }
    fileprivate var run: DiscoveryRun? { if case .discovery(let run) = self { run } else { nil } }

    fileprivate var code: String {
        switch self {
        case .changed: "changed"
        case .discovery(let run): run.succeeded ? "discovered" : "discovery_failed"
        }
    }

    /// Both lists newest first, as one.
    static func merged(_ revisions: [JobRevision], _ runs: [DiscoveryRun]) -> [JobStoryEntry] {
        (revisions.map(Self.changed) + runs.map(Self.discovery)).enumerated().sorted {
            ($0.element.at, $1.offset) > ($1.element.at, $0.offset)
        }.map(\.element)
    }

    fileprivate var detail: String {
        switch self {
        case .changed(let revision):
            revision.causeDetail.isEmpty ? revision.cause : "\(revision.cause): \(revision.causeDetail)"
        case .discovery(let run):
            "\(run.provider) \(run.source)" + (run.rounds > 1 ? ", \(run.rounds) times until \(run.lastAt)" : "")
                + (run.error.map { ": \($0)" } ?? "")
        }
    }
}

extension RowForm<JobStoryEntry> {
    static var jobStory: Self {
        Self(
            [
                Field("time", "TIME", tint: { _ in .faint }) { .text("\($0.at)") },
                Field("revision", "REVISION") { .number($0.change?.revision ?? $0.run?.revision ?? 0) },
                Field("event", "EVENT", tint: { $0 == .text("discovery_failed") ? .red : nil }) { .text($0.code) },
                Field("targets", "TARGETS") { .optional($0.run.map { Int64($0.targets) }) },
                Field("added", "ADDED") { .optional($0.change?.added ?? $0.run.map { Int64($0.added) }) },
                Field("removed", "REMOVED") { .optional($0.change?.removed ?? $0.run.map { Int64($0.removed) }) },
                Field("moved", "MOVED") { .optional($0.change?.moved) },
                Field("relabelled", "RELABELLED") { .optional($0.change?.relabelled) },
                Field(nil, "DETAIL") { .text($0.detail) },
            ] + programs)
    }

    private static var programs: [Field] {
        [
            Field("cause") { .optional($0.change?.cause) },
            Field("cause_detail") { .optional($0.change?.causeDetail) },
            Field("dropped_by_relabelling") { .optional($0.run.map { Int64($0.droppedByRelabelling) }) },
            Field("provider") { .optional($0.run?.provider) },
            Field("source") { .optional($0.run?.source) },
            Field("error") { .optional($0.run?.error) },
            Field("last_time") { .optional($0.run.map { "\($0.lastAt)" }) },
            Field("rounds") { .optional($0.run?.rounds) },
            Field("duration_seconds") { $0.run.map { .decimal($0.durationSeconds) } ?? .none },
        ]
    }
}
