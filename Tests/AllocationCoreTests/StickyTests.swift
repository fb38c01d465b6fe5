//
// StickyTests.swift: even to within one target, by the fewest moves, and what is the same target stays where it is.
//

import Testing

@testable import AllocationCore

/// Goal: after every step fullest and emptiest are within one target of each other, and no other way there moves fewer.
///
/// Method: small states of any shape, one random change, and every possible outcome tried; then single cases by hand.
@Suite struct StickyTests {
    // MARK: The fewest moves

    @Test("No outcome that is even takes fewer moves", arguments: 1...8 as ClosedRange<UInt64>)
    func fewestMoves(seed: UInt64) {
        var random = SplitMix(state: seed)
        func number(_ below: Int) -> Int { Int(random.next() % UInt64(below)) }
        for round in 0..<100 {
            // Anything can be in the ledger: another strategy was in force.
            let before = (0..<number(6)).map { _ in number(4) }
            var process = loaded(before)
            let relabelled = number(3) == 0
            let hosts = before.indices.filter { _ in number(4) > 0 } + (before.count..<before.count + number(3))
            let present = (0..<4).filter { _ in number(3) > 0 }
            // What vanishes, what is new, who joins and who leaves, in two steps or one.
            var previous = owners(process)
            if number(3) > 0, !hosts.isEmpty {
                _ = discover(&process, hosts, version: relabelled ? 1 : 0)
                expectFewest(previous, process, "seed \(seed), round \(round): discovery")
            }
            previous = owners(process)
            guard !present.isEmpty else { continue }
            _ = process.state.apply(collectors: collectors(present), isSynchronised: true, evidence: "test")
            expectFewest(previous, process, "seed \(seed), round \(round): collectors")
        }
    }

    /// Compares with the best of all outcomes.
    private func expectFewest(_ before: [Int: String], _ process: BalancedProcess, _ place: String) {
        let after = owners(process)
        let present = process.state.collectorNames
        #expect(process.spread <= 1, "\(place)")
        let hosts = after.keys.sorted()
        /// Who stays with a collector that stays: the others move in every outcome, or are new.
        let settled = before.filter { after[$0.key] != nil && present.contains($0.value) }
        let loadMax = (hosts.count + present.count - 1) / present.count
        var best = Int.max
        var loads = [Int](repeating: 0, count: present.count)
        func tryFrom(_ index: Int, _ moves: Int) {
            guard moves < best else { return }
            guard index < hosts.count else {
                if (loads.max() ?? 0) - (loads.min() ?? 0) <= 1 { best = moves }
                return
            }
            for collector in present.indices where loads[collector] < loadMax {
                loads[collector] += 1
                let isMove = settled[hosts[index]].map { $0 != present[collector] } ?? false
                tryFrom(index + 1, moves + (isMove ? 1 : 0))
                loads[collector] -= 1
            }
        }
        tryFrom(0, 0)
        let moves = settled.count { after[$0.key] != $0.value }
        #expect(moves == best, "\(place): \(before) → \(after) among \(present)")
    }

    private func loaded(_ owners: [Int]) -> BalancedProcess {
        var process = BalancedProcess(.sticky())
        var loader = AllocationLoader(table: process.table, strategy: .sticky())
        let numbers = collectors(Array(0..<4)).map { loader.addCollector($0, isPresent: true) }
        let job = loader.addJob("shop")
        for (host, owner) in owners.enumerated() {
            let target = process.identified(.init(host: host, path: 0, version: 0, note: 0), job: "shop")
            loader.addTarget(
                job: job, identity: target.identity, labels: target.labels, address: target.address,
                collector: numbers[owner])
        }
        process.state = loader.finish()
        return process
    }

    private func collectors(_ numbers: [Int]) -> [Collector] { numbers.map { Collector(name: "collector-\($0)") } }

    private func discover(_ process: inout BalancedProcess, _ hosts: [Int], version: Int = 0) -> AllocationChange {
        process.state.apply(discovery: [
            JobUpdate(
                job: "shop",
                sources: [
                    SourceUpdate(
                        key: SourceKey(provider: "file", source: "a"),
                        targets: ContiguousArray(
                            hosts.map {
                                process.identified(.init(host: $0, path: 0, version: version, note: 0), job: "shop")
                            }))
                ], isSynchronised: true)
        ])
    }

    /// Collectors by host, which is all that the endpoints differ by.
    private func owners(_ process: BalancedProcess) -> [Int: String] {
        var owners: [Int: String] = [:]
        process.state.forEachTarget { _, _, target in
            let address = target.address.map { process.table.value($0) } ?? ""
            let host = Int(address.dropFirst("10.0.0.".count).prefix { $0 != ":" }) ?? -1
            owners[host] = target.collector.map { process.state.collectorTable[Int($0.rawValue)].name }
        }
        return owners
    }

    private func filled(_ targets: Int, collectors count: Int, _ settings: StickySettings = .init()) -> BalancedProcess
    {
        var process = BalancedProcess(.sticky(settings))
        _ = join(&process, count)
        _ = discover(&process, Array(0..<targets))
        return process
    }

    private func join(_ process: inout BalancedProcess, _ count: Int) -> AllocationChange {
        process.state.apply(collectors: collectors(Array(0..<count)), isSynchronised: true, evidence: "test")
    }

    // MARK: Who moves

    @Test("On a join only what the newcomer takes moves", arguments: [(1, 100), (3, 100), (9, 1000), (50, 1000)])
    func join(count: Int, targets: Int) {
        var process = filled(targets, collectors: count)
        let change = join(&process, count + 1)
        #expect(change.targets.count == targets / (count + 1))
        #expect(change.targets.allSatisfy { $0.reason == .collectorJoined })
        let newcomer = change.collectors.first?.collector
        #expect(change.targets.allSatisfy { $0.after?.collector == newcomer })
        #expect(process.spread <= 1)
    }

    @Test("On a leave only what was left behind moves", arguments: [(2, 100), (4, 100), (51, 1000)])
    func leave(count: Int, targets: Int) throws {
        var process = filled(targets, collectors: count)
        let left = try #require(process.loads["collector-\(count - 1)"])
        let change = join(&process, count - 1)
        #expect(change.targets.count == left)
        #expect(change.targets.allSatisfy { $0.reason == .collectorLeft })
        #expect(process.spread <= 1)
    }

    @Test("One who takes another's place gets what the other had")
    func replaced() {
        var process = filled(100, collectors: 4)
        let before = owners(process)
        _ = process.state.apply(collectors: collectors([0, 1, 2, 7]), isSynchronised: true, evidence: "test")
        let after = owners(process)
        #expect(before.allSatisfy { after[$0.key] == ($0.value == "collector-3" ? "collector-7" : $0.value) })
    }

    @Test("A relabelled target stays with its collector, though it is another one by its identity")
    func relabelled() {
        var process = filled(60, collectors: 7)
        let before = owners(process)
        let change = discover(&process, Array(0..<60), version: 1)
        #expect(change.targets.count == 120)
        #expect(owners(process) == before)
        // Half of them go meanwhile: who stays moves only as far as it must.
        _ = discover(&process, Array(0..<30), version: 2)
        #expect(process.spread <= 1)
    }

    @Test("The paths of one host spread")
    func oneHost() {
        var process = BalancedProcess(.sticky())
        _ = join(&process, 5)
        let targets = (0..<10).map {
            process.identified(.init(host: 1, path: $0, version: 0, note: 0), job: "shop")
        }
        _ = process.state.apply(discovery: [
            JobUpdate(
                job: "shop",
                sources: [
                    SourceUpdate(
                        key: SourceKey(provider: "file", source: "a"), targets: ContiguousArray(targets))
                ], isSynchronised: true)
        ])
        #expect(process.loads.values.allSatisfy { $0 == 2 })
    }

    @Test("Without collectors targets stay where they were, and who has none is placed when one comes")
    func nobody() {
        var process = filled(10, collectors: 2)
        let before = owners(process)
        #expect(join(&process, 0).targets.isEmpty)
        _ = discover(&process, Array(0..<13))
        #expect(owners(process) == before)
        let change = join(&process, 2)
        #expect(change.targets.count == 3)
        #expect(change.targets.allSatisfy { $0.reason == .collectorJoined && $0.before?.collector == nil })
        #expect(process.spread <= 1)
    }

    // MARK: Strategies

    @Test("From the ring only what is uneven moves, and back again what the ring says", arguments: [3, 10])
    func fromTheRing(count: Int) throws {
        var process = BalancedProcess(.consistentHashing(.v1))
        _ = join(&process, count)
        _ = discover(&process, Array(0..<1000))
        let loads = process.loads.values
        let change = process.state.apply(strategy: .sticky(), replacing: process.state.placement)
        // 1000 is no multiple of 3: one collector keeps one more.
        let excess = loads.map { max(0, $0 - 1000 / count) }.reduce(0, +)
        #expect(change.targets.count == excess - (1000 % count))
        #expect(change.targets.allSatisfy { $0.reason == .strategyChanged })
        #expect(process.spread <= 1)
        #expect(
            change.placement
                == Placement(
                    strategy: "sticky", ringVersion: nil, members: process.state.collectorNames, partitionOwners: []))
        let before = owners(process)
        let again = process.state.apply(strategy: .sticky(), replacing: change.placement)
        #expect(again.targets.isEmpty && owners(process) == before)
        let back = process.state.apply(strategy: .consistentHashing(.v1), replacing: change.placement)
        #expect(back.targets.count == change.targets.count)
    }

    @Test("Bounded, the load is evened out in steps")
    func steps() {
        var process = filled(100, collectors: 1, StickySettings(movesPerRevisionMax: 15))
        let first = join(&process, 2)
        #expect(first.targets.map(\.reason) == Array(repeating: .collectorJoined, count: 15))
        #expect(process.state.isUneven)
        var moved: [Int] = []
        while process.state.isUneven {
            let change = process.state.rebalance()
            moved.append(change.targets.count)
            #expect(change.targets.allSatisfy { $0.reason == .rebalanced })
        }
        #expect(moved == [15, 15, 5])
        #expect(process.state.rebalance().isEmpty)
        // What is left behind is not bounded.
        #expect(join(&process, 1).targets.count == 50)
    }

    @Test("With a threshold nothing moves up to it, and beyond it everything is evened out")
    func threshold() {
        var process = filled(40, collectors: 2, StickySettings(rebalanceAbove: 10))
        #expect(process.loads.values.allSatisfy { $0 == 20 })
        let ofFirst = owners(process).filter { $0.value == "collector-0" }.keys.sorted()
        func without(_ count: Int) -> [Int] { (0..<40).filter { !ofFirst.prefix(count).contains($0) } }
        #expect(discover(&process, without(10)).targets.allSatisfy { $0.reason == .vanished })
        #expect(process.spread == 10 && !process.state.isUneven)
        let change = discover(&process, without(11))
        #expect(change.targets.map(\.reason).count { $0 == .rebalanced } == 5)
        #expect(process.spread == 1)
    }

    @Test(
        "Settings are part of the recorded rule",
        arguments: [
            StickySettings(), StickySettings(movesPerRevisionMax: 7), StickySettings(rebalanceAbove: 9),
            StickySettings(movesPerRevisionMax: 100, rebalanceAbove: 2),
        ])
    func recorded(settings: StickySettings) {
        let strategy = StrategyConfiguration.sticky(settings)
        let placement = AllocationState(table: LabelTable(), strategy: strategy).placement
        #expect(StrategyConfiguration(placement) == strategy)
        #expect(placement.isMade(by: strategy))
        #expect(!placement.isMade(by: .sticky(StickySettings(movesPerRevisionMax: 8))))
        #expect(!placement.isMade(by: .leastWeighted))
    }

    @Test(
        "A note that is none makes no rule", arguments: ["moves: 1", "max_moves_per_revision: x", "rebalance_above: 0"])
    func notANote(note: String) {
        #expect(StickySettings(note: note) == nil)
    }
}
