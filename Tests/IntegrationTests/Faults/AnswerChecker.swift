//
// AnswerChecker.swift: judges what replicas answer: at once by each other's answers, and in the end by the ledger.
//
// A value without I/O: AnswerCheckerTests feeds it wrong answers, since a checker that never complains proves nothing.
//

/// Everything that has been served in a run.
struct AnswerChecker: Sendable {
    /// What identifies a body: the same key must never have two.
    struct Key: Hashable, Sendable {
        var revision: Int64
        var route: ServedRoute
        /// What was served from a journal is the business of one replica.
        var journal: Journal?

        struct Journal: Hashable, Sendable {
            var replica: Int
            var entry: Int64
        }
    }

    private struct Life: Hashable {
        var replica: Int
        var number: Int
    }

    private struct Position: Comparable {
        var revision: Int64
        var journal: Int64

        static func < (one: Position, other: Position) -> Bool {
            (one.revision, one.journal) < (other.revision, other.journal)
        }
    }

    /// Collectors that never leave, so that their lists are never empty.
    let permanentCollectors: Range<Int>
    private(set) var violations: [String] = []
    private(set) var violationCount = 0
    private(set) var answers = 0
    private(set) var journalled = 0
    private(set) var bodies: [Key: UInt64] = [:]
    private var ready: Set<Life> = []
    private var positions: [Life: Position] = [:]
    /// The revisions that each process has served, of those that it served last: for what it must be able to state.
    private var served: [Life: [Int64]] = [:]

    init(permanentCollectors: Range<Int>) { self.permanentCollectors = permanentCollectors }

    mutating func violated(_ what: String) {
        violationCount += 1
        if violations.count < 30 { violations.append(what) }
    }

    // MARK: One answer

    mutating func take(_ answer: ServedAnswer) {
        answers += 1
        let life = Life(replica: answer.replica, number: answer.life)
        let who = "replica \(answer.replica).\(answer.life)"
        guard answer.status == 200 else {
            if ready.contains(life) {
                violated("\(who) answered \(answer.status) to \(answer.route) after it was ready")
            }
            return
        }
        if answer.route == .readyz {
            ready.insert(life)
            return
        }
        guard let revision = answer.revision else { return violated("\(who) answered without a revision") }
        let position = Position(revision: revision, journal: answer.journal ?? 0)
        if let before = positions[life], position < before {
            violated(
                "\(who) went back from revision \(before.revision), journal \(before.journal), to \(revision), journal "
                    + "\(position.journal)")
        }
        positions[life] = max(positions[life] ?? position, position)
        if served[life]?.last != revision { served[life, default: []].append(revision) }
        if case .list(let collector) = answer.route, answer.isEmptyList, permanentCollectors.contains(collector) {
            violated("\(who) answered [] for collector \(collector) at revision \(revision)")
        }
        if answer.journal != nil { journalled += 1 }
        let key = Key(
            revision: revision, route: answer.route,
            journal: answer.journal.map { Key.Journal(replica: answer.replica, entry: $0) })
        if let known = bodies[key], known != answer.digest {
            violated("\(who) served another \(answer.route) at revision \(revision), journal \(position.journal)")
        }
        bodies[key] = bodies[key] ?? answer.digest
    }

    // MARK: The ledger

    /// Compares everything that was served with what is recorded.
    ///
    /// - Returns: What was found that is no violation.
    mutating func compare(with history: RecordedHistory) -> Comparison {
        var comparison = Comparison()
        var expected: [Int64: [ServedRoute: UInt64]] = [:]
        let wanted = Set(bodies.keys.map(\.revision)).union(history.recoveries.map(\.revision))
        history.replay(only: wanted) { revision, state in expected[revision] = state.digests() }
        for (key, digest) in bodies {
            if let journal = key.journal {
                check(key, journal, digest, expected, history, &comparison)
            } else if let recorded = expected[key.revision] {
                comparison.compared += 1
                if recorded[key.route] != digest {
                    violated("what was served as \(key.route) at revision \(key.revision) is not what is recorded")
                }
            } else if history.isDeclaredUnused(key.revision) {
                comparison.lost.insert(key.revision)
            } else {
                violated("revision \(key.revision) was served, and is neither recorded nor declared lost")
            }
        }
        checkStatements(history)
        return comparison
    }

    private mutating func check(
        _ key: Key, _ journal: Key.Journal, _ digest: UInt64, _ expected: [Int64: [ServedRoute: UInt64]],
        _ history: RecordedHistory, _ comparison: inout Comparison
    ) {
        let candidates = history.recoveries.filter { $0.entry == journal.entry && $0.revision > key.revision }
        if candidates.contains(where: { expected[$0.revision]?[key.route] == digest }) {
            comparison.recovered += 1
        } else if history.statedJournals.contains(key.revision) {
            comparison.stated += 1
        } else {
            let fate =
                candidates.isEmpty
                ? "is neither recorded nor stated" : "is another at revisions \(candidates.map(\.revision))"
            violated(
                "entry \(journal.entry) on revision \(key.revision) was served as \(key.route) from the journal of replica "
                    + "\(journal.replica), and \(fate)")
        }
    }

    /// A process that served a revision which was lost, and lived on to the ones after it, has stated it by number.
    private mutating func checkStatements(_ history: RecordedHistory) {
        for (life, revisions) in served {
            guard let last = revisions.max() else { continue }
            for revision in Set(revisions) {
                guard let unused = history.unused.first(where: { $0.contains(revision) }), last > unused.upperBound,
                    !history.statedLost.contains(revision)
                else { continue }
                violated(
                    "replica \(life.replica).\(life.number) served revision \(revision), which was lost, lived, and did "
                        + "not state it")
            }
        }
    }

    struct Comparison: Sendable {
        /// Bodies that are what is recorded at their revision.
        var compared = 0
        /// Bodies from a journal that were recorded afterwards, and such that were stated.
        var recovered = 0
        var stated = 0
        /// Revisions that were served and then lost with a server.
        var lost: Set<Int64> = []
    }
}
