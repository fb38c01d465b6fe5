import Foundation
import TestSupport
import Testing

/// Goal: the checker of the fault tests complains about each thing that must not happen, and about nothing else.
///
/// Method: answers and a ledger made up by the test, right ones and each with one thing wrong.
@Suite struct AnswerCheckerTests {
    /// Two targets; at revision 2 one more comes and one moves, at 4 another state comes from a journal. 3 is not used.
    private static let history: RecordedHistory = {
        var history = RecordedHistory(job: "shop", collectors: ["a", "b", "c"])
        history.revisions = [1, 2, 4]
        history.names = [1: "a", 2: "b"]
        history.labelSets = [1: "{}", 2: "{\"x\":\"1\"}"]
        history.take(targets: [(7, "t7:80"), (5, "t5:80"), (6, "t6:80")])
        history.memberships = [
            .init(revision: 1, collector: 2, isJoining: true), .init(revision: 1, collector: 1, isJoining: true),
        ]
        history.events = [
            .init(revision: 1, target: 6, collector: 1, labels: 1),
            .init(revision: 1, target: 5, collector: 1, labels: 2),
            .init(revision: 2, target: 7, collector: 2, labels: 1),
            .init(revision: 2, target: 5, collector: 2, labels: 2),
            .init(revision: 4, target: 6, collector: nil, labels: nil),
        ]
        history.unused = [3...3]
        history.recoveries = [.init(revision: 4, entry: 1)]
        return history
    }()

    private static let t5 = #"{"targets":["t5:80"],"labels":{"x":"1"}}"#
    private static let t6 = #"{"targets":["t6:80"],"labels":{}}"#
    private static let t7 = #"{"targets":["t7:80"],"labels":{}}"#

    private func answer(
        _ route: ServedRoute, _ body: String, revision: Int64?, replica: Int = 0, life: Int = 1, journal: Int64? = nil,
        status: Int = 200
    ) -> ServedAnswer {
        ServedAnswer(
            replica: replica, life: life, route: route, status: status, revision: revision, journal: journal,
            digest: ServedAnswer.digest(Array((body + "\n").utf8)), isEmptyList: body == "[]")
    }

    /// What right replicas answer.
    private var right: [ServedAnswer] {
        [
            answer(.list(0), "", revision: nil, status: 503), answer(.readyz, "ready", revision: nil),
            answer(.jobs, #"{"shop":{"_link":"/jobs/shop/targets"}}"#, revision: 1),
            answer(.list(0), "[\(Self.t5),\(Self.t6)]", revision: 1),
            answer(.list(0), "[\(Self.t5),\(Self.t6)]", revision: 1, replica: 1),
            answer(.list(2), "[]", revision: 1),
            answer(.list(0), "[\(Self.t6)]", revision: 2), answer(.list(1), "[\(Self.t5),\(Self.t7)]", revision: 2),
            answer(
                .everyList,
                #"{"a":{"_link":"/jobs/shop/targets?collector_id=a","targets":["# + Self.t6
                    + #"]},"b":{"_link":"/jobs/shop/targets?collector_id=b","targets":["# + Self.t5 + "," + Self.t7
                    + "]}}",
                revision: 2),
            answer(.list(1), "[\(Self.t5),\(Self.t7)]", revision: 2, journal: 1),
            answer(.list(1), "[\(Self.t5),\(Self.t7)]", revision: 4),
        ]
    }

    private func judge(_ answers: [ServedAnswer], _ history: RecordedHistory = history) -> AnswerChecker {
        var checker = AnswerChecker(permanentCollectors: 0..<2)
        for answer in answers { checker.take(answer) }
        _ = checker.compare(with: history)
        return checker
    }

    @Test("Right answers, also from a journal, pass")
    func rightAnswers() {
        var checker = AnswerChecker(permanentCollectors: 0..<2)
        for answer in right { checker.take(answer) }
        let comparison = checker.compare(with: Self.history)
        #expect(checker.violations == [])
        #expect(checker.answers == right.count && checker.journalled == 1)
        #expect(comparison.compared == 8 - 1 && comparison.recovered == 1)
    }

    @Test(
        "Each thing that must not happen is told",
        arguments: [
            "after it was ready", "without a revision", "went back", "[] for collector", "served another",
            "is not what is recorded", "neither recorded nor declared lost", "neither recorded nor stated",
            "is another at revisions",
            "did not state it", "went back from revision 4, journal 2",
        ])
    func wrong(_ complaint: String) {
        var answers = right
        switch complaint {
        case "after it was ready": answers.append(answer(.jobs, "", revision: nil, status: 503))
        case "without a revision": answers.append(answer(.jobs, "{}", revision: nil))
        case "went back": answers.append(answer(.list(0), "[\(Self.t6)]", revision: 2))
        case "[] for collector": answers.append(answer(.list(0), "[]", revision: 4))
        case "served another": answers.append(answer(.list(0), "[\(Self.t6)]", revision: 1, replica: 2))
        case "is not what is recorded": answers.append(answer(.list(0), "[\(Self.t6)]", revision: 4, replica: 2))
        case "neither recorded nor declared lost": answers.append(answer(.list(0), "[\(Self.t6)]", revision: 5))
        case "neither recorded nor stated":
            answers.append(answer(.list(1), "[\(Self.t5)]", revision: 2, replica: 1, journal: 9))
        case "is another at revisions":
            answers.append(answer(.list(1), "[\(Self.t5)]", revision: 2, replica: 1, journal: 1))
        case "did not state it":
            answers.insert(answer(.list(1), "[\(Self.t5)]", revision: 3), at: answers.count - 1)
        default:
            answers.append(answer(.list(1), "[\(Self.t5)]", revision: 4, journal: 2))
            answers.append(answer(.list(1), "[\(Self.t5),\(Self.t7)]", revision: 4))
        }
        let violations = judge(answers).violations
        #expect(violations.contains { $0.contains(complaint) }, "\(violations)")
    }

    @Test("What was lost or served from a journal passes where it is stated; another life may begin further back")
    func stated() {
        var history = Self.history
        history.statedLost = [3]
        history.statedJournals = [2]
        var answers = right
        answers.insert(answer(.list(1), "[\(Self.t5)]", revision: 3), at: answers.count - 1)
        var stated = answer(.list(1), "[]", revision: 2, replica: 2, journal: 7)
        stated.isEmptyList = false
        answers += [
            stated, answer(.list(2), "", revision: nil, life: 2, status: 503),
            answer(.list(0), "[\(Self.t6)]", revision: 2, life: 2),
        ]
        #expect(judge(answers, history).violations == [])
    }

    @Test("A plan has every fault of the list, and the same for the same seed", arguments: FaultPhase.all.map(\.name))
    func plan(_ name: String) throws {
        let phase = try #require(FaultPhase.all.first { $0.name == name })
        var (one, other) = (SplitMix64(state: 7), SplitMix64(state: 7))
        let plan = FaultPlan(phase, repeats: 2, random: &one)
        let again = FaultPlan(phase, repeats: 2, random: &other)
        let kinds = plan.rounds.map { $0.map(\.kind) }
        #expect(kinds == again.rounds.map { $0.map(\.kind) })
        for fault in phase.faults {
            #expect(kinds.joined().filter { $0 == fault.kind }.count == fault.count * 2, "\(fault.kind)")
        }
        #expect(kinds.allSatisfy { Set($0.map(\.place)).count == $0.count })
    }
}
