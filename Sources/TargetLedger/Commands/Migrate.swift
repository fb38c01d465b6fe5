//
// Migrate.swift: `migrate`: makes the ledger's tables, or brings them to this program's version.
//

import AllocationLedger
import ArgumentParser
import AllocatorRuntime
import Logging

struct Migrate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Bring the ledger's database to this program's version.",
        discussion: """
            `serve` does the same at its start where its role may. Migrations only go forward and are applied in one \
            transaction; a ledger that is current is left alone.
            """)

    @OptionGroup(title: "Database options") var database: DatabaseFlags

    func run() async throws {
        let logger = Logger.forCommand()
        let applied = try await LedgerDatabase.open(try .load(database), absence: .makesOne, logger: logger) {
            try await Migrator.migrate($0, logger: logger)
        }
        for name in applied { Console.output.write("applied \(name)\n") }
        Console.output.write("the ledger has version \(Migrator.knownVersion)\n")
    }
}
