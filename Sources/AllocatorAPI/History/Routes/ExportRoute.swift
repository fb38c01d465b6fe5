//
// ExportRoute.swift: `/export`: the record itself, written while it is read.
//
// One at a time: a reader that takes its time keeps a session and its snapshot. Who does not read is disconnected.
//

import AllocationLedger
import HummingbirdCore
import NIOCore
import PostgresDriver

extension HistoryRoute {
    static let exports: [HistoryRoute] = [export]

    private static let whole = "whole"
    private static let subjects = LedgerExport.Subject.allCases.map(\.rawValue) + [whole]
    private static let formats = LedgerExport.Format.allCases.map(\.rawValue)

    private static let export = HistoryRoute(
        path: "\(prefix)/export",
        summary:
            "Events, moves or revisions of a window, oldest first, the state at one moment, or the whole ledger to be "
            + "verified elsewhere; without pages. The rows are those of `target-ledger export`.",
        parameters: [
            .init(
                name: "what", form: .choice(subjects),
                description: "`events` when left out. `whole` is what `target-ledger verify --export` reads."),
            .init(
                name: "format", form: .choice(formats),
                description: "`ndjson` when left out; `whole` is NDJSON only."),
            .init(
                name: "at", form: .instant, description: "Of a state: a time or a revision; the latest when left out."),
            .init(
                name: "match[]", form: .matcher,
                description: "Of a state: only targets with such labels, as a PromQL selector; of several, any.",
                isRepeated: true),
        ] + HistoryParameter.window,
        contents: [("application/x-ndjson", .text()), ("text/csv", .text())], components: [:]
    ) { question, source in
        let what = try question.choice("what", among: subjects) ?? LedgerExport.Subject.events.rawValue
        let format =
            try question.choice("format", among: formats).flatMap { LedgerExport.Format(rawValue: $0) } ?? .ndjson
        let subject = LedgerExport.Subject(rawValue: what)
        if subject == nil, format != .ndjson {
            throw ProblemDetails.badParameter("format", "is \(format.rawValue); the whole is NDJSON only")
        }
        let foreign =
            switch subject {
            case .state: ["since", "until"]
            case nil: ["since", "until", "at", "match[]"]
            default: ["at", "match[]"]
            }
        for name in foreign where question.has(name) {
            throw ProblemDetails.badParameter(name, "is not for what=\(what)")
        }
        let pass = try source.proofs.export.enter("export")
        // What is wrong with the question has to be said before the answer begins.
        let moment = try question.moment()
        let selection = try question.selection()
        let window = try await source.read { connection in
            if subject == .state { _ = try await moment.resolve(connection) }
            return try await question.window(connection)
        }
        let export = subject.map { LedgerExport($0, as: format, window: window, at: moment, selection: selection) }
        let reader = source.reader
        return .stream(contentType: format == .csv ? "text/csv; charset=utf-8" : "application/x-ndjson") { writer in
            defer { withExtendedLifetime(pass) {} }
            try await ExportStream(export: export).run(reader, FeedClient(writer))
        }
    }
}

/// Writes one export.
private struct ExportStream: Sendable {
    /// Nil: the whole ledger.
    let export: LedgerExport?

    private static let timeMax = Duration.seconds(3600)
    /// How long one write may take before the client counts as too slow.
    private static let writeMax = Duration.seconds(30)

    private struct SlowClient: Error {}

    func run(_ reader: HistoryReader, _ client: FeedClient) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await reader.read(deadline: .now + Self.timeMax) { connection in
                    if let export {
                        try await export.write(connection) { try await client.send($0) }
                    } else {
                        try await WholeExport.write(connection) { try await client.send($0) }
                    }
                }
            }
            group.addTask {
                while true {
                    try await Task.sleep(for: .seconds(1))
                    if client.isStuck(longerThan: Self.writeMax) { throw SlowClient() }
                }
            }
            defer { group.cancelAll() }
            try await group.next()
        }
        try await client.finish()
    }
}
