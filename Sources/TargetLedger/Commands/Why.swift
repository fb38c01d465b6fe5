//
// Why.swift: `why`: the decision that gave a target to its collector.
//

import AllocationLedger
import AllocatorAPI
import ArgumentParser
import PostgresDriver

struct Why: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show why a target is, or was, with its collector.",
        discussion: """
            Facts first, then what they come to. What the ring says is computed again from the recorded members; status \
            1 means that it does not come to the recorded owner. Reads the database alone.
            """)

    @OptionGroup(title: "Database options") var database: DatabaseFlags
    @Argument(help: "The target's identity, its address, or a part that only its address has.") var target: String
    @Option(help: "Name of the job.") var job: String?
    @Option(help: "The moment: \(InstantArgument.spelling); now when not given.") var at: InstantArgument?
    @Option(help: "Form: \(OutputFormat.allCases.map(\.rawValue).joined(separator: ", ")).")
    var output: OutputFormat = .table

    func validate() throws {
        if target.isEmpty { throw ValidationError("The target has no name.") }
    }

    func run() async throws {
        let isReproduced = try await LedgerDatabase.read(database) { try await write(to: .output, $0) }
        guard isReproduced else { throw CommandFailure(.answerIsNo) }
    }

    /// - Returns: Whether the recorded owner follows from the recorded rule.
    func write(to console: Console, _ connection: isolated PostgresConnection) async throws -> Bool {
        let point = try await at.resolve(connection)
        let meant = try await TargetChoice.target(target, job: job, at: point, connection)
        let decision = try await WhyQuery(identity: meant.identity, job: meant.job, at: point).run(connection)
        let report = RowForm.decision.report([decision])
        if output == .table {
            try console.send(report.facts(inColour: console.hasColour))
            try console.send("\n\(decision.sentence)\n")
        } else {
            try report.send(as: output, to: console)
        }
        return decision.ring?.isReproduced != false
    }
}
