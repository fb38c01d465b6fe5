//
// State.swift: `state`: who had which target at a moment.
//

import AllocationLedger
import AllocatorAPI
import ArgumentParser
import PostgresDriver

struct State: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show who has, or had, which target.",
        discussion: "Without --at, the latest recorded state. Reads the database alone; no allocator has to run.")

    @OptionGroup(title: "Database options") var database: DatabaseFlags
    @Option(help: "The moment: \(InstantArgument.spelling).") var at: InstantArgument?
    @Option(help: "Part of the target's address.") var target: String?
    @Option(help: "Name of the job.") var job: String?
    @Option(help: "Only targets that this collector had.") var collector: String?
    @Flag(help: "Only targets that no collector had.") var unassigned = false
    @OptionGroup var selection: LabelFlags
    @Flag(name: .customLong("labels"), help: "With the targets' labels, as discovery found them.") var withLabels =
        false
    @OptionGroup var list: ListFlags

    func validate() throws {
        if unassigned, collector != nil {
            throw ValidationError("--unassigned and --collector exclude each other.")
        }
    }

    func run() async throws {
        let hasMore = try await LedgerDatabase.read(database) { try await write(to: .output, $0) }
        list.tellOfMore(hasMore, on: .error)
    }

    /// - Returns: Whether there are more than were wanted.
    func write(to console: Console, _ connection: isolated PostgresConnection) async throws -> Bool {
        let point = try await at.resolve(connection)
        var query = StateQuery(
            at: point, job: job, holder: unassigned ? .nobody : collector.map { .collector($0) }, address: target,
            selection: try selection.selection(), withLabels: withLabels)
        if list.output == .table { try console.send("The state at \(point.sentence):\n\n") }
        var rows = RowStream(.state(at: point, withLabels: withLabels), as: list.output, to: console)
        let hasMore = try await Paging.read(rowsMax: list.rowsMax) { limit, after in
            query.limit = limit
            query.after = after
            return try await query.run(connection)
        } _: {
            try rows.write($0)
        }
        try rows.finish()
        return hasMore
    }
}
