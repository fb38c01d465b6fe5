//
// Explain.swift: `explain`: why a target or a job is not being scraped.
//

import AllocationCore
import AllocationLedger
import AllocatorAPI
import AllocatorRuntime
import ArgumentParser
import PostgresDriver
import PrometheusConfig

struct Explain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show why a target or a job is not being scraped.",
        discussion: """
            Facts with their evidence, along a target's way: configured, discovered, kept by the rules, assigned, fetched. \
            Status 1 means that a cause was found, 0 that all is well. Reads the database alone.
            """)

    @OptionGroup(title: "Database options") var database: DatabaseFlags
    @Argument(help: "The target: its identity, its address or a part of that, or a label as name=value.")
    var target: String?
    @Option(help: "Name of the job.") var job: String?
    @OptionGroup var labels: LabelFlags
    @Option(help: "The moment: \(InstantArgument.spelling); now when not given.") var at: InstantArgument?
    @Option(help: "Form: \(OutputFormat.allCases.map(\.rawValue).joined(separator: ", ")).")
    var output: OutputFormat = .table

    func validate() throws {
        guard target?.isEmpty == false || job != nil || !labels.selectors.isEmpty else {
            throw ValidationError("Name a target, a --job, or labels with --match.")
        }
        if target.flatMap(ExplainQuery.label) != nil, !labels.selectors.isEmpty {
            throw ValidationError("The target is a label; put it into the --match selector.")
        }
    }

    func run() async throws {
        let isWell = try await LedgerDatabase.read(database) { try await write(to: .output, $0) }
        guard isWell else { throw CommandFailure(.answerIsNo) }
    }

    /// - Returns: Whether no cause was found.
    func write(to console: Console, _ connection: isolated PostgresConnection) async throws -> Bool {
        let label = target.flatMap(ExplainQuery.label)
        let selection =
            try label.map { try LabelSelection(anyOf: [[$0]], regex: LabelMatcherRegex.compile) } ?? labels.selection()
        let explanation = try await ExplainQuery(
            at: at?.instant(now: .now()) ?? .latest, job: job, target: label == nil ? target : nil,
            selection: selection, readConfiguration: RecordedConfiguration.rulesThatDrop
        ).run(connection)
        try RowForm.fact.report(explanation.facts).send(as: output, to: console)
        if output == .table {
            let causes = explanation.facts.count { $0.code.isCause }
            let found =
                causes == 0 ? "All is well" : causes == 1 ? "One cause was found" : "\(causes) causes were found"
            try console.send("\n\(found) at \(explanation.point.sentence).\n")
        }
        return explanation.isWell
    }
}

extension RowForm<Explanation.Fact> {
    static var fact: Self {
        Self([
            Field(nil, "CAUSE", tint: { $0 == .text("cause") ? .red : nil }) { .text($0.code.isCause ? "cause" : "") },
            Field("cause") { .boolean($0.code.isCause) },
            Field("code", "FACT") { .text($0.code.rawValue) },
            Field("time", "SINCE", tint: { _ in .faint }) { .optional($0.at.map { "\($0)" }) },
            Field("text", "WHAT") { .text($0.text) },
            Field("evidence", "EVIDENCE") { .optional($0.evidence) },
            Field("job") { .optional($0.job) },
            Field("address") { .optional($0.target?.address) },
            Field("identity") { .optional($0.target.map { "\($0.identity.rawValue)" }) },
            Field("collector") { .optional($0.collector) },
            Field("revision") { .optional($0.revision) },
        ])
    }
}
