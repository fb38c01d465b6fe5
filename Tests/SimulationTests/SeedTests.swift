//
// SeedTests.swift: thousands of runs of a whole cluster, each from one seed.
//

import Foundation
import Testing

/// Goal: whatever fails, and however it falls together, the ledger stays true and every replica serves what it holds.
///
/// Method: the deciding values of lease, append, follower and outage run in replicas on a simulated database, network and
/// clock. A seed decides everything. The rules are checked at each step.
@Suite struct SeedTests {
    /// Runs one seed alone, with its trace.
    private static let chosenSeed = ProcessInfo.processInfo.environment["TARGET_LEDGER_SIMULATION_SEED"].flatMap {
        UInt64($0)
    }
    private static let isLong = ProcessInfo.processInfo.environment["TARGET_LEDGER_LONG_TESTS"] != nil
    private static let seedCount =
        ProcessInfo.processInfo.environment["TARGET_LEDGER_SIMULATION_SEEDS"].flatMap { Int($0) }
        ?? (isLong ? 100_000 : 2_000)

    private static let firstSeed =
        ProcessInfo.processInfo.environment["TARGET_LEDGER_SIMULATION_FIRST_SEED"].flatMap { UInt64($0) } ?? 1

    @Test("No run breaks a rule")
    func noViolation() async {
        if let seed = Self.chosenSeed {
            let run = SimulationRun(seed: seed, isTraced: true)
            print(run.trace.joined(separator: "\n"))
            #expect(run.violation == nil, "\(run.explanation)")
            return
        }
        let first = Self.firstSeed
        let report = await SimulationReport.run(seeds: first...first + UInt64(Self.seedCount) - 1)
        print(report.summary)
        for run in report.failures.prefix(3) {
            let trace = SimulationRun(seed: run.seed, isTraced: true).trace.suffix(60).joined(separator: "\n")
            Issue.record("\(run.explanation)\n\(trace)")
        }
    }

    @Test("A seed replays exactly")
    func deterministic() {
        for seed in [3, 4, 1_000_003] as [UInt64] {
            let (first, second) = (SimulationRun(seed: seed, isTraced: true), SimulationRun(seed: seed, isTraced: true))
            #expect(first.trace == second.trace)
            #expect(first.trace.count > 100)
        }
    }
}
