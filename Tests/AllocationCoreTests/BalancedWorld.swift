//
// BalancedWorld.swift: a small world that changes at random, and processes that allocate it, some of which are started anew.
//

@testable import AllocationCore

/// What there is to be found.
struct BalancedWorld {
    struct Target: Hashable {
        var host: Int
        var path: Int
        /// Part of the identity, but not of the endpoint.
        var version: Int
        /// Part of neither.
        var note: Int
    }

    struct Source: Hashable {
        var job: String
        var name: String
    }

    enum Event {
        case collectors([String])
        case discovery(Source)
        case withoutJob(String)
        case strategy(StrategyConfiguration)
        case rebalance
    }

    var random: SplitMix
    var collectors: [String] = []
    var targets: [Source: [Target]] = [:]
    var jobs: Set<String> = ["shop", "bank", "farm"]
    let strategies: [StrategyConfiguration]

    init(seed: UInt64, strategies: [StrategyConfiguration]) {
        random = SplitMix(state: seed)
        self.strategies = strategies
    }

    mutating func number(_ below: Int) -> Int { Int(random.next() % UInt64(below)) }

    /// Changes at random.
    mutating func next() -> Event {
        switch number(12) {
        case 0, 1, 2:
            let names = (0..<7).map { "collector-\($0)" }
            // Mostly one comes or goes; now and then all change, or nobody is left.
            if number(4) > 0, let name = names.randomElement(using: &random) {
                collectors = collectors.contains(name) ? collectors.filter { $0 != name } : collectors + [name]
            } else {
                collectors = number(6) == 0 ? [] : names.filter { _ in number(2) == 0 }
            }
            return .collectors(collectors)
        case 3 where number(4) == 0:
            let gone = ["shop", "bank", "farm"][number(3)]
            for source in targets.keys where source.job == gone { targets[source] = nil }
            return .withoutJob(gone)
        case 4 where strategies.count > 1: return .strategy(strategies[number(strategies.count)])
        case 5: return .rebalance
        default:
            let source = Source(job: ["shop", "bank", "farm"][number(3)], name: "source-\(number(3))")
            targets[source] = changed(targets[source] ?? [])
            return .discovery(source)
        }
    }

    private mutating func changed(_ before: [Target]) -> [Target] {
        var now = before
        switch number(6) {
        case 0: now.removeAll { _ in number(2) == 0 }
        case 1: now = now.map { Target(host: $0.host, path: $0.path, version: number(3), note: $0.note) }
        case 2: now = now.map { Target(host: $0.host, path: $0.path, version: $0.version, note: number(3)) }
        default:
            for _ in 0...number(9) { now.append(Target(host: number(12), path: number(3), version: 0, note: 0)) }
        }
        return now.shuffled(using: &random)
    }
}

/// One process: a table of labels and a state of its own.
struct BalancedProcess {
    /// One target's change, by names.
    struct Change: Hashable {
        var target: String
        var before: String
        var after: String
        var reason: Reason
    }

    let table: LabelTable
    var state: AllocationState
    /// Set where discovery has not handed over what there is yet.
    var needsHandOver = false
    private(set) var lastChange: AllocationChange?

    init(_ strategy: StrategyConfiguration) {
        table = LabelTable()
        state = AllocationState(table: table, strategy: strategy)
    }

    /// Another process on what this one has recorded, found in any order.
    init(
        restarting other: BalancedProcess, asking strategy: StrategyConfiguration, _ random: inout SplitMix
    ) {
        table = LabelTable()
        var loader = AllocationLoader(table: table, strategy: strategy)
        let recorded = other.state
        var numbers: [CollectorNumber: CollectorNumber] = [:]
        let isPresent = Set(recorded.collectorNames)
        for (index, collector) in Array(recorded.collectorTable.enumerated()).shuffled(using: &random) {
            numbers[CollectorNumber(rawValue: Int32(index))] = loader.addCollector(
                collector, isPresent: isPresent.contains(collector.name))
        }
        var targets: [(job: String, identity: TargetIdentity, state: TargetState)] = []
        recorded.forEachTarget { targets.append((recorded.jobNames[Int($0.rawValue)], $1, $2)) }
        for target in targets.shuffled(using: &random) {
            let labels = LabelSet(target.state.labels.dictionary(in: recorded.table), in: table)
            loader.addTarget(
                job: loader.addJob(target.job), identity: target.identity, labels: labels,
                address: labels.value(of: table.nameID(for: "__address__"), in: table),
                collector: target.state.collector.flatMap { numbers[$0] })
        }
        state = loader.finish(placedBy: recorded.placement)
        needsHandOver = true
    }

    mutating func take(_ event: BalancedWorld.Event, of world: BalancedWorld) -> Set<Change> {
        let change: AllocationChange
        switch event {
        case .collectors(let names):
            change = state.apply(
                collectors: names.map { Collector(name: $0) }, isSynchronised: true, evidence: "test")
        case .discovery(let source):
            // Discovery hands over everything at first, in any order.
            let sources = needsHandOver ? Set(world.targets.keys).union([source]) : [source]
            let jobs = needsHandOver ? world.jobs : [source.job]
            needsHandOver = false
            change = state.apply(
                discovery: jobs.map { job in
                    JobUpdate(
                        job: job,
                        sources: sources.filter { $0.job == job }.map {
                            SourceUpdate(
                                key: SourceKey(provider: "file", source: $0.name),
                                targets: ContiguousArray((world.targets[$0] ?? []).map { identified($0, job: job) }))
                        }, isSynchronised: true)
                })
        case .withoutJob(let job): change = state.apply(configuredJobs: world.jobs.subtracting([job]))
        case .strategy(let strategy): change = state.apply(strategy: strategy, replacing: state.placement)
        case .rebalance: change = state.rebalance()
        }
        lastChange = change
        return Set(
            change.targets.map { target in
                Change(
                    target: "\(change.jobs[Int(target.job.rawValue)]) \(target.identity.rawValue)",
                    before: name(target.before, change.collectorTable),
                    after: name(target.after, change.collectorTable),
                    reason: target.reason)
            })
    }

    /// Takes over what another process decided last, as it reads it back from the ledger.
    ///
    /// - Returns: Whether it fits.
    mutating func follow(_ other: BalancedProcess) -> Bool {
        guard let change = other.lastChange else { return true }
        let targets = change.targets.map { target in
            RecordedChange.Target(
                job: target.job.rawValue, identity: target.identity,
                before: target.before.map { .init(collector: $0.collector?.rawValue) },
                after: target.after.map { after in
                    .init(
                        labels: after.labels == target.before?.labels
                            ? nil : LabelSet(after.labels.dictionary(in: other.table), in: table),
                        collector: after.collector?.rawValue)
                }, reason: target.reason)
        }
        let events = change.collectors.map {
            RecordedChange.CollectorEvent(
                kind: $0.kind, collector: $0.collector.rawValue, node: nil, evidence: $0.evidence)
        }
        return state.apply(
            recorded: RecordedChange(
                targets: ContiguousArray(targets), events: events, jobs: change.jobs,
                collectors: change.collectorTable, placement: change.placement)) != nil
    }

    private func name(_ state: TargetState?, _ collectors: [Collector]) -> String {
        guard let state else { return "gone" }
        return state.collector.map { collectors[Int($0.rawValue)].name } ?? "nobody"
    }

    func identified(_ target: BalancedWorld.Target, job: String) -> IdentifiedTarget {
        let labels = LabelSet(
            [
                "__address__": "10.0.0.\(target.host):80", "__metrics_path__": "/\(target.path)",
                "version": "\(target.version)", "__meta_note": "\(target.note)",
            ], in: table)
        return IdentifiedTarget(
            identity: TargetIdentity(
                rawValue: XXH64.hash("\(job) \(target.host) \(target.path) \(target.version)")),
            labels: labels, address: labels.value(of: table.nameID(for: "__address__"), in: table))
    }

    /// Collector and labels by job and identity.
    var contents: [String: String] {
        var all: [String: String] = [:]
        state.forEachTarget { job, identity, target in
            let labels = target.labels.dictionary(in: table).sorted { $0.key < $1.key }
            all["\(state.jobNames[Int(job.rawValue)]) \(identity.rawValue)"] =
                name(target, state.collectorTable) + " " + labels.map { "\($0)=\($1)" }.joined(separator: ",")
        }
        return all
    }

    /// Targets of each collector that is present.
    var loads: [String: Int] {
        var loads = Dictionary(uniqueKeysWithValues: state.collectorNames.map { ($0, 0) })
        state.forEachTarget { _, _, target in loads[name(target, state.collectorTable), default: 0] += 1 }
        return loads
    }

    var spread: Int { state.collectorNames.isEmpty ? 0 : (loads.values.max() ?? 0) - (loads.values.min() ?? 0) }
}
