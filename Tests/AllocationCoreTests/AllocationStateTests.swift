//
// AllocationStateTests.swift: what a step changes and what it leaves alone.
//

import AllocationCore
import Testing

/// Goal: each step yields exactly the net change, with the right reason, and nothing vanishes too early.
///
/// Method: a state per test, small inputs by hand; identities are made from job and labels so that equal targets meet.
@Suite struct AllocationStateTests {
    let table = LabelTable()

    func state(_ collectors: [String], _ strategy: StrategyConfiguration = .consistentHashing(.v1)) -> AllocationState {
        var state = AllocationState(table: table, strategy: strategy)
        _ = state.apply(collectors: collectors.map { Collector(name: $0) }, isSynchronised: true, evidence: "test")
        return state
    }

    func target(_ address: String, identity: UInt64? = nil, extra: [String: String] = [:]) -> IdentifiedTarget {
        let labels = LabelSet(extra.merging(["__address__": address]) { a, _ in a }, in: table)
        return IdentifiedTarget(
            identity: TargetIdentity(rawValue: identity ?? XXH64.hash(address)), labels: labels,
            address: labels.value(of: table.nameID(for: "__address__"), in: table))
    }

    func update(
        _ job: String, _ sources: [String: [IdentifiedTarget]], synchronised: Bool = true
    ) -> JobUpdate {
        JobUpdate(
            job: job,
            sources: sources.sorted { $0.key < $1.key }.map {
                SourceUpdate(key: SourceKey(provider: "file", source: $0.key), targets: ContiguousArray($0.value))
            },
            isSynchronised: synchronised)
    }

    @Test("A found target is assigned by its address, a vanished one is gone")
    func foundAndVanished() throws {
        var state = state(["collector-0", "collector-1", "collector-2"])
        let found = state.apply(discovery: [update("j", ["a": [target("10.0.0.1:8080")]])])
        let event = try #require(found.targets.first)
        #expect(found.targets.count == 1)
        #expect(event.before == nil)
        #expect(event.reason == .discovered)
        let collector = try #require(event.after?.collector)
        #expect(found.collectorTable[Int(collector.rawValue)].name == "collector-2")
        let gone = state.apply(discovery: [update("j", ["a": []])])
        #expect(gone.targets.map(\.reason) == [.vanished])
        #expect(gone.targets.first?.after == nil)
        #expect(state.targetCount == 0)
    }

    @Test("The same input again changes nothing")
    func idempotent() {
        var state = state(["c"])
        let input = [update("j", ["a": [target("h:1"), target("h:2")]])]
        #expect(state.apply(discovery: input).targets.count == 2)
        #expect(state.apply(discovery: input).isEmpty)
    }

    @Test("A target that changes its source within one step is no event")
    func movedBetweenSources() {
        var state = state(["c"])
        _ = state.apply(discovery: [update("j", ["a": [target("h:1")]])])
        #expect(state.apply(discovery: [update("j", ["a": [], "b": [target("h:1")]])]).isEmpty)
    }

    @Test("Of equal identities the smallest address is served, whatever the order")
    func smallestAddress() {
        for order in [["a", "b"], ["b", "a"]] {
            var state = state(["c"])
            for source in order {
                let address = source == "a" ? "h:1" : "h:2"
                _ = state.apply(discovery: [update("j", [source: [target(address, identity: 7)]])])
            }
            #expect(addresses(state) == ["h:1"])
            let change = state.apply(discovery: [update("j", ["a": []])])
            #expect(change.targets.map(\.reason) == [.labelsChanged])
            #expect(addresses(state) == ["h:2"])
        }
    }

    @Test("Loaded targets stay until their job has synchronised")
    func loaded() {
        var loader = AllocationLoader(table: table, strategy: .consistentHashing(.v1))
        let collector = loader.addCollector(Collector(name: "c"), isPresent: true)
        let job = loader.addJob("j")
        for address in ["h:1", "h:2"] {
            let target = target(address)
            loader.addTarget(
                job: job, identity: target.identity, labels: target.labels, address: target.address,
                collector: collector)
        }
        var state = loader.finish()
        #expect(state.targetCount == 2)
        #expect(state.apply(discovery: [update("j", ["a": [target("h:1")]], synchronised: false)]).isEmpty)
        #expect(state.apply(discovery: [update("j", ["a": []], synchronised: false)]).isEmpty)
        let change = state.apply(discovery: [update("j", ["a": [target("h:1")]], synchronised: true)])
        #expect(change.targets.map(\.reason) == [.vanished])
        #expect(addresses(state) == ["h:1"])
    }

    @Test("Without collectors assignments are kept, and taken up again when collectors return")
    func noCollectors() {
        var state = state(["c-0", "c-1"])
        _ = state.apply(discovery: [update("j", ["a": (0..<50).map { target("h:\($0)") }])])
        let before = owners(state)
        let left = state.apply(collectors: [], isSynchronised: true, evidence: "test")
        #expect(left.targets.isEmpty)
        #expect(left.collectors.map(\.kind) == [.left, .left])
        #expect(owners(state) == before)
        let back = state.apply(
            collectors: [Collector(name: "c-0"), Collector(name: "c-1")], isSynchronised: true, evidence: "test")
        #expect(back.targets.isEmpty)
        #expect(owners(state) == before)
    }

    @Test("A collector set that is not synchronised only adds")
    func unsynchronisedCollectors() {
        var state = state(["c-0", "c-1"])
        let change = state.apply(collectors: [Collector(name: "c-2")], isSynchronised: false, evidence: "test")
        #expect(change.collectors.map(\.kind) == [.joined])
        #expect(state.collectorNames == ["c-0", "c-1", "c-2"])
    }

    @Test("Each move on a leave is direct or a cascade, as many as the rings predict", arguments: [3, 7, 16])
    func leaveReasons(count: Int) {
        let names = (0..<count).map { "collector-\($0)" }
        var state = state(names)
        let addresses = (0..<2000).map { "test-url-\($0)" }
        _ = state.apply(discovery: [update("j", ["a": addresses.map { target($0) }])])
        let change = state.apply(
            collectors: names.dropLast().map { Collector(name: $0) }, isSynchronised: true, evidence: "test")
        let full = ConsistentHashRing(members: names, version: .v1)
        let smaller = ConsistentHashRing(members: names.dropLast(), version: .v1)
        let moved = addresses.filter { full.owner(of: $0) != smaller.owner(of: $0) }
        let direct = moved.filter { full.owner(of: $0) == names.last }
        #expect(change.targets.count == moved.count)
        #expect(change.targets.filter { $0.reason == .collectorLeft }.count == direct.count)
        #expect(change.targets.filter { $0.reason == .cascadeLoadBound }.count == moved.count - direct.count)
        let back = state.apply(collectors: names.map { Collector(name: $0) }, isSynchronised: true, evidence: "test")
        #expect(back.targets.filter { $0.reason == .collectorJoined }.count == direct.count)
        #expect(back.targets.count == moved.count)
    }

    @Test("A job that is no longer configured takes its targets with it")
    func jobRemoved() {
        var state = state(["c"])
        _ = state.apply(discovery: [update("j", ["a": [target("h:1")]]), update("k", ["a": [target("h:1")]])])
        let change = state.apply(configuredJobs: ["k"])
        #expect(change.targets.map(\.reason) == [.jobRemoved])
        #expect(state.targetCount == 1)
        #expect(state.apply(discovery: [update("j", ["a": [target("h:1")]])]).targets.map(\.reason) == [.discovered])
    }

    @Test("Least-weighted: balanced, stable, and the same whatever the order of discovery")
    func leastWeighted() {
        var results: Set<[String: String]> = []
        for shuffle in 0..<3 {
            var state = state(["c-0", "c-1", "c-2"], .leastWeighted)
            var targets = (0..<27).map { target("h:\($0)") }
            if shuffle > 0 { targets.shuffle() }
            _ = state.apply(discovery: [update("j", ["a": targets])])
            results.insert(owners(state))
            #expect(
                Dictionary(grouping: owners(state).values, by: \.self).mapValues(\.count).values.allSatisfy { $0 == 9 })
            let joined = state.apply(
                collectors: (0..<4).map { Collector(name: "c-\($0)") }, isSynchronised: true, evidence: "test")
            #expect(joined.targets.isEmpty)
            let left = state.apply(
                collectors: (1..<4).map { Collector(name: "c-\($0)") }, isSynchronised: true, evidence: "test")
            #expect(left.targets.count == 9)
            #expect(left.targets.allSatisfy { $0.reason == .collectorLeft })
        }
        #expect(results.count == 1)
    }

    @Test("Another ring version moves with the reason strategy_changed")
    func strategy() {
        var state = state(["collector-0", "collector-1", "collector-2"])
        _ = state.apply(discovery: [update("j", ["a": [target("10.0.0.1:8080")]])])
        let change = state.apply(strategy: .consistentHashing(.v0))
        #expect(change.targets.map(\.reason) == [.strategyChanged])
        #expect(owners(state) == ["10.0.0.1:8080": "collector-1"])
        #expect(change.placement.ringVersion == "v0")
    }

    /// Goal: after thousands of random steps the state equals what a naive model computes from the same inputs.
    @Test("Random steps equal a model that starts afresh each time", arguments: [1, 2, 3] as [UInt64])
    func model(seed: UInt64) {
        var random = SplitMix(state: seed)
        var state = state(["c-0"])
        var present = ["c-0"]
        var sources: [String: [Int]] = [:]
        for _ in 0..<400 {
            if random.next() % 5 == 0 {
                present = (0..<6).filter { _ in random.next() % 2 == 0 }.map { "c-\($0)" } + ["c-6"]
                _ = state.apply(
                    collectors: present.map { Collector(name: $0) }, isSynchronised: true, evidence: "test")
            } else {
                let source = "s-\(random.next() % 6)"
                let numbers = (0..<(random.next() % 8)).map { _ in Int(random.next() % 20) }
                sources[source] = numbers
                _ = state.apply(
                    discovery: [update("j", [source: numbers.map { target("h:\($0)", identity: UInt64($0 / 2)) }])])
            }
            var expected: [UInt64: String] = [:]
            for number in sources.values.joined() {
                let address = "h:\(number)"
                let other = expected[UInt64(number / 2)]
                expected[UInt64(number / 2)] = other.map { ByteOrder.precedes($0, address) ? $0 : address } ?? address
            }
            var served: [UInt64: String] = [:]
            state.forEachTarget { _, identity, target in
                served[identity.rawValue] = target.address.map { table.value($0) } ?? ""
                if let collector = target.collector {
                    #expect(present.contains(state.collectorTable[Int(collector.rawValue)].name))
                } else {
                    Issue.record("no collector for \(identity)")
                }
            }
            #expect(served == expected)
            #expect(state.targetCount == expected.count)
        }
    }

    private func addresses(_ state: AllocationState) -> [String] {
        var all: [String] = []
        state.forEachTarget { _, _, target in all.append(target.address.map { table.value($0) } ?? "") }
        return all.sorted()
    }

    private func owners(_ state: AllocationState) -> [String: String] {
        var all: [String: String] = [:]
        state.forEachTarget { _, _, target in
            let collector = target.collector.map { state.collectorTable[Int($0.rawValue)].name } ?? ""
            all[target.address.map { table.value($0) } ?? ""] = collector
        }
        return all
    }
}

/// A small generator, so that a failing seed replays.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
