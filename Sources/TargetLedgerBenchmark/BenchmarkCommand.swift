//
// BenchmarkCommand.swift: the benchmark executable; each subcommand prints one table of figures.
//
// Figures are quoted as ratios measured side by side in one run where there is something to set beside them:
// machines differ and are noisy.
//

import ArgumentParser

@main
struct BenchmarkCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "target-ledger-benchmark",
        abstract: "Measures Target Ledger on generated targets.",
        subcommands: [
            PipelineCommand.self, ProcessCommand.self, LedgerCommand.self, RestartCommand.self, HTTPCommand.self,
            HistoryCommand.self, ChurnCommand.self, ReplicasCommand.self,
        ]
    )
}
