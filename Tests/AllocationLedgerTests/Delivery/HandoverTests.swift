import PostgresDriver
import TestSupport
import Testing

@testable import AllocationLedger

/// Goal: from recorded fetches alone it follows who learned of a move when, and for how long nobody or two had the target.
///
/// Method: random stories of one target and three collectors that poll, die and come back. A plain simulation knows every
/// poll and what each list held then; the facts are made from what the ledger would hold, the first fetch of each changed
/// list.
@Suite struct HandoverTests {
    @Test("What the facts say is what happened", arguments: 0..<40)
    func randomStories(seed: Int) {
        var story = Story(seed: UInt64(seed))
        for _ in 0..<1000 { story.step() }
        var known = 0
        for index in story.moves.indices {
            let truth = story.truth(of: index)
            #expect(story.told(of: index) == truth, "seed \(seed), move \(index): \(story.moves[index])")
            if truth.ownerlessSeconds != nil { known += 1 }
        }
        #expect(known > 0, "the stories say something")
    }

    private func time(_ seconds: Int64) -> Timestamp { Timestamp(microsecondsSince1970: seconds * 1_000_000) }

    @Test("Old first: nobody had it. New first: both had it. One of them missing: not known, and not zero")
    func orders() {
        var evidence = Handover.Evidence()
        evidence.oldFetch = .init(revision: 7, at: time(110))
        evidence.newFetch = .init(revision: 7, at: time(125))
        var handover = Handover(evidence, isBetweenCollectors: true)
        #expect(handover.ownerlessSeconds == 15 && handover.doublyOwnedSeconds == 0)
        evidence.newFetch = .init(revision: 7, at: time(104))
        handover = Handover(evidence, isBetweenCollectors: true)
        #expect(handover.ownerlessSeconds == 0 && handover.doublyOwnedSeconds == 6)
        evidence.newFetch = nil
        handover = Handover(evidence, isBetweenCollectors: true)
        #expect(handover.learnedByOld == time(110) && handover.ownerlessSeconds == nil)
        #expect(handover.doublyOwnedSeconds == nil)
        evidence = Handover.Evidence()
        evidence.newFetch = .init(revision: 7, at: time(125))
        #expect(Handover(evidence, isBetweenCollectors: true).ownerlessSeconds == nil)
        // A collector that died ends when it left.
        evidence.oldLeft = time(100)
        handover = Handover(evidence, isBetweenCollectors: true)
        #expect(handover.learnedByOld == nil && handover.oldLeft == time(100) && handover.ownerlessSeconds == 25)
        #expect(Handover(evidence, isBetweenCollectors: false).ownerlessSeconds == nil)
    }

    @Test("A collector ends when it left: before the move, at it by replacement, or after it")
    func membership() {
        let membership = Membership([
            .init(revision: 1, at: time(1), joined: true), .init(revision: 5, at: time(50), left: true),
            .init(revision: 8, at: time(80), joined: true), .init(revision: 9, at: time(90), left: true, joined: true),
        ])
        #expect(membership.end(ofOwnerUntil: 4)?.left == time(50))
        #expect(membership.end(ofOwnerUntil: 5)?.left == time(50))
        #expect(membership.end(ofOwnerUntil: 6)?.rejoined == time(80))
        #expect(membership.end(ofOwnerUntil: 8)?.left == time(90))
        #expect(membership.end(ofOwnerUntil: 9)?.rejoined == time(90))
        #expect(membership.end(ofOwnerUntil: 10) == nil)
        #expect(Membership().end(ofOwnerUntil: 3) == nil)
    }
}

/// One second a step; every step is a revision, a poll, or a collector that dies or comes back.
private struct Story {
    struct Move {
        let revision: Int64
        let at: Int64
        let from: Int?
        let to: Int?
    }

    struct Poll {
        let collector: Int
        let at: Int64
        /// Last change of the list.
        let revision: Int64
        let isFirst: Bool
    }

    private var random: SplitMix64
    private var now: Int64 = 0
    private var revision: Int64 = 0
    private var owner: Int?
    private(set) var moves: [Move] = []
    private var polls: [Poll] = []
    /// By collector: when its list changed last.
    private var changed: [Int64] = [0, 0, 0]
    private var fetched: [Int64] = [0, 0, 0]
    /// By collector: times at which it left and joined, with their revisions.
    private var changes: [[Membership.Change]] = [[], [], []]

    init(seed: UInt64) { random = SplitMix64(state: seed) }

    mutating func step() {
        now += 1
        let collector = Int.random(in: 0..<3, using: &random)
        switch Int.random(in: 0..<20, using: &random) {
        case 0..<2: move(to: Int.random(in: 0..<12, using: &random) == 0 ? nil : collector)
        case 2..<5:
            // Another target of the same list.
            revision += 1
            changed[collector] = revision
        case 5 where Int.random(in: 0..<3, using: &random) == 0:
            revision += 1
            let isAlive = isAlive(collector, now)
            changes[collector].append(
                .init(revision: revision, at: time(now), left: isAlive, joined: !isAlive))
        default: poll(collector)
        }
    }

    private mutating func move(to next: Int?) {
        guard next != owner else { return }
        revision += 1
        moves.append(Move(revision: revision, at: now, from: owner, to: next))
        for collector in [owner, next].compactMap({ $0 }) { changed[collector] = revision }
        owner = next
    }

    private mutating func poll(_ collector: Int) {
        guard isAlive(collector, now) else { return }
        let isFirst = fetched[collector] != changed[collector]
        fetched[collector] = changed[collector]
        polls.append(Poll(collector: collector, at: now, revision: changed[collector], isFirst: isFirst))
    }

    private func isAlive(_ collector: Int, _ at: Int64) -> Bool {
        changes[collector].last { $0.at <= time(at) }?.left != true
    }

    private func time(_ seconds: Int64) -> Timestamp { Timestamp(microsecondsSince1970: seconds * 1_000_000) }

    // MARK: As it was

    func truth(of index: Int) -> Handover {
        let move = moves[index]
        let (before, after) = (moves[..<index], moves[(index + 1)...])
        var handover = Handover()
        if let new = move.to {
            let end = after.first?.at ?? .max
            handover.learnedByNew =
                polls.first { $0.collector == new && $0.at > move.at && $0.at < end }.map { time($0.at) }
        }
        if let old = move.from {
            let came = before.last?.at ?? 0
            let earlier = polls.filter { $0.collector == old && $0.at < move.at }
            // Its last list was of before it got the target.
            guard let last = earlier.last, last.at > came else { return handover }
            let returned = after.first { $0.to == old }?.at ?? .max
            let gone = changes[old].last { $0.at <= time(move.at) }
            let left =
                gone?.left == true ? gone?.at : changes[old].first { $0.at > time(move.at) && $0.left }?.at
            let back = left.flatMap { left in changes[old].first { $0.at > left && $0.joined }?.at }
            let poll = polls.first { poll in
                poll.collector == old && poll.at > move.at && poll.at < returned
                    && back.map { time(poll.at) < $0 } ?? true
            }
            if let poll {
                handover.learnedByOld = time(poll.at)
            } else if let left, left < time(min(returned, .max / 1_000_000)) {
                handover.oldLeft = left
            }
            if move.to != nil, let new = handover.learnedByNew, let end = handover.learnedByOld ?? handover.oldLeft {
                let seconds = Double(new.microsecondsSince1970 - end.microsecondsSince1970) / 1_000_000
                handover.ownerlessSeconds = max(0, seconds)
                handover.doublyOwnedSeconds = max(0, -seconds)
            }
        }
        return handover
    }

    // MARK: As the ledger has it

    func told(of index: Int) -> Handover {
        let move = moves[index]
        let deliveries = polls.filter(\.isFirst)
        func first(_ collector: Int?) -> Handover.Fetch? {
            deliveries.first { $0.collector == collector && $0.at >= move.at && $0.revision >= move.revision }.map {
                Handover.Fetch(revision: $0.revision, at: time($0.at))
            }
        }
        var evidence = Handover.Evidence()
        evidence.newFetch = move.to.flatMap { first($0) }
        if let old = move.from {
            evidence.oldFetch = first(old)
            evidence.oldHadFetched = deliveries.last { $0.collector == old && $0.revision < move.revision }?.revision
            evidence.came = moves[..<index].last { $0.to == old }?.revision
            evidence.returned = moves[(index + 1)...].first { $0.to == old }.map {
                Handover.Fetch(revision: $0.revision, at: time($0.at))
            }
            let end = Membership(changes[old]).end(ofOwnerUntil: move.revision)
            (evidence.oldLeft, evidence.oldRejoined) = (end?.left, end?.rejoined)
        }
        evidence.leftNew = moves[(index + 1)...].first { $0.to != move.to }?.revision
        return Handover(evidence, isBetweenCollectors: move.from != nil && move.to != nil)
    }
}
