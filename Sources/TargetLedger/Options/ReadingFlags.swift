//
// ReadingFlags.swift: the flags that commands which read the history share.
//

import AllocationLedger
import AllocatorAPI
import ArgumentParser
import PostgresDriver
import PrometheusConfig

/// From a moment, to a moment.
struct WindowFlags: ParsableArguments {
    @Option(help: "From this moment on: \(InstantArgument.spelling).") var since: InstantArgument?
    @Option(help: "Before this moment, spelled likewise.") var until: InstantArgument?

    /// - Throws: ``HistoryError``.
    func window(_ connection: isolated PostgresConnection) async throws -> HistoryWindow {
        let window = HistoryWindow(
            since: try await since?.timestamp(connection), until: try await until?.timestamp(connection))
        if let since = window.since, let until = window.until, since >= until { throw HistoryError.emptyWindow }
        return window
    }
}

/// The form of the answer, and how long it may be.
struct ListFlags: ParsableArguments {
    @Option(help: "Form: \(OutputFormat.allCases.map(\.rawValue).joined(separator: ", ")).")
    var output: OutputFormat = .table
    @Option(help: "At most this many rows, from 1 on; when not given, 1000 in a table, else all.") var limit: Int?

    func validate() throws {
        guard let limit, limit < 1 else { return }
        throw ValidationError("--limit is \(limit); allowed is 1 or more")
    }

    /// Nobody reads more in one table.
    private static let tableRowsDefault = 1000

    /// Rows that are wanted; nil: all.
    var rowsMax: Int? { limit ?? (output == .table ? Self.tableRowsDefault : nil) }

    /// Says that the table was cut where nobody asked for that.
    func tellOfMore(_ hasMore: Bool, on console: Console) {
        guard hasMore, limit == nil, let rowsMax else { return }
        console.write("There are more than these \(rowsMax) rows: --limit N shows N of them.\n")
    }
}

/// Which targets, by their labels.
struct LabelFlags: ParsableArguments {
    @Option(
        name: .customLong("match"),
        help: ArgumentHelp(
            "Only targets with such labels, as PromQL selects: {job=\"api\",zone=~\"a|b\"}; of several, any one.",
            valueName: "selector"),
        transform: { try SelectorArgument($0) })
    var selectors: [SelectorArgument] = []

    /// Nil: every target.
    func selection() throws -> LabelSelection? {
        guard !selectors.isEmpty else { return nil }
        return try LabelSelection(anyOf: selectors.map(\.matchers), regex: LabelMatcherRegex.compile)
    }
}

/// One selector that can be asked.
struct SelectorArgument {
    let matchers: [LabelMatcher]

    init(_ text: String) throws {
        do {
            matchers = try LabelMatcher.parse(text)
            _ = try LabelSelection(anyOf: [matchers], regex: LabelMatcherRegex.compile)
        } catch let error as any CustomStringConvertible {
            // The parser shows the description of its own errors only.
            throw ValidationError("\(text): \(error.description)")
        }
    }
}
