//
// MutationTests.swift: the simulation finds what it is there to find.
//

import Testing

/// Goal: a guard that is taken out does not go unnoticed.
///
/// Method: each test takes one guard out and runs seeds until the rule is broken that the guard is there for.
@Suite struct MutationTests {
    private static let seedsMax: UInt64 = 300

    @Test(
        "Without it some run breaks the rule",
        arguments: [
            (Mutations.ignoresTrustWindow, [Rule.oneTrusted]),
            (.skipsFence, [.oneWriter]),
            (.removesBeforeSynchronised, [.emptied]),
            (.ignoresHead, [.numbers, .chain, .served]),
            (.renewsFencedTerm, [.catchUp]),
        ])
    func guardIsMissed(_ mutation: Mutations, _ expected: [Rule]) { find(mutation, expected, .recording) }

    @Test(
        "Without it some run breaks the rule, where commits are lost and replicas go on by themselves",
        arguments: [
            (Mutations.reusesNumbers, [Rule.numbers]),
            (.servesBeforeSynchronised, [.lost, .served]),
        ])
    func guardIsMissedInOutages(_ mutation: Mutations, _ expected: [Rule]) { find(mutation, expected, .everything) }

    private func find(_ mutation: Mutations, _ expected: [Rule], _ scope: FaultPlan.Scope) {
        var found: [Rule] = []
        for seed in 1...Self.seedsMax {
            let run = SimulationRun(seed: seed, scope: scope, mutations: mutation)
            guard let violation = run.violation else { continue }
            if expected.contains(violation.rule) { return print("\(mutation): \(run.explanation)") }
            found.append(violation.rule)
        }
        Issue.record("no seed of \(Self.seedsMax) breaks \(expected); broken: \(found)")
    }
}
