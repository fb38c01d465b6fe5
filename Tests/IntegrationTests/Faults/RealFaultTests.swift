//
// RealFaultTests.swift: real replicas through a hundred real faults and more, with every answer kept and judged.
//

import Foundation
import Synchronization
import TestSupport
import Testing

/// Goal: whatever breaks, no collector hears anything that the ledger does not hold, and all is well again afterwards.
///
/// Method: three processes, 2,000 targets and 10 collectors that change all the time, and a checker that asks each process
/// twenty times a second. Faults come in rounds, several at a time, in an order from a seed that is printed
/// (`TARGET_LEDGER_FAULT_SEED` sets it, `TARGET_LEDGER_FAULTS` how many at least, 1,000 with TARGET_LEDGER_LONG_TESTS=1,
/// `TARGET_LEDGER_FAULT_PHASE` one phase only). In the end the ledger is replayed by SQL and compared with every answer.
@ProcessTests @Suite struct RealFaultTests {
    private static let environment = ProcessInfo.processInfo.environment
    private static let seed =
        environment["TARGET_LEDGER_FAULT_SEED"].flatMap { UInt64($0) }
        ?? (environment["TARGET_LEDGER_LONG_TESTS"] == "1" ? .random(in: 0..<1_000_000) : 881_265)
    private static let wanted =
        environment["TARGET_LEDGER_FAULTS"].flatMap { Int($0) }
        ?? (environment["TARGET_LEDGER_LONG_TESTS"] == "1" ? 1000 : 100)

    @Test("Three replicas through every fault: nothing that is not recorded is served, and all come back")
    func everyFault() throws {
        Self.tell("faults: seed \(Self.seed)")
        let phases = FaultPhase.all.filter {
            Self.environment["TARGET_LEDGER_FAULT_PHASE"].map { [name = $0.name] in $0 == name } ?? true
        }
        let listed = FaultPhase.all.reduce(0) { $0 + $1.faults.reduce(0) { $0 + $1.count } }
        let repeats = (Self.wanted + listed - 1) / listed
        var random = SplitMix64(state: Self.seed)
        var table = FaultTable()
        for phase in phases {
            let plan = FaultPlan(phase, repeats: repeats, random: &random)
            table.add(try Self.run(phase, plan, seed: random.next()))
        }
        Self.tell("faults with effect: \(table.count), seed \(Self.seed)\n\(table.text)")
        if phases.count == FaultPhase.all.count { #expect(table.count >= Self.wanted) }
    }

    private static func run(_ phase: FaultPhase, _ plan: FaultPlan, seed: UInt64) throws -> FaultTable {
        let cluster = try FaultCluster(phase, seed: seed)
        try cluster.start()
        var table = FaultTable()
        #expect(cluster.waitUntilWell(seconds: 30), "never well before any fault: \(cluster.description)")
        let began = ContinuousClock.now
        for (number, round) in plan.rounds.enumerated() {
            try Self.run(round, on: cluster, into: &table)
            let violations = cluster.checker.with(\.violationCount)
            guard violations == 0 else {
                tell("phase \(phase.name), round \(number): \(round.map(\.kind.rawValue))")
                break
            }
        }
        tell("phase \(phase.name): \(table.count) faults with effect in \(began.duration(to: .now))\n\(table.text)")
        try FaultVerdict.judge(cluster)
        cluster.end()
        return table
    }

    /// A run that is cut off has still told what it did.
    private static func tell(_ line: String) { FileHandle.standardError.write(Data((line + "\n").utf8)) }

    /// All at once, and until all is well again.
    private static func run(_ round: [PlannedFault], on cluster: FaultCluster, into table: inout FaultTable) throws {
        let outcomes = Mutex<[Result<FaultCluster.Outcome, any Error>]>([])
        for fault in round {
            Thread {
                let outcome = Result { try cluster.inject(fault) }
                outcomes.withLock { $0.append(outcome) }
            }.start()
        }
        var stall = Stall()
        while outcomes.withLock(\.count) < round.count {
            stall.look(at: cluster)
            usleep(20_000)
        }
        let isWell = cluster.waitUntilWell(seconds: 60)
        stall.look(at: cluster)
        let wellAt = ContinuousClock.now
        let told = outcomes.withLock(\.self).map { outcome -> String in
            guard let outcome = try? outcome.get() else { return "\(outcome)" }
            let recovery = outcome.endedAt.duration(to: wellAt)
            return "\(outcome.kind.rawValue) for \(FaultTable.seconds(outcome.lasted)) s, well after "
                + "\(FaultTable.seconds(recovery)) s"
        }
        Self.tell("  " + told.joined(separator: " + "))
        if !isWell {
            let logs = cluster.replicas.map { $0.log.suffix(3000) }.joined(separator: "\n----\n")
            let text = "not well 60 s after \(round.map(\.kind.rawValue)):\n\(cluster.description)\n\(logs)"
            cluster.checker.with { $0.violated(text) }
        }
        for outcome in outcomes.withLock(\.self) {
            let outcome = try outcome.get()
            table.add(
                outcome.kind, lasted: outcome.lasted, effect: outcome.effect ?? stall.effect,
                recovery: outcome.endedAt.duration(to: wellAt))
        }
    }

    /// For how long nothing was recorded.
    private struct Stall {
        private var revision: Int64 = 0
        private var since = ContinuousClock.now
        private var longest = Duration.zero

        mutating func look(at cluster: FaultCluster) {
            let now = cluster.pollers.compactMap(\.current.revision).max() ?? 0
            longest = max(longest, since.duration(to: .now))
            if now != revision { (revision, since) = (now, .now) }
        }

        /// Changes come every 200 ms; less than two of them missing is nothing.
        var effect: FaultEffect {
            FaultEffect(
                value: longest > .milliseconds(400) ? Int(longest / .milliseconds(1)) : 0, unit: "ms without a revision"
            )
        }
    }
}
