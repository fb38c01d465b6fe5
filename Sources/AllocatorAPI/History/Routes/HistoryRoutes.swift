//
// HistoryRoutes.swift: every route of the history API (design/product.md "History API").
//

import AllocationCore
import AllocationLedger
import AllocatorRuntime
import PostgresDriver
import PrometheusConfig

extension HistoryRoute {
    /// In the order of the description.
    static let all: [HistoryRoute] =
        moves + targets + collectors + jobs + revisions + states + incidents + terms + proofs + exports

    static let prefix = "/api/v1"

    // MARK: Targets

    private static let moves: [HistoryRoute] = [
        .page(
            "\(prefix)/moves", "When and why targets moved between collectors, newest first.",
            HistoryParameter.window + [
                .init(name: "target", form: .text, description: "A part of the address."), .identity, .job, .collector,
                .init(name: "reason", form: .choice(Reason.allCases.map(\.code)), description: "Why it moved."),
                .match,
            ], .targetEvent
        ) { question, connection in
            let window = try await question.window(connection)
            let query = MoveQuery(
                since: window.since, until: window.until, target: question.text("target"),
                identity: try question.identity("identity"), job: question.text("job"),
                collector: question.text("collector"),
                reason: try question.choice("reason", among: Reason.allCases.map(\.code)).flatMap { Reason(code: $0) },
                selection: try question.selection(), limit: try question.limit(),
                after: try question.cursor(EventCursor.self))
            return try await query.events(connection)
        }
    ]

    private static let labels = HistoryParameter(
        name: "labels", form: .boolean, description: "With all labels; true when left out.")
    private static let stateParameters: [HistoryParameter] = [
        .at, .revision, .job, .collector, .address, .match,
        .init(name: "unassigned", form: .boolean, description: "Only targets that no collector had."), labels,
    ]

    private static func state(
        _ question: HistoryQuestion, _ connection: isolated PostgresConnection
    ) async throws -> HistoryPage<TargetAssignment, TargetCursor> {
        let cursor = try question.cursor(TargetCursor.self)
        // A page belongs to the revision of the first one, whatever has been recorded since.
        let point: RevisionPoint
        if let first = cursor?.revisions.first, !question.has("at"), !question.has("revision") {
            point = try await Instant.revision(Revision(first)).resolve(connection)
        } else {
            point = try await question.moment().resolve(connection)
        }
        var holder = question.text("collector").map { StateQuery.Holder.collector($0) }
        if try question.boolean("unassigned", default: false) {
            guard holder == nil else {
                throw ProblemDetails.badParameter("unassigned", "and collector cannot both be given")
            }
            holder = .nobody
        }
        return try await StateQuery(
            at: point, job: question.text("job"), holder: holder, address: question.text("address"),
            selection: try question.selection(), withLabels: try question.boolean("labels", default: true),
            limit: try question.limit(), after: cursor
        ).run(connection)
    }

    private static let targets: [HistoryRoute] = [
        .page(
            "\(prefix)/targets", "Targets and who had them, at a moment.", stateParameters, .assignment
        ) { try await state($0, $1) },
        .one(
            "\(prefix)/targets/{identity}", "One target at a moment, and why it was where it was.",
            [.path("identity", .identity, "The target's identity."), .job, .at, .revision], .decision
        ) { try await why($0, $0.identity("identity"), $1) },
        .page(
            "\(prefix)/targets/{identity}/history",
            "A target's whole life; follows its endpoint across identities unless told otherwise.",
            [
                .path("identity", .identity, "The target's identity."), .job,
                .init(
                    name: "follow", form: .boolean,
                    description: "Follow the endpoint across identities; true when left out."),
                .init(
                    name: "fetches", form: .boolean,
                    description: "Also when collectors learned of moves; true when left out."),
            ] + HistoryParameter.window, .targetEvent
        ) { question, connection in
            guard let identity = try question.identity("identity") else {
                throw ProblemDetails.badParameter("identity", "is missing")
            }
            let job = question.text("job")
            let follows = try question.boolean("follow", default: true)
            return try await TargetHistoryQuery(
                follows ? .endpointOf(identity, job: job) : .target(identity, job: job),
                window: try await question.window(connection),
                withFetches: try question.boolean("fetches", default: true),
                limit: try question.limit(), after: try question.cursor(RevisionCursor.self)
            ).run(connection).page
        },
    ]

    private static func why(
        _ question: HistoryQuestion, _ identity: TargetIdentity?, _ connection: isolated PostgresConnection
    ) async throws -> Decision {
        guard let identity else { throw ProblemDetails.badParameter("target", "is missing") }
        return try await WhyQuery(
            identity: identity, job: question.text("job"), at: try await question.moment().resolve(connection)
        ).run(connection)
    }

    // MARK: Collectors and jobs

    private static let collectors: [HistoryRoute] = [
        .one(
            "\(prefix)/collectors", "The collectors at a moment, and how many targets each had.", [.at, .revision],
            JSONShape(
                "Collectors", "All collectors at one revision.",
                [
                    .object("point", "The revision.", .point) { $0.point },
                    .objects("collectors", "Ordered by name.", .collectorState) { $0.answer.collectors },
                    .integer("targets", "Targets in all.") { $0.answer.targets },
                    .integer("unassigned_targets", "Targets that none had.") { $0.answer.unassignedTargets },
                ] as [JSONField<(point: RevisionPoint, answer: CollectorsQuery.Answer)>])
        ) { question, connection in
            let point = try await question.moment().resolve(connection)
            return (point, try await CollectorsQuery(at: point).run(connection))
        },
        .page(
            "\(prefix)/collectors/{name}/history", "When a collector joined, left or changed, newest first.",
            [.path("name", .text, "Name of the collector.")] + HistoryParameter.window, .collectorEvent
        ) { question, connection in
            try await CollectorHistoryQuery(
                name: question.text("name") ?? "", window: try await question.window(connection),
                limit: try question.limit()
            ).events(after: try question.cursor(EventCursor.self), connection)
        },
        .page(
            "\(prefix)/collectors/{name}/load", "How many targets a collector had over time, newest first.",
            [.path("name", .text, "Name of the collector.")] + HistoryParameter.window, .loadPoint
        ) { question, connection in
            try await CollectorHistoryQuery(
                name: question.text("name") ?? "", window: try await question.window(connection),
                limit: try question.limit()
            ).load(after: try question.cursor(RevisionCursor.self), connection)
        },
    ]

    private static let jobs: [HistoryRoute] = [
        .page(
            "\(prefix)/jobs/{job}/history", "Revisions that changed targets of a job, newest first.",
            [.path("job", .text, "Name of the job.")] + HistoryParameter.window, .jobRevision
        ) { question, connection in
            try await JobHistoryQuery(
                job: question.text("job") ?? "", window: try await question.window(connection),
                limit: try question.limit()
            ).revisions(after: try question.cursor(RevisionCursor.self), connection)
        },
        .page(
            "\(prefix)/jobs/{job}/discoveries", "What discovery found for a job, failures included, newest first.",
            [
                .path("job", .text, "Name of the job."),
                .init(name: "failed", form: .boolean, description: "Only failures."),
            ] + HistoryParameter.window, .discoveryRun
        ) { question, connection in
            try await DiscoveryQuery(
                job: question.text("job"), window: try await question.window(connection),
                failuresOnly: try question.boolean("failed", default: false), limit: try question.limit(),
                after: try question.cursor(InstantCursor.self)
            ).run(connection)
        },
    ]

    // MARK: Revisions and states

    private static let revisions: [HistoryRoute] = [
        .page(
            "\(prefix)/revisions", "Revisions, newest first.",
            HistoryParameter.window + [
                .init(name: "cause", form: .choice(Cause.allCases.map(\.rawValue)), description: "What triggered it."),
                .init(
                    name: "changes", form: .boolean, description: "Only those that changed targets or collectors."),
            ], .revision
        ) { question, connection in
            try await RevisionQuery(
                window: try await question.window(connection),
                cause: try question.choice("cause", among: Cause.allCases.map(\.rawValue)).flatMap {
                    Cause(rawValue: $0)
                }, changesOnly: try question.boolean("changes", default: false), limit: try question.limit(),
                after: try question.cursor(RevisionCursor.self)
            ).run(connection)
        },
        .one(
            "\(prefix)/revisions/{revision}", "One revision: who wrote it, from which inputs, what it changed.",
            [.path("revision", .revision, "Its number.")], .revision
        ) { question, connection in
            let revision = try question.revision("revision") ?? Revision(0)
            return try await RevisionQuery.one(revision, connection)
        },
        .page(
            "\(prefix)/revisions/{revision}/events", "What one revision did to targets.",
            [.path("revision", .revision, "Its number.")], .targetEvent
        ) { question, connection in
            let revision = try question.revision("revision") ?? Revision(0)
            return try await RevisionEventsQuery(
                of: try await Instant.revision(revision).resolve(connection), limit: try question.limit(),
                after: try question.cursor(EventCursor.self)
            ).run(connection)
        },
    ]

    private static let states: [HistoryRoute] = [
        .page("\(prefix)/state", "The whole allocation at a moment.", stateParameters, .assignment) {
            try await state($0, $1)
        },
        .page(
            "\(prefix)/diff", "What differs between two instants, target by target.",
            [
                HistoryParameter(name: "from", form: .instant, description: "A time or a revision.").required(),
                HistoryParameter(
                    name: "to", form: .instant, description: "A time or a revision; the latest when left out."),
                .job, .collector, .match,
            ], .targetDifference
        ) { question, connection in
            let cursor = try question.cursor(TargetCursor.self)
            let from = try await (try question.instant("from") ?? .latest).resolve(connection)
            let to: RevisionPoint
            if let second = cursor?.revisions.dropFirst().first, !question.has("to") {
                to = try await Instant.revision(Revision(second)).resolve(connection)
            } else {
                to = try await (try question.instant("to") ?? .latest).resolve(connection)
            }
            return try await DiffQuery(
                from: from, to: to, job: question.text("job"), collector: question.text("collector"),
                limit: try question.limit(), after: cursor
            ).run(selecting: try question.selection(), connection)
        },
        .one(
            "\(prefix)/why", "The decision that put a target where it was.",
            [
                HistoryParameter(name: "target", form: .identity, description: "The target's identity.").required(),
                .job, .at, .revision,
            ], .decision
        ) { try await why($0, $0.identity("target"), $1) },
        .one(
            "\(prefix)/explain", "Why a target or a job is not being scraped, as facts with evidence.",
            [
                .init(
                    name: "target", form: .text,
                    description: "A target's identity, its address or a part of that, or a label as `name=value`."),
                .job, .match, .at, .revision,
                .init(
                    name: "servicemonitor", form: .text,
                    description: "Refused: monitors are not read by this release."),
                .init(
                    name: "podmonitor", form: .text, description: "Refused: monitors are not read by this release."),
            ], .explanation
        ) { try await explain($0, $1) },
    ]

    private static func explain(
        _ question: HistoryQuestion, _ connection: isolated PostgresConnection
    ) async throws -> Explanation {
        for name in ["servicemonitor", "podmonitor"] where question.has(name) {
            throw ProblemDetails.badParameter(
                name, "cannot be answered: monitors are not read by this release; ask by target or job")
        }
        var selection = try question.selection()
        var target = question.text("target")
        if let label = target.flatMap(ExplainQuery.label) {
            guard selection == nil else {
                throw ProblemDetails.badParameter("target", "is a label; with match[], put it into the selector")
            }
            selection = try LabelSelection(anyOf: [[label]], regex: LabelMatcherRegex.compile)
            target = nil
        }
        guard target != nil || selection != nil || question.text("job") != nil else {
            throw ProblemDetails.badParameter("target", "is missing, and so are job and match[]: one of them is needed")
        }
        return try await ExplainQuery(
            at: try question.moment(), job: question.text("job"), target: target, selection: selection,
            readConfiguration: RecordedConfiguration.rulesThatDrop
        ).run(connection)
    }

    // MARK: Incidents and terms

    private static let incidents: [HistoryRoute] = [
        .one(
            "\(prefix)/report", "An incident on one page; the last day when no window is given.",
            HistoryParameter.window, .report
        ) { try await report($0, $1) }
        .also("text/html") { question, connection in
            let report = try await report(question, connection)
            return .page(ReportPage.page(report, try await RecordedBounds.read(connection).latest))
        }
        .also("text/markdown") { question, connection in
            let document = IncidentDocument(try await report(question, connection))
            return .text(contentType: "text/markdown; charset=utf-8", document.markdown())
        }
    ]

    private static func report(
        _ question: HistoryQuestion, _ connection: isolated PostgresConnection
    ) async throws -> IncidentReport {
        let window = try await question.window(connection)
        let until = window.until ?? .now()
        let since =
            window.since ?? Timestamp(microsecondsSince1970: until.microsecondsSince1970 - 86_400_000_000)
        return try await ReportQuery(since: since, until: until).run(connection)
    }

    private static let terms: [HistoryRoute] = [
        .page(
            "\(prefix)/terms", "Who led, when, and why it ended; newest first.", HistoryParameter.window, .term
        ) { question, connection in
            try await TermQuery(
                window: try await question.window(connection), limit: try question.limit(),
                after: try question.cursor(RevisionCursor.self)
            ).run(connection)
        },
        .one(
            "\(prefix)/replicas", "The processes on this ledger: who leads, and how far the others are.", [], .replicas
        ) { _, connection in try await ReplicaQuery().run(connection) },
        .page(
            "\(prefix)/gaps", "Periods in which nothing could be recorded; newest first.", HistoryParameter.window,
            .gap
        ) { question, connection in
            try await GapQuery(
                window: try await question.window(connection), limit: try question.limit(),
                after: try question.cursor(InstantCursor.self)
            ).run(connection)
        },
    ]
}
