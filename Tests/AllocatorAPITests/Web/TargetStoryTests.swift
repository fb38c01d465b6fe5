import AllocationCore
import PostgresDriver
import Testing

@testable import AllocationLedger
@testable import AllocatorAPI

/// Goal: the time line tells who had an endpoint when, as one story across identities.
///
/// Method: events made up by the test, in the order in which the ledger lists them.
@Suite struct TargetStoryTests {
    private static func at(_ seconds: Int64) -> Timestamp {
        Timestamp(microsecondsSince1970: 1_790_000_000_000_000 + seconds * 1_000_000)
    }

    private static func event(
        _ second: Int64, _ kinds: TargetEventKinds, _ from: String?, _ to: String?, identity: UInt64 = 1,
        _ reason: Reason = .discovered, continues: UInt64? = nil, continuedBy: UInt64? = nil
    ) -> TargetEvent {
        TargetEvent(
            at: at(second), revision: second, ordinal: Int32(identity),
            target: RecordedTarget(
                number: Int32(identity), job: "shop", identity: TargetIdentity(rawValue: identity), address: "a:1"),
            kinds: kinds, from: from, to: to, reason: reason.code, cause: "discovery", causeDetail: "",
            ring: nil, labelSetBefore: nil, labelSetAfter: nil, labels: nil,
            continues: continues.map { TargetIdentity(rawValue: $0) },
            continuedBy: continuedBy.map { TargetIdentity(rawValue: $0) })
    }

    private static func tenure(_ holder: String?, _ from: Int64, _ to: Int64) -> LaneChart.Tenure {
        LaneChart.Tenure(holder: holder, from: at(from), to: at(to))
    }

    @Test("From discovery to the end: each collector's time, and the time without one")
    func life() {
        let events = [
            Self.event(10, [.discovered, .assigned], nil, "one"), Self.event(20, .moved, "one", "two", .collectorLeft),
            Self.event(30, .unassigned, "two", nil, .noCollector),
            Self.event(40, .assigned, nil, "one", .collectorJoined),
        ]
        let chart = TargetStory(events.reversed(), isWhole: true, until: Self.at(100)).chart
        #expect(
            chart.tenures == [
                Self.tenure("one", 10, 20), Self.tenure("two", 20, 30), Self.tenure(nil, 30, 40),
                Self.tenure("one", 40, 100),
            ])
        #expect(chart.marks.map(\.tone) == [.good, .bad, .bad, .good])
        #expect(chart.marks[1].text.contains("one → two"))
    }

    @Test("Another identity in the same revision under the same collector is no break")
    func relabelled() {
        let events = [
            Self.event(10, [.discovered, .assigned], nil, "one", identity: 1),
            Self.event(50, [.vanished], "one", nil, identity: 1, .vanished, continuedBy: 2),
            Self.event(50, [.discovered, .assigned], nil, "one", identity: 2, continues: 1),
        ]
        let chart = TargetStory(events, isWhole: true, until: Self.at(90)).chart
        #expect(chart.tenures == [Self.tenure("one", 10, 90)])
        #expect(chart.identities.map(\.name) == ["1", "2"])
        #expect(chart.marks.map(\.tone) == [.good, .special])
    }

    @Test("A page that begins in the middle begins with what was there before; what vanished is nobody's")
    func part() {
        let events = [
            Self.event(20, .moved, "one", "two", .collectorLeft), Self.event(30, .vanished, "two", nil, .vanished),
        ]
        let chart = TargetStory(events, isWhole: false, until: Self.at(60)).chart
        #expect(chart.from == Self.at(20) && chart.to == Self.at(60))
        #expect(chart.tenures == [Self.tenure("one", 20, 20), Self.tenure("two", 20, 30)])
        #expect(TargetStory([], isWhole: true, until: Self.at(60)).chart.tenures.isEmpty)
    }
}
