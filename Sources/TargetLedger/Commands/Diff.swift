//
// Diff.swift: `diff`: what differs between the states of two moments.
//

import AllocationLedger
import AllocatorAPI
import ArgumentParser
import PostgresDriver

struct Diff: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what differs between two moments.",
        discussion: """
            The net change of each target: what left and came back the same is no difference. A moment is \
            \(InstantArgument.spelling). Reads the database alone.
            """)

    @OptionGroup(title: "Database options") var database: DatabaseFlags
    @Argument(help: "The moment to begin with.") var from: InstantArgument
    @Argument(help: "The moment to end with; the latest recorded one when not given.") var to: InstantArgument?
    @Option(help: "Name of the job.") var job: String?
    @Option(help: "Only targets that this collector had before or after.") var collector: String?
    @OptionGroup var labels: LabelFlags
    @Flag(help: "Only how many targets differ.") var summary = false
    @OptionGroup var list: ListFlags

    func validate() throws {
        if summary, isNarrowed {
            throw ValidationError("--summary counts all targets; it takes neither --job nor --collector nor --match.")
        }
    }

    private var isNarrowed: Bool { job != nil || collector != nil || !labels.selectors.isEmpty }

    func run() async throws {
        let hasMore = try await LedgerDatabase.read(database) { try await write(to: .output, $0) }
        list.tellOfMore(hasMore, on: .error)
    }

    /// - Returns: Whether there are more than were wanted.
    func write(to console: Console, _ connection: isolated PostgresConnection) async throws -> Bool {
        let points = (try await Optional(from).resolve(connection), try await to.resolve(connection))
        var query = DiffQuery(from: points.0, to: points.1, job: job, collector: collector)
        let isTable = list.output == .table
        if isTable { try console.send("From \(points.0.sentence) to \(points.1.sentence)") }
        if summary || isTable && !isNarrowed {
            let counts = try await query.counts(connection)
            if isTable {
                try console.send(": \(counts.sentence).\n")
            } else {
                let summary = Summary(from: points.0, to: points.1, counts: counts)
                try RowForm.summary.report([summary]).send(as: list.output, to: console)
            }
            if summary { return false }
        } else if isTable {
            try console.send(":\n")
        }
        if isTable { try console.send("\n") }
        let selection = try labels.selection()
        var rows = RowStream(.difference, as: list.output, to: console)
        let hasMore = try await Paging.read(rowsMax: list.rowsMax) { limit, after in
            query.limit = limit
            query.after = after
            return try await query.run(selecting: selection, connection)
        } _: {
            try rows.write($0)
        }
        try rows.finish()
        return hasMore
    }

    /// How many targets differ between two moments.
    struct Summary: Sendable {
        var from: RevisionPoint
        var to: RevisionPoint
        var counts: DifferenceCounts
    }
}

extension RowForm<Diff.Summary> {
    fileprivate static var summary: Self {
        Self([
            Field("from_revision") { .number($0.from.revision.number) }, Field("from_time") { .text("\($0.from.at)") },
            Field("to_revision") { .number($0.to.revision.number) }, Field("to_time") { .text("\($0.to.at)") },
            Field("added") { .number($0.counts.added) }, Field("removed") { .number($0.counts.removed) },
            Field("moved") { .number($0.counts.moved) }, Field("relabelled") { .number($0.counts.relabelled) },
            Field("events") { .number($0.counts.events) },
        ])
    }
}
