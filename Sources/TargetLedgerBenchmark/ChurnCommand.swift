//
// ChurnCommand.swift: how many targets move when a collector comes or goes, by strategy, and what that costs.
//

import AllocationCore
import ArgumentParser
import Foundation

/// The ring beside `sticky`, on the same targets and collectors.
struct ChurnCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "churn", abstract: "Targets that move when one collector joins or leaves, by strategy.",
        discussion: """
            The fewest that any strategy can move is what the newcomer takes when all have equally many, or what one \
            leaves behind. The second table is time, with as many targets and collectors as --large says.
            """)

    @Option(help: "Number of targets.")
    var targets = 10_000

    @Option(help: "Numbers of collectors, each of which grows by one and shrinks again.")
    var collectors: [Int] = [3, 10, 50, 100]

    @Option(help: "Number of targets of the second table; 0 leaves it out.")
    var large = 1_000_000

    @Option(help: "Number of collectors of the second table.")
    var largeCollectors = 1_000

    func run() async throws {
        var moves = FigureTable(
            "collectors", "ring v1, one joins", "sticky, one joins", "ring v1, one leaves", "sticky, one leaves",
            "fewest possible", "fullest and emptiest, ring v1", "the same, sticky")
        for count in collectors {
            let ring = churn(.consistentHashing(.v1), count)
            let sticky = churn(.sticky(), count)
            moves.add(
                "\(count) → \(count + 1)", share(ring.joined), share(sticky.joined), share(ring.left),
                share(sticky.left), share(targets / (count + 1)), "\(ring.most), \(ring.fewest)",
                "\(sticky.most), \(sticky.fewest)")
        }
        moves.write()
        if large > 0 { await measure() }
    }

    private struct Churn {
        var joined: Int
        var left: Int
        /// After the join.
        var most: Int
        var fewest: Int
    }

    private func churn(_ strategy: StrategyConfiguration, _ count: Int) -> Churn {
        var world = ChurnWorld(strategy)
        _ = world.join(count)
        _ = world.discover(world.targets(targets))
        let joined = world.join(count + 1).targets.count
        let loads = world.loads
        return Churn(
            joined: joined, left: world.join(count).targets.count, most: loads.max() ?? 0, fewest: loads.min() ?? 0)
    }

    private func share(_ moved: Int) -> String { String(format: "%.1f %%", Double(moved) / Double(targets) * 100) }

    private func measure() async {
        var table = FigureTable(
            "strategy, \(large) targets, \(largeCollectors) collectors", "all of them", "one joins", "moves",
            "one leaves", "moves", "one target more")
        for strategy in [.consistentHashing(.v1), .leastWeighted, .sticky()] as [StrategyConfiguration] {
            var world = ChurnWorld(strategy)
            _ = world.join(largeCollectors)
            let (found, another) = (world.targets(large), world.targets(1, job: "other"))
            let (_, all) = await Measurement.of { world.discover(found) }
            let (joined, join) = await Measurement.of { world.join(largeCollectors + 1) }
            let (left, leave) = await Measurement.of { world.join(largeCollectors) }
            let (_, one) = await Measurement.of { world.discover(another, job: "other") }
            table.add(
                strategy.description, milliseconds(all.seconds), milliseconds(join.seconds), "\(joined.targets.count)",
                milliseconds(leave.seconds), "\(left.targets.count)",
                String(format: "%.0f µs", one.seconds * 1_000_000))
        }
        table.write()
    }
}

/// An allocation of plain targets.
private struct ChurnWorld {
    private let table = LabelTable()
    private var state: AllocationState

    init(_ strategy: StrategyConfiguration) { state = AllocationState(table: table, strategy: strategy) }

    /// Makes `collector-0` up to `count` of them present.
    mutating func join(_ count: Int) -> AllocationChange {
        state.apply(
            collectors: (0..<count).map { Collector(name: "collector-\($0)") }, isSynchronised: true,
            evidence: "generated")
    }

    func targets(_ count: Int, job: String = "shop") -> ContiguousArray<IdentifiedTarget> {
        let name = table.nameID(for: "__address__")
        return ContiguousArray(
            (0..<count).map { number in
                let labels = LabelSet(["__address__": "test-url-\(number)"], in: table)
                return IdentifiedTarget(
                    identity: TargetIdentity(rawValue: XXH64.hash("\(job) \(number)")), labels: labels,
                    address: labels.value(of: name, in: table))
            })
    }

    mutating func discover(_ targets: ContiguousArray<IdentifiedTarget>, job: String = "shop") -> AllocationChange {
        state.apply(discovery: [
            JobUpdate(
                job: job,
                sources: [
                    SourceUpdate(key: SourceKey(provider: "generated", source: "all"), targets: targets)
                ], isSynchronised: true)
        ])
    }

    /// Targets of each collector that is present.
    var loads: [Int] {
        var loads = Dictionary(uniqueKeysWithValues: state.collectorNames.map { ($0, 0) })
        state.forEachTarget { _, _, target in
            guard let collector = target.collector else { return }
            loads[state.collectorTable[Int(collector.rawValue)].name, default: 0] += 1
        }
        return Array(loads.values)
    }
}
