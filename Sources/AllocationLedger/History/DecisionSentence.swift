//
// DecisionSentence.swift: what the facts of a decision come to, in plain words.
//

import AllocationCore

extension Decision {
    /// Who has it, since when and why, and how the ring or the load came to that.
    package var sentence: String {
        ([main] + [ringSentence, balanceSentence, untilSentence].compactMap { $0 }).joined(separator: " ")
    }

    /// `collector-c joined, collector-d left`.
    package var collectorChanges: String {
        let shown = collectorEvents.prefix(5).map { event in
            "\(event.collector) \(event.kind.replacing("_", with: " "))"
        }
        return shown.joined(separator: ", ")
            + (collectorEvents.count > 5 ? ", and \(collectorEvents.count - 5) more" : "")
    }

    private var subject: String { "\(target.address) of job \(target.job)" }

    private var main: String {
        guard let event else {
            return isPresent
                ? "\(collector ?? "No collector") had \(subject) at \(point.sentence); how it came to that is before what "
                    + "the ledger keeps."
                : "\(subject) had not been found yet at \(point.sentence)."
        }
        let since = "revision \(event.revision) of \(event.at)"
        guard isPresent else {
            return
                "\(subject) was not there at \(point.sentence): since \(since) it is gone, because \(because(event))."
        }
        let has = until == nil ? "has" : "had"
        guard let collector else {
            return "No collector \(has) \(subject) since \(since), because \(because(event))."
        }
        return "\(collector) \(has) \(subject) since \(since), because \(because(event))."
    }

    private func because(_ event: TargetEvent) -> String {
        let before = event.from ?? "no collector"
        switch Reason(code: event.reason) {
        case .discovered: return "it was discovered then"
        case .vanished: return "its discovery no longer had it"
        case .labelsChanged: return "its labels changed"
        case .jobRemoved: return "its job is no longer configured"
        case .collectorJoined: return "\(event.to ?? "a collector") joined and took it from \(before)"
        case .collectorLeft: return "\(before), which had it, left"
        case .collectorNotReady: return "\(before), which had it, was not ready for too long"
        case .cascadeLoadBound:
            return "the load bound pushed its partition on from \(before)"
                + (collectorEvents.isEmpty ? "" : " when \(collectorChanges)")
        case .nodeChanged: return "its node or that of \(before) changed"
        case .strategyChanged: return "the strategy or the ring's version changed"
        case .rebalanced: return "the load was evened out, and \(before) had more targets than \(event.to ?? "others")"
        case .noCollector: return "no collector could take it"
        case .drained: return "\(before), which had it, was drained on request"
        case nil: return "of \(event.reason)"
        }
    }

    private var ringSentence: String? {
        guard isPresent, let ring, let walk = ring.walk else { return nil }
        guard ring.isReproduced else {
            return "Computed again, partition \(ring.partition) goes to \(walk.owner) and not to "
                + "\(ring.owner ?? "nobody") as recorded."
        }
        let hashed = "Its address hashes to partition \(ring.partition)"
        guard !walk.passed.isEmpty else {
            return "\(hashed), whose natural owner among \(ring.members.count) is \(walk.naturalOwner)."
        }
        return "\(hashed), whose natural owner among \(ring.members.count), \(walk.naturalOwner), was full with "
            + "\(walk.loadMax) partitions; \(walk.steps) positions further on, \(walk.owner) had room."
    }

    private var balanceSentence: String? {
        guard isPresent, let balance, let collector = event?.to, let strategy = revision?.strategy else { return nil }
        let rule =
            strategy == "sticky"
            ? "keeps every collector within one target of the others by the fewest moves"
            : "gives a target to who has the fewest, and leaves it there"
        let settings = revision?.placementNote.map { " (\($0))" } ?? ""
        return "The strategy \(strategy)\(settings) \(rule): after that revision \(collector) had \(balance.sentence)."
    }

    private var untilSentence: String? { until.map { "That held until \($0.sentence)." } }
}

extension Decision.Balance {
    /// `12 of 37 targets, and 3 collectors had 12 to 13 each`.
    package var sentence: String {
        let each = fewest == most ? "\(fewest)" : "\(fewest) to \(most)"
        return "\(ofCollector) of \(targets) targets, and \(collectors) "
            + (collectors == 1 ? "collector" : "collectors") + " had \(each) each"
    }
}

extension DifferenceCounts {
    /// `2 added, 0 removed, 5 moved, 1 relabelled`.
    package var sentence: String { "\(added) added, \(removed) removed, \(moved) moved, \(relabelled) relabelled" }
}

extension RevisionPoint {
    /// For people.
    package var sentence: String { "revision \(revision) of \(at)" }
}
