//
// ExplainQuery.swift: follows a target's way from the configuration to its collector and says where it ends.
//
// Configured → discovered → kept by relabelling → assigned → fetched by its collector: each step leaves a record, and the
// first one that is missing is the cause.
//

import AllocationCore
import PostgresDriver

/// Why targets, or a job's, are not scraped at a moment.
package struct ExplainQuery: Sendable {
    /// Reads from a configuration's recorded text which jobs it has, and which of each job's rules can drop a target; nil
    /// for a text that is no configuration.
    package typealias ConfigurationReader = @Sendable (_ text: String) -> [String: [String]]?

    package var instant: Instant
    package var job: String?
    /// A target's identity, its address, or a part of that.
    package var target: String?
    package var selection: LabelSelection?

    private let readConfiguration: ConfigurationReader

    /// At least one of `job`, `target` and `selection` says what is meant.
    package init(
        at instant: Instant = .latest, job: String? = nil, target: String? = nil, selection: LabelSelection? = nil,
        readConfiguration: @escaping ConfigurationReader
    ) {
        self.instant = instant
        self.job = job
        self.target = target
        self.selection = selection
        self.readConfiguration = readConfiguration
    }

    /// Targets that are followed; more are counted.
    private static let targetsMax = 20
    /// Jobs that are looked at where none is named.
    private static let jobsMax = 20

    /// - Throws: ``HistoryError``.
    package func run(_ connection: isolated PostgresConnection) async throws -> Explanation {
        let point = try await instant.resolve(connection)
        let moment =
            if case .time(let time) = instant { time } else if case .revision = instant { point.at } else {
                Timestamp.distantFuture
            }
        var explanation = Explanation(point: point, facts: [])
        let wantsTargets = target != nil || selection != nil
        let found = wantsTargets ? try await targets(at: point, connection) : []
        for target in found.prefix(Self.targetsMax) {
            explanation.facts += try await TargetExplanation(target, at: point, until: moment).facts(connection)
        }
        if found.count > Self.targetsMax {
            explanation.facts.append(
                .init(.more, "\(found.count - Self.targetsMax) more targets are meant; name one of them."))
        }
        let text = try await RevisionQuery.configuration(at: point, connection)
        let configured = text.flatMap(readConfiguration)
        var jobs = job.map { [$0] } ?? Array(Set(found.map(\.job))).sorted(by: ByteOrder.precedes)
        if jobs.isEmpty { jobs = (configured?.keys.sorted(by: ByteOrder.precedes) ?? []) }
        if wantsTargets, found.isEmpty { explanation.facts.append(neverDiscovered) }
        for job in jobs.prefix(Self.jobsMax) {
            explanation.facts += try await JobExplanation(
                job: job, configured: configured, point: point, moment: moment,
                isLossACause: wantsTargets && found.isEmpty, wantsAllocation: !wantsTargets
            ).facts(connection)
        }
        if let refused = try await JobExplanation.refusedConfiguration(moment, connection) {
            explanation.facts.append(refused)
        }
        return explanation
    }

    private var neverDiscovered: Explanation.Fact {
        let what = target.map { " \(String(reflecting: $0))" } ?? " with these labels"
        return .init(
            .neverDiscovered,
            "The ledger has never seen a target\(what)\(job.map { " of job \($0)" } ?? "") up to this moment.", job: job
        )
    }

    /// The matcher that `name=value` stands for; nil for a text that is no label.
    package static func label(_ text: String) -> LabelMatcher? {
        guard let equals = text.firstIndex(of: "="), equals > text.startIndex else { return nil }
        let name = text[..<equals]
        guard name.utf8.allSatisfy({ LabelMatcherParser.isLetter($0) || LabelMatcherParser.isDigit($0) }),
            let first = name.utf8.first, !LabelMatcherParser.isDigit(first)
        else { return nil }
        return LabelMatcher(name: String(name), operation: .equal, value: String(text[text.index(after: equals)...]))
    }

    // MARK: What is meant

    /// Those that were there; of endpoints that were not, the latest of each.
    private func targets(
        at point: RevisionPoint, _ connection: isolated PostgresConnection
    ) async throws -> [RecordedTarget] {
        var identity: TargetIdentity?
        if let target, let number = UInt64(target) {
            let given = TargetIdentity(rawValue: number)
            if try await !TargetLookup.find(identity: given, job: job, connection).isEmpty { identity = given }
        }
        var present: [RecordedTarget] = []
        if let identity {
            present = try await TargetLookup.find(identity: identity, job: job, connection)
        } else {
            present = try await StateQuery(
                at: point, job: job, address: target, selection: selection, withLabels: false,
                limit: PageLimit.rowsDefault
            ).run(connection).items.map(\.target)
        }
        let exact = present.filter { $0.address == target }
        if !exact.isEmpty { return exact }
        if !present.isEmpty { return present }
        var seen: Set<[String]> = []
        let gone = try await MoveQuery(
            until: point.at.advanced(by: .microseconds(1)), target: target, job: job, selection: selection, limit: 1000
        ).events(connection).items.map(\.target)
        let meant = gone.contains { $0.address == target } ? gone.filter { $0.address == target } : gone
        return meant.filter { seen.insert([$0.job, $0.address]).inserted }
    }
}

/// One target's way.
private struct TargetExplanation {
    let target: RecordedTarget
    let point: RevisionPoint
    /// What was fetched after this does not count.
    let moment: Timestamp

    init(_ target: RecordedTarget, at point: RevisionPoint, until moment: Timestamp) {
        self.target = target
        self.point = point
        self.moment = moment
    }

    func facts(_ connection: isolated PostgresConnection) async throws -> [Explanation.Fact] {
        let decision = try await WhyQuery(identity: target.identity, job: target.job, at: point).run(connection)
        let event = decision.event
        let name = "\(target.address) of job \(target.job)"
        guard decision.isPresent else {
            guard let event else {
                return [
                    fact(.notYetDiscovered, "\(name) had not been discovered yet at revision \(point.revision).", nil)
                ]
            }
            let why =
                event.reason == Reason.jobRemoved.code
                ? "its job is no longer configured" : "its discovery no longer had it"
            return [fact(.vanished, "\(name) is gone since revision \(event.revision): \(why).", event)]
        }
        guard let collector = decision.collector else {
            return [
                fact(
                    .noCollector,
                    "\(name) has no collector\(event.map { " since revision \($0.revision)" } ?? ""): "
                        + "\(event?.reason ?? "the reason is before what the ledger keeps").", event)
            ]
        }
        var facts = [
            fact(
                .assigned,
                "\(collector) has \(name)"
                    + (event.map { " since revision \($0.revision), because of \($0.reason)." } ?? "."), event,
                collector)
        ]
        facts += try await collectorFacts(collector, connection)
        facts.append(try await fetch(collector, name, event, connection))
        return facts
    }

    private func fact(
        _ code: Explanation.Code, _ text: String, _ event: TargetEvent?, _ collector: String? = nil
    ) -> Explanation.Fact {
        .init(
            code, text, target: target, collector: collector, revision: event?.revision, at: event?.at,
            evidence: event.map { $0.causeDetail.isEmpty ? $0.cause : "\($0.cause): \($0.causeDetail)" })
    }

    /// The last thing that happened to the collector.
    private func collectorFacts(
        _ collector: String, _ connection: isolated PostgresConnection
    ) async throws -> [Explanation.Fact] {
        let window = HistoryWindow(until: point.at.advanced(by: .microseconds(1)))
        let last = try await CollectorHistoryQuery(name: collector, window: window, limit: 20).events(connection).items
            .first { $0.kind != "node_changed" }
        guard let last, let code = Self.causes[last.kind] else { return [] }
        let what = code == .collectorGone ? "left" : "is not ready"
        return [
            .init(
                code, "\(collector) \(what) since revision \(last.revision).", target: target, collector: collector,
                revision: last.revision, at: last.at, evidence: last.evidence)
        ]
    }

    private static let causes: [String: Explanation.Code] = ["left": .collectorGone, "not_ready": .collectorNotReady]

    private func fetch(
        _ collector: String, _ name: String, _ event: TargetEvent?, _ connection: isolated PostgresConnection
    ) async throws -> Explanation.Fact {
        let since = event?.revision ?? 0
        let row = try await connection.query(
            """
            SELECT revision, first_fetch_at FROM ledger.delivery WHERE collector = \(collector) \
            AND job = \(target.job) AND revision >= \(since) \
            AND first_fetch_at >= \(event?.at ?? .distantPast) AND first_fetch_at <= \(moment) \
            ORDER BY first_fetch_at LIMIT 1
            """
        ).first
        guard let row else {
            let what = event.map { " since revision \($0.revision) gave it \(name)" } ?? ""
            return .init(
                .notFetched, "No fetch by \(collector) of the targets of job \(target.job) is recorded\(what).",
                target: target, collector: collector, revision: event?.revision, at: event?.at)
        }
        let at = try row.decode(1, as: Timestamp.self)
        return .init(
            .fetched, "\(collector) fetched it first at \(at).", target: target, collector: collector,
            revision: try row.decode(0), at: at)
    }
}
