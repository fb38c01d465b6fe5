//
// FaultPlan.swift: which faults happen together, in which order, from one seed.
//

import TestSupport

/// One fault, before it is known who leads.
struct PlannedFault: Sendable {
    var kind: FaultKind
    var startsAfter: Duration
    var lasts: Duration
    /// Which of the replicas, where it may be any.
    var choice: Int
}

/// Rounds of faults that overlap; after each all has to be well again.
struct FaultPlan: Sendable {
    let rounds: [[PlannedFault]]

    /// - Parameter repeats: How often each fault of the phase's list happens, in times of the list.
    init(_ phase: FaultPhase, repeats: Int, random: inout SplitMix64) {
        var deck = phase.faults.flatMap { fault in
            [FaultKind](repeating: fault.kind, count: fault.count * repeats)
        }
        deck.shuffle(using: &random)
        var rounds: [[PlannedFault]] = []
        while !deck.isEmpty {
            let size = [2, 3, 3, 3].randomElement(using: &random) ?? 2
            var round: [PlannedFault] = []
            var places: Set<FaultKind.Place> = []
            var rest: [FaultKind] = []
            for kind in deck {
                let taken = kind.places(phase.outage)
                if round.count < size, places.isDisjoint(with: taken) {
                    places.formUnion(taken)
                    round.append(
                        PlannedFault(
                            kind: kind, startsAfter: .milliseconds(Int.random(in: 0...1200, using: &random)),
                            lasts: .milliseconds(Int.random(in: kind.duration(phase.outage), using: &random)),
                            choice: Int.random(in: 0..<6, using: &random)))
                } else {
                    rest.append(kind)
                }
            }
            rounds.append(round)
            deck = rest
        }
        self.rounds = rounds
    }
}
