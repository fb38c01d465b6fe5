//
// Verify.swift: `verify`: walks the digest chain and says whether every row is as it was recorded.
//

import AllocationLedger
import AllocatorRuntime
import ArgumentParser
import Logging
import Synchronization

struct Verify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check that the ledger is complete and unaltered.",
        discussion: """
            Every digest is computed again from the rows. With status 1 the first line names the first row that is \
            altered, missing or out of order.
            """)

    @OptionGroup(title: "Database options") var database: DatabaseFlags

    func run() async throws {
        let logger = Logger.forCommand()
        let bar = ProgressLine("verifying")
        let report = try await LedgerDatabase.open(try .load(database), logger: logger) { configuration in
            try await ChainVerifier.verify(configuration, logger: logger) { bar.advance(to: $0, of: $1) }
        }
        bar.clear()
        guard report.isIntact else {
            for finding in report.findings { Console.output.write("\(finding)\n") }
            throw CommandFailure(.answerIsNo)
        }
        let tip = report.head.map { "revision \($0.revision), digest \($0.digest)" } ?? "nothing recorded yet"
        Console.output.write(
            "OK: \(report.revisions) revisions, \(report.events) events, \(report.labelSets) label sets; tip: \(tip)\n")
    }
}

/// A progress bar that is advanced from wherever the work runs.
private final class ProgressLine: Sendable {
    private let bar: Mutex<ProgressBar>

    init(_ label: String) { bar = Mutex(ProgressBar(label)) }

    func advance(to done: Int64, of total: Int64) { bar.withLock { $0.advance(to: done, of: total) } }
    func clear() { bar.withLock { $0.clear() } }
}
