//
// PastAnswers.swift: the standard routes for a moment of the past, byte for byte as they were answered then.
//
// `/jobs`, `/jobs/{job}/targets` and `/scrape_configs` with `at` or `revision`. Read from the ledger with the history's
// sessions and deadlines, guarded by its tokens; collectors never ask this, and the fast path hands it on.
//

import AllocationLedger
import AllocatorRuntime
import PostgresDriver

enum PastAnswers {
    /// What is answered, and of which revision.
    struct Answer: Sendable {
        var pieces: AnswerPieces
        var point: RevisionPoint
    }

    static let parameters: [HistoryParameter] = [.at, .revision]
    private static let collectorID = HistoryParameter(
        name: "collector_id", form: .text, description: "Name of a collector; all of them when left out.")

    /// - Throws: ``ProblemDetails``, ``HistoryError``, ``LedgerError``.
    static func read(_ route: StandardRoute, query: Substring, _ source: HistorySource) async throws -> Answer {
        switch route {
        case .jobs:
            let question = try HistoryQuestion(parameters, path: [:], query: query)
            return try await source.read { connection in
                let point = try await question.moment().resolve(connection)
                let jobs = try await JobNamesQuery(at: point).run(connection)
                return Answer(pieces: AnswerPieces(text: StandardResponder.jobLinks(jobs)), point: point)
            }
        case .scrapeConfigs:
            let question = try HistoryQuestion(parameters, path: [:], query: query)
            return try await source.read { connection in
                let point = try await question.moment().resolve(connection)
                let text = try await RevisionQuery.configuration(at: point, connection)
                guard let document = text.flatMap({ ScrapeConfigDocument(recorded: $0) }) else {
                    throw HistoryError.unknown("a configuration at revision \(point.revision)")
                }
                return Answer(pieces: AnswerPieces(text: document.redacted), point: point)
            }
        case .targets(let asked):
            let question = try HistoryQuestion(parameters + [collectorID], path: [:], query: query)
            return try await targets(asked, question, source)
        case .index, .metrics, .livez, .readyz, .debug, .asset:
            throw ProblemDetails.badParameter("at", "is not known here")
        }
    }

    private static func targets(
        _ asked: TargetsQuestion, _ question: HistoryQuestion, _ source: HistorySource
    ) async throws -> Answer {
        let job: String
        switch asked.job {
        case .success(let name): job = name
        case .failure(let error): throw ProblemDetails.undecodable("job", error)
        }
        guard !job.utf8.contains(0) else { throw ProblemDetails.badParameter("job", "holds a zero byte") }
        // An empty one names no collector, as with the answers of now.
        let collector = question.has("collector_id") ? question.text("collector_id") ?? "" : nil
        return try await source.read { connection in
            let point = try await question.moment().resolve(connection)
            let found = try await JobListsQuery(at: point, job: job, collector: collector).run(connection)
            let change = ListChange(revisions: point.revision.number...point.revision.number, at: point.at)
            let lists = found.lists.mapValues { TargetList(targets: $0, change: change, in: found.table) }
            if let collector {
                let pieces =
                    lists[collector].map { AnswerPieces(list: $0, in: found.table) }
                    ?? AnswerPieces(text: Array("[]\n".utf8))
                return Answer(pieces: pieces, point: point)
            }
            let collectors = try await CollectorsQuery(at: point).run(connection).collectors.map(\.name)
            let pieces = StandardResponder.wholePieces(job, collectors: collectors, in: found.table) { lists[$0] }
            return Answer(pieces: pieces, point: point)
        }
    }
}
