//
// HistoryWorkload.swift: a random history, recorded through the real writer, and a plain model of what it was.
//
// The model copies the whole state after each revision into dictionaries of texts. It knows nothing of events, numbers
// or queries, so what the queries say can be compared with it.
//

import AllocationCore
import PostgresDriver
import TestSupport
import Testing

@testable import AllocationLedger

/// What was there after each revision.
struct HistoryModel: Sendable {
    struct Key: Hashable, Sendable {
        let job: String
        let identity: UInt64
    }

    struct Value: Hashable, Sendable {
        let address: String
        let collector: String?
        let labels: [String: String]
    }

    typealias State = [Key: Value]

    /// By revision; the first is the empty state before revision 1.
    var states: [State] = [[:]]
    /// By revision; the first stands for a time before all.
    var times: [Timestamp] = [.distantPast]
    var causes: [Cause?] = [nil]
    /// Present collectors by revision.
    var collectors: [Set<String>] = [[]]

    var latest: Int { states.count - 1 }

    mutating func note(_ state: AllocationState, at: Timestamp, cause: Cause) {
        let (jobs, table) = (state.jobNames, state.collectorTable)
        var now: State = [:]
        state.forEachTarget { job, identity, target in
            now[Key(job: jobs[Int(job.rawValue)], identity: identity.rawValue)] = Value(
                address: target.address.map { state.table.value($0) } ?? "",
                collector: target.collector.map { table[Int($0.rawValue)].name },
                labels: target.labels.dictionary(in: state.table))
        }
        states.append(now)
        times.append(at)
        causes.append(cause)
        collectors.append(Set(state.collectorNames))
    }

    /// Targets of each present collector; nil without one.
    var loads: [Int]? {
        let present = collectors[latest]
        guard !present.isEmpty else { return nil }
        let owners = states[latest].values.compactMap(\.collector)
        return present.map { name in owners.count { $0 == name } }
    }

    /// The revision in force at a time; 0: none.
    func revision(at time: Timestamp) -> Int { (times.lastIndex { $0 <= time }) ?? 0 }

    /// Every target that ever was.
    var keys: [Key: String] {
        var keys: [Key: String] = [:]
        for state in states { for (key, value) in state { keys[key] = value.address } }
        return keys
    }
}

/// Makes random changes of every kind.
struct HistoryWorkload {
    var random: SplitMix64
    var model = HistoryModel()
    private var present: [String: [Int: (identity: Int, labels: Int)]] = ["shop": [:], "bank": [:], "farm": [:]]
    private let targetsOfJob = 24

    init(seed: UInt64) { random = SplitMix64(state: seed) }

    private static let strategies: [StrategyConfiguration] = [
        .consistentHashing(.v1), .consistentHashing(.v0), .leastWeighted, .sticky(), .sticky(),
        .sticky(StickySettings(movesPerRevisionMax: 3, rebalanceAbove: 2)),
    ]

    /// Records one random step; nothing when it changed nothing. Now and then another process goes on with what is recorded.
    mutating func step(_ ledger: inout LedgerFixture) async throws {
        if Int.random(in: 0..<20, using: &random) == 0 { try await ledger.reload() }
        let (change, cause) = nextChange(&ledger)
        guard !change.isEmpty || cause == .strategy else { return }
        let committed = try await ledger.append(change, cause: cause, detail: "step \(model.states.count)")
        model.note(ledger.state, at: committed.head.at, cause: cause)
        if ledger.state.strategy == .sticky(), let loads = model.loads, let most = loads.max(), let fewest = loads.min()
        {
            #expect(most - fewest <= 1, "revision \(model.latest)")
        }
    }

    private mutating func nextChange(_ ledger: inout LedgerFixture) -> (AllocationChange, Cause) {
        switch Int.random(in: 0..<20, using: &random) {
        case 0..<3:
            let names = ["a", "b", "c", "d", "e"].filter { _ in Int.random(in: 0..<4, using: &random) > 0 }
            // Now and then nobody is left, and targets have no collector.
            return (ledger.collectors(Bool.random(using: &random) ? names : Array(names.prefix(1))), .membership)
        case 3:
            let strategy = Self.strategies[Int.random(in: 0..<Self.strategies.count, using: &random)]
            return (ledger.state.apply(strategy: strategy), .strategy)
        case 6 where ledger.state.isUneven, 7 where ledger.state.isUneven:
            return (ledger.state.rebalance(), .strategy)
        case 4 where Int.random(in: 0..<4, using: &random) == 0:
            let gone = ["shop", "bank", "farm"][Int.random(in: 0..<3, using: &random)]
            present[gone] = [:]
            return (
                ledger.state.apply(configuredJobs: Set(["shop", "bank", "farm"]).subtracting([gone])), .configuration
            )
        case 5 where Int.random(in: 0..<3, using: &random) == 0:
            return (ledger.collectors([]), .membership)
        default:
            let job = ["shop", "bank", "farm"][Int.random(in: 0..<3, using: &random)]
            return (ledger.discover(targets(of: job, ledger.table), job: job), .discovery)
        }
    }

    private mutating func targets(of job: String, _ table: LabelTable) -> [IdentifiedTarget] {
        var now = present[job] ?? [:]
        for index in 0..<targetsOfJob {
            switch Int.random(in: 0..<30, using: &random) {
            case 0..<3 where now[index] == nil: now[index] = (Int.random(in: 0..<3, using: &random), 0)
            case 3, 4: now[index] = nil
            case 5: now[index]?.labels += 1
            case 6: now[index]?.identity = Int.random(in: 0..<3, using: &random)
            default: break
            }
        }
        present[job] = now
        return now.sorted { $0.key < $1.key }.map { index, state in
            // Every fourth shares its endpoint with the one before.
            let host = index % 4 == 3 ? index - 1 : index
            var pairs = [
                "__address__": "10.0.0.\(host):9090", "__meta_pod": "pod-\(index)", "path": "/\(index)",
                "version": "v\(state.identity)", "__meta_generation": "\(state.labels)",
            ]
            if index % 3 != 0 { pairs["zone"] = "zone-\(index % 5)" }
            let labels = LabelSet(pairs, in: table)
            return IdentifiedTarget(
                identity: TargetIdentity(rawValue: XXH64.hash("\(job) \(index) \(state.identity)")), labels: labels,
                address: labels.value(of: table.nameID(for: "__address__"), in: table))
        }
    }
}
