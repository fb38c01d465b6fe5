//
// Moves.swift: `moves`: when and why targets came to another collector.
//

import AllocationCore
import AllocationLedger
import AllocatorAPI
import ArgumentParser
import PostgresDriver

struct Moves: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show when and why targets moved, newest first.",
        discussion: "Reads the database alone; no allocator has to run.")

    @OptionGroup(title: "Database options") var database: DatabaseFlags
    @OptionGroup var bounds: WindowFlags
    @Option(help: "Part of the target's address, or its identity.") var target: String?
    @Option(help: "Name of the job.") var job: String?
    @Option(help: "Came from or went to this collector.") var collector: String?
    @Option(help: "Reason: \(Reason.allCases.map(\.code).joined(separator: ", ")).") var reason: String?
    @OptionGroup var labels: LabelFlags
    @OptionGroup var list: ListFlags

    func validate() throws {
        if let reason, Reason(code: reason) == nil {
            let codes = Reason.allCases.map(\.code)
            throw ValidationError("--reason \(reason) is not known; allowed are \(codes.joined(separator: ", "))")
        }
    }

    func run() async throws {
        let hasMore = try await LedgerDatabase.read(database) { try await write(to: .output, $0) }
        list.tellOfMore(hasMore, on: .error)
    }

    /// - Returns: Whether there are more than were wanted.
    func write(to console: Console, _ connection: isolated PostgresConnection) async throws -> Bool {
        let window = try await bounds.window(connection)
        var query = MoveQuery(
            since: window.since, until: window.until, job: job, collector: collector,
            reason: reason.flatMap { Reason(code: $0) }, selection: try labels.selection())
        if let target {
            query.identity = try await TargetChoice.identity(target, job: job, connection)
            if query.identity == nil { query.target = target }
        }
        var rows = RowStream(.moves, as: list.output, to: console)
        let hasMore = try await Paging.read(rowsMax: list.rowsMax) { limit, after in
            query.limit = limit
            query.after = after
            return try await query.events(connection)
        } _: {
            try rows.write($0)
        }
        try rows.finish()
        return hasMore
    }
}
