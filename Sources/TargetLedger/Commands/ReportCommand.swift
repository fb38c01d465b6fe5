//
// ReportCommand.swift: `report`: what happened in a window, on one page.
//

import AllocationLedger
import AllocatorAPI
import ArgumentParser
import PostgresDriver

struct ReportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Show on one page what happened in a window.",
        discussion: """
            What changed after the window's first moment, up to and with its last: causes, moves by reason, targets \
            without a collector, failed discoveries, times without a record, who led. Reads the database alone.
            """)

    enum Format: String, CaseIterable, ExpressibleByArgument {
        case markdown
        case json
    }

    @OptionGroup(title: "Database options") var database: DatabaseFlags
    @Option(help: "The first moment: \(InstantArgument.spelling); 24 hours ago when not given.")
    var since: InstantArgument?
    @Option(help: "The last moment, spelled likewise; now when not given.") var until: InstantArgument?
    @Option(help: "Form: \(Format.allCases.map(\.rawValue).joined(separator: ", ")).") var output: Format = .markdown
    @Option(help: "At most this many rows in each list, from 1 to 1000.") var limit = 100

    func validate() throws {
        guard (1...1000).contains(limit) else {
            throw ValidationError("--limit is \(limit); allowed is 1 to 1000")
        }
    }

    func run() async throws {
        try await LedgerDatabase.read(database) { try await write(to: .output, $0) }
    }

    func write(to console: Console, _ connection: isolated PostgresConnection) async throws {
        let query = ReportQuery(
            since: try await (since ?? .aDayAgo).timestamp(connection),
            until: try await until?.timestamp(connection) ?? .distantFuture, limit: limit)
        let document = IncidentDocument(try await query.run(connection))
        switch output {
        case .markdown: try console.send(document.markdown())
        case .json: try console.send(document.json())
        }
    }
}
