//
// Export.swift: `export`: the record itself, for other programs, oldest first.
//
// It is read in one snapshot and written while it is read: a page of rows is in memory at a time, whatever the size of
// the ledger.
//

import AllocationLedger
import ArgumentParser
import Glibc
import PostgresDriver

struct Export: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write what is recorded, for other programs.",
        discussion: """
            Events of targets or collectors and revisions of the window, oldest first, or the state at one moment with labels; \
            with --whole everything that `verify --export` needs to check the ledger without its database. Reads the database alone; new \
            revisions do not show in an export that has begun.
            """)

    enum Subject: String, CaseIterable, ExpressibleByArgument {
        /// What each revision did to each target.
        case events
        /// What each revision did to each collector.
        case collectors
        /// The revisions, with their digests.
        case revisions
        /// Who had which target at one moment.
        case state
    }

    enum Format: String, CaseIterable, ExpressibleByArgument {
        case ndjson
        case csv

        var rows: OutputFormat { self == .csv ? .csv : .ndjson }
    }

    @OptionGroup(title: "Database options") var database: DatabaseFlags
    @Option(help: "What: \(Subject.allCases.map(\.rawValue).joined(separator: ", ")).") var what = Subject.events
    @OptionGroup var bounds: WindowFlags
    @Option(help: "For a state, the moment: \(InstantArgument.spelling); the latest when not given.")
    var at: InstantArgument?
    @OptionGroup var labels: LabelFlags
    @Option(help: "Form: \(Format.allCases.map(\.rawValue).joined(separator: ", ")).") var output: Format = .ndjson
    @Flag(help: "The whole ledger, to be verified elsewhere; as NDJSON.") var whole = false
    @Argument(help: "The file to write; standard output when not given. A file that is there is not overwritten.")
    var file: String?

    func validate() throws {
        if whole,
            output == .csv || what != .events || at != nil || !labels.selectors.isEmpty
                || bounds.since != nil || bounds.until != nil
        {
            throw ValidationError("--whole is everything, as NDJSON: it takes no other choice.")
        }
        if what == .state, bounds.since != nil || bounds.until != nil {
            throw ValidationError("A state has one moment: --at, not --since or --until.")
        }
        if what != .state, at != nil || !labels.selectors.isEmpty {
            throw ValidationError("--at and --match are for --what state.")
        }
    }

    func run() async throws {
        guard let file else { return try await LedgerDatabase.read(database) { try await write(to: .output, $0) } }
        let descriptor = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else {
            throw CommandFailure(.unreachable, "\(file): \(String(cString: strerror(errno)))")
        }
        let outcome: Result<Void, any Error>
        do {
            let console = Console(descriptor: descriptor)
            outcome = .success(try await LedgerDatabase.read(database) { try await write(to: console, $0) })
        } catch { outcome = .failure(error) }
        if case .success = outcome, fsync(descriptor) != 0 {
            throw CommandFailure(.unreachable, "\(file): \(String(cString: strerror(errno)))")
        }
        close(descriptor)
        // Half an export is none.
        if case .failure = outcome { unlink(file) }
        try outcome.get()
    }

    func write(to console: Console, _ connection: isolated PostgresConnection) async throws {
        if whole { return try await writeWhole(to: console, connection) }
        // Above the rows on the same terminal it would only disturb.
        var bar = ProgressBar("exporting", on: .error, isWanted: !console.isTerminal)
        defer { bar.clear() }
        switch what {
        case .events:
            try await writeEvents(.story, to: console, &bar, connection) { try await $0.run(connection) }
        case .collectors:
            try await writeEvents(.collectorEvent, to: console, &bar, connection) {
                try await $0.collectors(connection)
            }
        case .revisions: try await writeRevisions(to: console, &bar, connection)
        case .state: try await writeState(to: console, &bar, connection)
        }
    }

    private func writeWhole(to console: Console, _ connection: isolated PostgresConnection) async throws {
        let bar = ProgressLine("exporting", isWanted: !console.isTerminal)
        defer { bar.clear() }
        try await WholeExport.write(connection, progress: { bar.advance(to: $0, of: $1) }) { try console.send($0) }
    }

    private func writeState(
        to console: Console, _ bar: inout ProgressBar, _ connection: isolated PostgresConnection
    ) async throws {
        let point = try await at.resolve(connection)
        let total = try await CollectorsQuery(at: point).run(connection).targets
        var query = StateQuery(at: point, selection: try labels.selection())
        var rows = RowStream(.state(at: point, withLabels: true), as: output.rows, to: console)
        _ = try await Paging.read(rowsMax: nil) { limit, after in
            query.limit = limit
            query.after = after
            return try await query.run(connection)
        } _: {
            try rows.write($0)
            bar.advance(to: Int64(rows.count), of: total)
        }
        try rows.finish()
    }

    private func writeRevisions(
        to console: Console, _ bar: inout ProgressBar, _ connection: isolated PostgresConnection
    ) async throws {
        var rows = RowStream(.revision, as: output.rows, to: console)
        guard var walk = try await RevisionWalk(bounds, connection) else { return try rows.finish() }
        while let revisions = try await walk.next(connection) {
            try rows.write(revisions)
            bar.advance(to: walk.done, of: walk.total)
        }
        try rows.finish()
    }

    private func writeEvents<Event>(
        _ form: RowForm<Event>, to console: Console, _ bar: inout ProgressBar,
        _ connection: isolated PostgresConnection,
        _ read: (EventRangeQuery) async throws -> HistoryPage<Event, EventCursor>
    ) async throws {
        var rows = RowStream(form, as: output.rows, to: console)
        guard var walk = try await RevisionWalk(bounds, connection) else { return try rows.finish() }
        while let revisions = try await walk.next(connection) {
            guard let first = revisions.first, let last = revisions.last else { continue }
            var query = EventRangeQuery(from: first.point, to: last.point)
            repeat {
                let page = try await read(query)
                try rows.write(page.items)
                query.after = page.next
            } while query.after != nil
            bar.advance(to: walk.done, of: walk.total)
        }
        try rows.finish()
    }
}

/// Walks over the revisions of a window, oldest first, a page at a time.
private struct RevisionWalk {
    private let first: Int64
    private let last: Int64
    private var reached: Int64

    private static let pageRevisions: Int64 = 1000

    /// Nil: the window holds no revision.
    init?(_ flags: WindowFlags, _ connection: isolated PostgresConnection) async throws {
        let window = try await flags.window(connection)
        let recorded: RecordedBounds
        do {
            recorded = try await RecordedBounds.read(connection)
        } catch HistoryError.nothingRecorded {
            return nil
        }
        let newest = try await RevisionQuery(window: window, limit: 1).run(connection).items.first
        guard let newest else { return nil }
        last = newest.revision
        first = try await Self.oldest(since: window.since, recorded, connection)
        guard first <= last else { return nil }
        reached = first - 1
    }

    /// The first revision at or after a time.
    private static func oldest(
        since: Timestamp?, _ recorded: RecordedBounds, _ connection: isolated PostgresConnection
    ) async throws -> Int64 {
        guard let since, since > recorded.oldest.at else { return recorded.oldest.revision.number }
        let point = try await Instant.time(since).resolve(connection)
        return point.at < since ? point.revision.number + 1 : point.revision.number
    }

    var total: Int64 { last - first + 1 }
    var done: Int64 { reached - first + 1 }

    mutating func next(_ connection: isolated PostgresConnection) async throws -> [RevisionSummary]? {
        guard reached < last else { return nil }
        let upper = min(reached + Self.pageRevisions, last)
        let lowest = try await Instant.revision(Revision(reached + 1)).resolve(connection)
        let highest = try await Instant.revision(Revision(upper)).resolve(connection)
        let window = HistoryWindow(since: lowest.at, until: highest.at.advanced(by: .microseconds(1)))
        let page = try await RevisionQuery(window: window, limit: Int(Self.pageRevisions)).run(connection)
        reached = upper
        return page.items.reversed()
    }
}
