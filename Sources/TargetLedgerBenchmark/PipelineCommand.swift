//
// PipelineCommand.swift: groups in memory → relabelled, identified, allocated; and the same for a small change.
//

import AllocationCore
import ArgumentParser
import Foundation

/// Upstream's pipeline benchmark with upstream's shape of targets.
struct PipelineCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pipeline", abstract: "Groups in memory to assignments: time, allocations, cost of a small change."
    )

    @Option(help: "Numbers of targets.")
    var targets: [Int] = [1_000, 10_000, 100_000, 800_000]

    @Option(help: "Runs of each size; the median is shown.")
    var runs = 3

    @Option(help: "Number of collectors.")
    var collectors = 10

    func run() async throws {
        var table = FigureTable(
            "targets", "rules", "all of them", "allocated", "0.1 % changed", "of all", "11th collector")
        for count in targets {
            for rules in [0, 1] {
                var full: [Double] = [], changed: [Double] = [], join: [Double] = [], bytes: [Double] = []
                for _ in 0..<runs {
                    let run = try await measure(count, rules: rules)
                    full.append(run.full.seconds)
                    bytes.append(Double(run.full.allocatedBytes))
                    changed.append(run.changed.seconds)
                    join.append(run.join.seconds)
                }
                table.add(
                    "\(count)", "\(rules)", milliseconds(full.median), megabytes(Int(bytes.median)),
                    milliseconds(changed.median), String(format: "%.2f %%", changed.median / full.median * 100),
                    milliseconds(join.median))
            }
        }
        table.write()
    }

    private func measure(_ count: Int, rules: Int) async throws -> (
        full: Measurement, changed: Measurement, join: Measurement
    ) {
        var allocation = try GeneratedAllocation(targets: count, rules: rules)
        _ = allocation.join(collectors)
        let pieces = allocation.generated.pieces()

        let (first, full) = await Measurement.of { await allocation.discover(pieces) }
        precondition(first.targets.count == count, "allocated \(first.targets.count) of \(count)")
        let part = Array(allocation.generated.pieces(generation: 1).prefix(max(1, pieces.count / 1000)))
        let (second, changed) = await Measurement.of { await allocation.discover(part) }
        precondition(!second.targets.isEmpty, "the change changed nothing")
        let (_, join) = await Measurement.of { allocation.join(collectors + 1) }
        return (full, changed, join)
    }
}
