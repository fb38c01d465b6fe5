//
// Prove.swift: `prove`: that one revision is in the log, or that the log continues an earlier one.
//

import AllocationLedger
import AllocatorAPI
import ArgumentParser
import PostgresDriver

struct Prove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Prove that a revision is in the log.",
        discussion: """
            The hashes of RFC 6962 that lead from the revision's digest to the root of a checkpoint, or from an earlier root \
            to a later one. Whoever has the checkpoint can check them without the ledger.
            """)

    @OptionGroup(title: "Database options") var database: DatabaseFlags
    @Option(help: "The revision to prove.") var revision: Int64?
    @Option(
        name: .customLong("from-size"), help: "Prove that the log continues the one of so many revisions, instead.")
    var fromSize: Int64?
    @Option(help: "Of the log as it was with so many revisions; all when not given.") var size: Int64?
    @Option(help: "Form: \(OutputFormat.allCases.map(\.rawValue).joined(separator: ", ")).")
    var output: OutputFormat = .json

    func validate() throws {
        guard (revision == nil) != (fromSize == nil) else {
            throw ValidationError("Name a --revision, or a --from-size.")
        }
        for number in [revision, fromSize, size].compactMap({ $0 }) where number < 1 {
            throw ValidationError("Revisions and sizes are numbers from 1 on.")
        }
    }

    func run() async throws { try await LedgerDatabase.read(database) { try await write(to: .output, $0) } }

    func write(to console: Console, _ connection: isolated PostgresConnection) async throws {
        let report: Report
        if let revision {
            let proof = try await LogReader.inclusion(of: Revision(revision), size: size, connection)
            report = RowForm.inclusion.report([proof])
        } else {
            let proof = try await LogReader.consistency(first: fromSize ?? 1, second: size, connection)
            report = RowForm.consistency.report([proof])
        }
        if output == .table {
            try console.send(report.facts(inColour: console.hasColour))
        } else {
            try report.send(as: output, to: console)
        }
    }
}

extension RowForm<InclusionProof> {
    static var inclusion: Self {
        Self([
            Field("revision", "REVISION") { .number($0.revision.number) },
            Field("index", "INDEX") { .number($0.index) },
            Field("size", "SIZE") { .number($0.size) },
            Field("leaf", "LEAF") { .text("\($0.leaf)") },
            Field("hashes", "HASHES") { .list($0.path.map { .text("\($0)") }) },
            Field("root", "ROOT") { .text("\($0.root)") },
        ])
    }
}

extension RowForm<ConsistencyProof> {
    static var consistency: Self {
        Self([
            Field("first_size", "FIRST SIZE") { .number($0.first) },
            Field("second_size", "SECOND SIZE") { .number($0.second) },
            Field("first_root", "FIRST ROOT") { .text("\($0.firstRoot)") },
            Field("second_root", "SECOND ROOT") { .text("\($0.secondRoot)") },
            Field("hashes", "HASHES") { .list($0.path.map { .text("\($0)") }) },
        ])
    }
}
