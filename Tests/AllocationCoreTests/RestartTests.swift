//
// RestartTests.swift: placement by load is shared state: who continues and who was started anew decide the same.
//

import Foundation
import Testing

@testable import AllocationCore

/// Goal: a restart or takeover anywhere in a history changes nothing that is decided after it.
///
/// Method: random histories (more with TARGET_LEDGER_LONG_TESTS=1) taken by two processes; one is replaced again and
/// again by one that loads what is recorded, with collectors, jobs and targets found in another order, or by one that has
/// followed; every change and every state is compared.
@Suite struct RestartTests {
    static let isLong = ProcessInfo.processInfo.environment["TARGET_LEDGER_LONG_TESTS"] == "1"
    static let seeds: ClosedRange<UInt64> = 1...(isLong ? 100 : 6)
    static let bounded = StrategyConfiguration.sticky(StickySettings(movesPerRevisionMax: 2, rebalanceAbove: 3))

    @Test(
        "The same changes whether a process continued or was started anew",
        arguments: [
            [.leastWeighted], [.sticky()], [bounded],
            [.leastWeighted, .sticky(), bounded, .consistentHashing(.v1), .consistentHashing(.v0)],
        ] as [[StrategyConfiguration]])
    func history(strategies: [StrategyConfiguration]) throws {
        for seed in Self.seeds {
            var world = BalancedWorld(seed: seed, strategies: strategies)
            var continued = BalancedProcess(strategies[0])
            var restarted = BalancedProcess(strategies[0])
            var follower = BalancedProcess(strategies[0])
            for step in 0..<120 {
                if world.number(4) == 0 {
                    // The configuration of the new process may ask for anything; what is recorded is in force.
                    restarted = BalancedProcess(
                        restarting: restarted, asking: strategies[world.number(strategies.count)], &world.random)
                    #expect(restarted.contents == continued.contents)
                    #expect(restarted.state.placement == continued.state.placement)
                } else if world.number(6) == 0 {
                    // Who followed takes over without loading anything.
                    restarted = follower
                    restarted.needsHandOver = true
                }
                let event = world.next()
                let changes = continued.take(event, of: world)
                #expect(changes == restarted.take(event, of: world), "seed \(seed), step \(step): \(event)")
                try #require(
                    continued.contents == restarted.contents, "seed \(seed), step \(step): \(event)")
                let fits = follower.follow(continued)
                try #require(fits, "seed \(seed), step \(step): \(event)")
                try #require(continued.contents == follower.contents, "seed \(seed), step \(step): \(event)")
                if case .sticky(let settings) = continued.state.strategy, settings == StickySettings() {
                    #expect(continued.spread <= 1, "seed \(seed), step \(step): \(event)")
                }
                checkReasons(changes, event, "seed \(seed), step \(step)")
            }
        }
    }

    /// Who moved says why.
    private func checkReasons(
        _ changes: Set<BalancedProcess.Change>, _ event: BalancedWorld.Event, _ place: String
    ) {
        for change in changes where change.before != change.after && change.before != "gone" && change.after != "gone" {
            switch event {
            case .collectors(let present):
                let left = change.before != "nobody" && !present.contains(change.before)
                #expect((change.reason == .collectorLeft) == left, "\(place): \(change)")
            case .strategy: #expect(change.reason == .strategyChanged, "\(place): \(change)")
            case .rebalance, .withoutJob: #expect(change.reason == .rebalanced, "\(place): \(change)")
            case .discovery: #expect(change.reason == .rebalanced || change.before == "nobody", "\(place): \(change)")
            }
        }
    }

    @Test("Least-weighted gives what has no collector to who has the fewest, of all and then of its job")
    func leastWeighted() throws {
        for seed in Self.seeds {
            var world = BalancedWorld(seed: seed, strategies: [.leastWeighted])
            var process = BalancedProcess(.leastWeighted)
            for step in 0..<100 {
                let before = owners(process)
                let event = world.next()
                _ = process.take(event, of: world)
                let after = owners(process)
                guard !world.collectors.isEmpty else { continue }
                // Who is still there stays, and the rest is placed one by one by a plain search.
                var expected = after.compactMapValues { _ in nil as String? }
                for (target, _) in after {
                    if let owner = before[target], world.collectors.contains(owner) { expected[target] = owner }
                }
                for target in inOrder(process, after.keys.filter { expected[$0] == nil }) {
                    expected[target] = lightest(world.collectors, expected, job: String(target.prefix(4)))
                }
                try #require(expected == after, "seed \(seed), step \(step): \(event)")
            }
        }
    }

    private func owners(_ process: BalancedProcess) -> [String: String] {
        process.contents.mapValues { String($0.prefix { $0 != " " }) }
    }

    private func inOrder(_ process: BalancedProcess, _ targets: [String]) -> [String] {
        var keys: [String: (String, UInt64, UInt64)] = [:]
        process.state.forEachTarget { job, identity, target in
            let name = process.state.jobNames[Int(job.rawValue)]
            let address = target.address.map { process.table.value($0) } ?? ""
            keys["\(name) \(identity.rawValue)"] = (name, XXH64.hash(address), identity.rawValue)
        }
        return targets.sorted { (keys[$0] ?? ("", 0, 0)) < (keys[$1] ?? ("", 0, 0)) }
    }

    private func lightest(_ collectors: [String], _ owners: [String: String], job: String) -> String? {
        collectors.min { a, b in
            func key(_ name: String) -> (Int, Int, String) {
                let all = owners.filter { $0.value == name }.keys
                return (all.count, all.count { $0.hasPrefix(job) }, name)
            }
            return key(a) < key(b)
        }
    }
}
