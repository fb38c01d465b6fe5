import AllocationCore
import Testing

/// Goal: a state that is advanced by recorded changes is the state they were made from, and a change that does not fit
/// leaves it as it is.
///
/// Method: one state decides, another one is told by names and values alone.
@Suite struct RecordedChangeTests {
    private let table = LabelTable()

    private func target(_ address: String, extra: [String: String] = [:]) -> IdentifiedTarget {
        let labels = LabelSet(extra.merging(["__address__": address]) { a, _ in a }, in: table)
        return IdentifiedTarget(
            identity: TargetIdentity(rawValue: XXH64.hash(address)), labels: labels,
            address: labels.value(of: table.nameID(for: "__address__"), in: table))
    }

    private func discovered(_ targets: [IdentifiedTarget], synchronised: Bool = true) -> [JobUpdate] {
        [
            JobUpdate(
                job: "j",
                sources: targets.isEmpty && !synchronised
                    ? []
                    : [
                        SourceUpdate(
                            key: SourceKey(provider: "file", source: "a"), targets: ContiguousArray(targets))
                    ], isSynchronised: synchronised)
        ]
    }

    /// As the ledger has it.
    private func recorded(_ change: AllocationChange) -> RecordedChange {
        RecordedChange(
            targets: ContiguousArray(
                change.targets.map { target in
                    RecordedChange.Target(
                        job: target.job.rawValue, identity: target.identity,
                        before: target.before.map { .init(collector: $0.collector?.rawValue) },
                        after: target.after.map {
                            .init(
                                labels: $0.labels == target.before?.labels ? nil : $0.labels,
                                collector: $0.collector?.rawValue)
                        }, reason: target.reason)
                }),
            events: change.collectors.map {
                .init(
                    kind: $0.kind, collector: $0.collector.rawValue,
                    node: change.collectorTable[Int($0.collector.rawValue)].nodeName, evidence: $0.evidence)
            }, jobs: change.jobs, collectors: change.collectorTable, placement: change.placement)
    }

    private func contents(_ state: AllocationState) -> [String: String] {
        var contents: [String: String] = [:]
        state.forEachTarget { job, identity, target in
            contents["\(state.jobNames[Int(job.rawValue)]) \(identity.rawValue)"] =
                "\(target.labels.dictionary(in: table).sorted { $0.key < $1.key }) "
                + (target.collector.map { state.collectorTable[Int($0.rawValue)].name } ?? "-")
        }
        return contents
    }

    @Test(
        "Joining, leaving, finding, relabelling and vanishing come over as they were",
        arguments: [
            StrategyConfiguration.consistentHashing(.v1), .leastWeighted,
        ])
    func same(strategy: StrategyConfiguration) throws {
        var leader = AllocationState(table: table, strategy: strategy)
        var follower = leader
        func tell(_ change: AllocationChange) throws {
            let result = follower.apply(recorded: recorded(change))
            let applied = try #require(result)
            #expect(applied.targets.count == change.targets.count)
            #expect(applied.targets.map(\.reason) == change.targets.map(\.reason))
            #expect(contents(follower) == contents(leader))
            #expect(follower.collectorNames == leader.collectorNames)
            #expect(follower.targetCount == leader.targetCount)
        }
        let targets = (0..<40).map { target("10.0.0.\($0):80") }
        for names in [["a", "b", "c"], ["a", "c"], ["a", "c", "d"], [], ["e", "a"]] {
            try tell(
                leader.apply(collectors: names.map { Collector(name: $0) }, isSynchronised: true, evidence: "test"))
            try tell(leader.apply(discovery: discovered(Array(targets.shuffled().prefix(30)))))
            try tell(
                leader.apply(
                    discovery: discovered((0..<20).map { target("10.0.0.\($0):80", extra: ["x": names.joined()]) })))
        }
        try tell(leader.apply(configuredJobs: []))
        #expect(follower.targetCount == 0)
    }

    @Test("A change that does not fit changes nothing")
    func doesNotFit() {
        var leader = AllocationState(table: table, strategy: .consistentHashing(.v1))
        var follower = leader
        let joined = leader.apply(collectors: [Collector(name: "a")], isSynchronised: true, evidence: "test")
        let found = recorded(leader.apply(discovery: discovered([target("h:1")])))
        let gone = recorded(leader.apply(discovery: discovered([])))
        #expect(follower.apply(recorded: recorded(joined)) != nil)
        #expect(follower.apply(recorded: gone) == nil, "it is not there")
        #expect(follower.apply(recorded: found) != nil)
        #expect(follower.apply(recorded: found) == nil, "it is there already")
        #expect(follower.targetCount == 1)
    }

    @Test("After following, an empty first discovery removes nothing; a synchronised one removes what it does not show")
    func emptyFirstDiscovery() throws {
        var leader = AllocationState(table: table, strategy: .consistentHashing(.v1))
        var follower = leader
        _ = follower.apply(
            recorded: recorded(leader.apply(collectors: [Collector(name: "a")], isSynchronised: true, evidence: "")))
        _ = follower.apply(recorded: recorded(leader.apply(discovery: discovered([target("h:1"), target("h:2")]))))
        // It leads from here.
        #expect(follower.apply(discovery: discovered([], synchronised: false)).isEmpty)
        #expect(follower.apply(collectors: [], isSynchronised: false, evidence: "").isEmpty)
        #expect(follower.apply(discovery: discovered([target("h:1")], synchronised: false)).isEmpty)
        #expect(follower.targetCount == 2)
        #expect(follower.apply(discovery: discovered([target("h:1")])).targets.map(\.reason) == [.vanished])
    }

    @Test("A leader that follows again takes over that its own discovery's targets are gone, and finds them again")
    func leaderFollows() throws {
        var state = AllocationState(table: table, strategy: .consistentHashing(.v1))
        _ = state.apply(collectors: [Collector(name: "a")], isSynchronised: true, evidence: "")
        _ = state.apply(discovery: discovered([target("h:1")]))
        var other = state
        let gone = recorded(other.apply(discovery: discovered([])))
        state.forgetDiscovery()
        #expect(state.apply(recorded: gone) != nil)
        #expect(state.targetCount == 0)
        #expect(state.apply(discovery: discovered([target("h:1")])).targets.map(\.reason) == [.discovered])
    }
}
