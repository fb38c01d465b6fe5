//
// MutationTests.swift: the simulation finds what it is there to find.
//

import Foundation
import Testing

/// Goal: a guard that is taken out does not go unnoticed.
///
/// Method: each test takes one guard out and runs seeds until the rule is broken that the guard is there for. Where two
/// guards stand behind each other, both are taken out. Those that few seeds find begin a little before one that does.
@Suite struct MutationTests {
    private static let seedsMax =
        ProcessInfo.processInfo.environment["TARGET_LEDGER_SIMULATION_SEEDS"].flatMap { UInt64($0) } ?? 200

    @Test(
        "Without it some run breaks the rule",
        arguments: [
            (Mutations.ignoresTrustWindow, [Rule.oneTrusted], 1),
            (.skipsFence, [.oneWriter], 1),
            (.removesBeforeSynchronised, [.emptied], 1),
            (.ignoresHead, [.numbers, .chain, .served], 1),
            ([.repeatsUnknownCommit, .adoptsHead], [.onceOnly, .replay], 1),
            (.takesOldBatches, [.emptied], 1),
            (.renewsFencedTerm, [.catchUp], 6600),
            (.countsSilentTerms, [.gap], 1),
            (.provesWhatFails, [.gap], 1150),
            ([.renewsWhatRanOut, .provesWhatFails], [.gap], 5400),
        ] as [(Mutations, [Rule], UInt64)])
    func guardIsMissed(_ mutation: Mutations, _ expected: [Rule], _ first: UInt64) {
        find(mutation, expected, .recording, from: first)
    }

    @Test(
        "Without it some run breaks the rule, where commits are lost and replicas go on by themselves",
        arguments: [
            (Mutations.reusesNumbers, [Rule.numbers], 1),
            (.countsNoTime, [.numbers], 10),
            (.skipsNumberCheck, [.served, .replay], 305),
            (.servesBeforeSynchronised, [.lost, .served], 190),
            (.trustsStatements, [.lost], 1800),
            (.countsTheLastOnly, [.lost], 1),
            (.leavesJournalOut, [.replay], 44_100),
            (.countsJournalled, [.gap], 25_800),
        ] as [(Mutations, [Rule], UInt64)])
    func guardIsMissedInOutages(_ mutation: Mutations, _ expected: [Rule], _ first: UInt64) {
        find(mutation, expected, .everything, from: first)
    }

    private func find(_ mutation: Mutations, _ expected: [Rule], _ scope: FaultPlan.Scope, from first: UInt64) {
        var found: [Rule] = []
        for seed in first..<first + Self.seedsMax {
            let run = SimulationRun(seed: seed, scope: scope, mutations: mutation)
            guard let violation = run.violation else { continue }
            if expected.contains(violation.rule) { return print("\(mutation) by seed \(seed): \(violation)") }
            found.append(violation.rule)
        }
        Issue.record("no seed of \(first) and \(Self.seedsMax) after it breaks \(expected); broken: \(found)")
    }
}
