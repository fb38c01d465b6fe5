//
// History.swift: `history`: the whole life of a target, of a collector or of a job.
//

import AllocationLedger
import AllocatorAPI
import ArgumentParser
import PostgresDriver

struct History: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the life of a target, a collector or a job, newest first.",
        discussion: """
            A target is followed across its identities: other labels make another identity, and it stays one story. \
            Named by a part of an address, all targets that have it are shown together. Reads the database alone.
            """)

    @OptionGroup(title: "Database options") var database: DatabaseFlags
    @Argument(help: "The target's identity, its address, or a part of its address.") var target: String?
    @Option(help: "Name of the job; without a target, the job's own history.") var job: String?
    @Option(help: "Name of a collector, for its history.") var collector: String?
    @OptionGroup var bounds: WindowFlags
    @Flag(help: "Begin at the beginning.") var oldestFirst = false
    @OptionGroup var list: ListFlags

    func validate() throws {
        switch (target, job, collector) {
        case (nil, nil, nil): throw ValidationError("Name a target, or --job, or --collector.")
        case (nil, nil, _?), (_?, _, nil), (nil, _?, nil): break
        default: throw ValidationError("--collector stands alone: it has a history of its own.")
        }
        if target?.isEmpty == true { throw ValidationError("The target has no name.") }
    }

    func run() async throws {
        let hasMore = try await LedgerDatabase.read(database) { try await write(to: .output, $0) }
        list.tellOfMore(hasMore, on: .error)
    }

    /// - Returns: Whether there are more than were wanted.
    func write(to console: Console, _ connection: isolated PostgresConnection) async throws -> Bool {
        let window = try await bounds.window(connection)
        if let target {
            let events = try await story(of: target, window, connection)
            return try write(.story, events, to: console)
        }
        if let collector {
            return try await write(.collectorStory, story(ofCollector: collector, window, connection), to: console)
        }
        return try await write(.jobStory, story(ofJob: job ?? "", window, connection), to: console)
    }

    private func write<Row>(_ form: RowForm<Row>, _ rows: [Row], to console: Console) throws -> Bool {
        let wanted = list.rowsMax.map { Array(rows.prefix($0)) } ?? rows
        try form.report(wanted).send(as: list.output, to: console)
        return wanted.count < rows.count
    }

    /// One more than is wanted, which tells whether there are more.
    private var readMax: Int? { list.rowsMax.map { $0 == .max ? $0 : $0 + 1 } }

    /// As many as are wanted of each list are enough for as many of all.
    private func all<Item, Cursor: HistoryCursor>(
        isolation: isolated (any Actor)? = #isolation,
        _ fetch: (_ limit: Int, _ after: Cursor?) async throws -> HistoryPage<Item, Cursor>
    ) async throws -> [Item] {
        var items: [Item] = []
        _ = try await Paging.read(rowsMax: oldestFirst ? nil : readMax, fetch) { items += $0 }
        return items
    }

    private func story(
        of target: String, _ window: HistoryWindow, _ connection: isolated PostgresConnection
    ) async throws -> [TargetEvent] {
        var events: [TargetEvent] = []
        for endpoint in try await TargetChoice.endpoints(target, job: job, connection) {
            var query = TargetHistoryQuery(endpoint.subject, window: window)
            query.oldestFirst = oldestFirst
            query.withFetches = true
            _ = try await Paging.read(rowsMax: readMax) { limit, after in
                query.limit = limit
                query.after = after
                return try await query.run(connection).page
            } _: {
                events += $0
            }
        }
        return events.sorted {
            $0.at == $1.at ? $0.ordinal < $1.ordinal : ($0.at < $1.at) == oldestFirst
        }
    }

    private func story(
        ofCollector name: String, _ window: HistoryWindow, _ connection: isolated PostgresConnection
    ) async throws -> [CollectorStoryEntry] {
        var query = CollectorHistoryQuery(name: name, window: window)
        let events = try await all { limit, after in
            query.limit = limit
            return try await query.events(after: after, connection)
        }
        let loads = try await all { limit, after in
            query.limit = limit
            return try await query.load(after: after, connection)
        }
        let entries = CollectorStoryEntry.merged(events, loads)
        return oldestFirst ? entries.reversed() : entries
    }

    private func story(
        ofJob name: String, _ window: HistoryWindow, _ connection: isolated PostgresConnection
    ) async throws -> [JobStoryEntry] {
        var query = JobHistoryQuery(job: name, window: window)
        let revisions = try await all { limit, after in
            query.limit = limit
            return try await query.revisions(after: after, connection)
        }
        let runs = try await all { limit, after in
            query.limit = limit
            return try await query.discoveries(after: after, connection)
        }
        let entries = JobStoryEntry.merged(revisions, runs)
        return oldestFirst ? entries.reversed() : entries
    }
}
