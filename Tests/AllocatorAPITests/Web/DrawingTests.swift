import PostgresDriver
import Testing

@testable import AllocatorAPI

/// Goal: drawings show each tenure where it belongs, stay within their bounds, and stay small however much there is.
///
/// Method: values with instants made up by the test.
@Suite struct DrawingTests {
    private static func at(_ seconds: Double) -> Timestamp {
        Timestamp(microsecondsSince1970: 1_790_000_000_000_000 + Int64(seconds * 1_000_000))
    }

    private static func tenure(_ holder: String?, _ from: Double, _ to: Double) -> LaneChart.Tenure {
        LaneChart.Tenure(holder: holder, from: at(from), to: at(to))
    }

    // MARK: Lanes

    @Test("One bar for each tenure; lanes in the order of first tenure, nobody last")
    func lanes() {
        let chart = LaneChart(
            from: Self.at(0), to: Self.at(1000),
            tenures: [
                Self.tenure("b", 0, 300), Self.tenure(nil, 300, 400), Self.tenure("a", 400, 700),
                Self.tenure("b", 700, 1000),
            ])
        #expect(chart.lanes.map(\.holder) == ["b", "a", nil])
        #expect(chart.lanes.map(\.bars.count) == [2, 1, 1])
        let bars = chart.lanes[0].bars
        #expect(abs(bars[0].start - 4) < 0.01 && abs(bars[0].end - (4 + 952 * 0.3)) < 0.01)
        #expect(abs(bars[1].end - 956) < 0.01)
        let text = chart.html(id: "x", title: "Who had <it>").text
        #expect(text.contains("Who had &lt;it&gt;") && text.contains(">no collector</text>"))
        #expect(text.contains("aria-labelledby=\"x-title x-text\"") && text.contains("id=\"x-text\""))
    }

    @Test("A thousand tenures are drawn as fewer bars than there are columns, and none is lost")
    func reduction() {
        let tenures =
            (0..<1000).map { Self.tenure("c-\($0 % 3)", Double($0) * 0.01, Double($0 + 1) * 0.01) }
            + [Self.tenure("c-0", 10, 10_000)]
        let chart = LaneChart(from: Self.at(0), to: Self.at(10_000), tenures: tenures)
        let bars = chart.lanes.flatMap(\.bars)
        #expect(bars.count < 12)
        #expect(bars.reduce(0) { $0 + $1.tenures.count } == 1001)
        let dense = LaneChart(
            from: Self.at(0), to: Self.at(1000),
            tenures: (0..<100_000).map { Self.tenure("c-\($0 % 3)", Double($0) / 100, Double($0 + 1) / 100) })
        #expect(dense.lanes.flatMap(\.bars).count <= 3 * Int(LaneChart.width))
    }

    @Test("Everything lies within the drawing, also what began before it or ends after it")
    func bounds() {
        let chart = LaneChart(
            from: Self.at(100), to: Self.at(200), tenures: [Self.tenure("a", -1000, 150), Self.tenure("b", 150, 9000)],
            marks: [
                .init(at: Self.at(50), tone: .bad, text: "before"), .init(at: Self.at(150), tone: .good, text: "in"),
            ])
        for bar in chart.lanes.flatMap(\.bars) {
            #expect(bar.start >= 0 && bar.end <= LaneChart.width && bar.start < bar.end)
        }
        #expect(chart.drawnMarks.map { $0.marks.map(\.text) } == [["in"]])
        let instant = LaneChart(from: Self.at(5), to: Self.at(5), tenures: [Self.tenure("a", 5, 5)])
        #expect(instant.lanes[0].bars.count == 1)
    }

    @Test("Of too many holders those with the least time share a lane")
    func manyHolders() {
        let tenures = (0..<40).map { Self.tenure("c-\($0)", Double($0) * 10, Double($0) * 10 + ($0 < 30 ? 1 : 9)) }
        let lanes = LaneChart(from: Self.at(0), to: Self.at(400), tenures: tenures).lanes
        #expect(lanes.count == LaneChart.lanesMax)
        #expect(lanes.last?.holder == "29 others" && lanes.last?.holders == 29)
        #expect(lanes.reduce(0) { $0 + $1.bars.reduce(0) { $0 + $1.tenures.count } } == 40)
    }

    @Test("Marks that touch are one, which says how many they are")
    func marks() {
        let chart = LaneChart(
            from: Self.at(0), to: Self.at(1000), tenures: [],
            marks: (0..<50).map { .init(at: Self.at(500 + Double($0) / 100), tone: .plain, text: "m\($0)") })
        #expect(chart.drawnMarks.map(\.marks.count) == [50])
        #expect(chart.html(id: "x", title: "").text.contains("50 events: m0; m1"))
    }

    // MARK: Time

    @Test(
        "Marks stand at round times, with the day where it is new",
        arguments: [
            (from: "2026-11-20T03:07:12Z", to: "2026-11-20T03:31:00Z", first: "11-20 03:10", second: "03:15"),
            (from: "2026-11-19T22:30:00Z", to: "2026-11-20T03:00:00Z", first: "11-19 23:00", second: "11-20 00:00"),
            (from: "2026-11-20T03:07:12Z", to: "2026-11-20T03:07:40Z", first: "11-20 03:07:15", second: "03:07:20"),
            (from: "2026-11-01T05:00:00Z", to: "2026-11-06T00:00:00Z", first: "2026-11-02", second: "2026-11-03"),
        ])
    func timeMarks(from: String, to: String, first: String, second: String) throws {
        let scale = TimeScale(
            from: try #require(Timestamp(rfc3339: from)), to: try #require(Timestamp(rfc3339: to)), start: 10,
            length: 100)
        let marks = scale.marks(atMost: 8)
        #expect(marks.count <= 8)
        #expect(marks.prefix(2).map(\.text) == [first, second])
        #expect(marks.allSatisfy { (10...110).contains($0.place) })
    }

    @Test("Years have a few marks too")
    func years() {
        let scale = TimeScale(from: Self.at(0), to: Self.at(40 * 365 * 86_400), start: 0, length: 100)
        #expect((2...9).contains(scale.marks(atMost: 8).count))
    }

    // MARK: Load

    @Test("The curve goes in steps, from what was before to the end")
    func curve() {
        let chart = LoadChart(
            from: Self.at(0), to: Self.at(100), before: 10,
            points: [.init(at: Self.at(50), value: 20), .init(at: Self.at(75), value: 5)])
        #expect(chart.axis.top == 20 && chart.axis.marks == [0, 5, 10, 15, 20])
        #expect(chart.curve.count == 6)
        #expect(chart.curve.first == .move(64, 114))
        #expect(chart.curve.last == .line(952, 159))
    }

    @Test("Of ten thousand points the peak is kept and the rest is not drawn")
    func peak() {
        let points = (0..<10_000).map { LoadChart.Point(at: Self.at(Double($0)), value: $0 == 5005 ? 900 : 100) }
        let chart = LoadChart(from: Self.at(0), to: Self.at(10_000), before: nil, points: points)
        #expect(chart.curve.count <= 5 * 960)
        #expect(chart.axis.top == 1000)
        #expect(chart.curve.contains { if case .line(_, let y) = $0 { abs(y - 42) < 0.01 } else { false } })
        #expect(LoadChart(from: Self.at(0), to: Self.at(1), before: nil, points: []).curve.isEmpty)
    }

    @Test("Lengths are written to the tenth")
    func lengths() {
        #expect([0, 1.04, -2.25, 100, 0.96].map { Attribute.text($0) } == ["0", "1", "-2.3", "100", "1"])
    }

    @Test("A share is part of the greatest, and nothing of nothing")
    func share() {
        #expect(ShareBar(5, of: 10).share == 0.5 && ShareBar(0, of: 0).share == 0 && ShareBar(11, of: 10).share == 1)
    }
}
