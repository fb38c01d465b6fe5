//
// LaneChart.swift: who had something when: a lane for each holder, a bar for each tenure, a mark for each cause.
//
// A value that knows no ledger. What is too close together to be seen apart is drawn as one, so that a drawing of ten
// thousand tenures has no more parts than a screen has columns.
//

import PostgresDriver

/// Tenures, marks and identities along one line of time.
struct LaneChart: Sendable, Hashable {
    /// Somebody, or nobody, had it from one instant to another.
    struct Tenure: Sendable, Hashable {
        /// Nil: nobody.
        var holder: String?
        var from: Timestamp
        var to: Timestamp
    }

    /// One identity's time.
    struct Span: Sendable, Hashable {
        var name: String
        var from: Timestamp
        var to: Timestamp
    }

    /// Something that happened.
    struct Mark: Sendable, Hashable {
        enum Tone: String, Sendable {
            case plain, good, bad, special
        }

        var at: Timestamp
        var tone: Tone
        var text: String
        var link: Link?
    }

    var from: Timestamp
    var to: Timestamp
    var tenures: [Tenure]
    var marks: [Mark] = []
    var identities: [Span] = []

    static let lanesMax = 12
    static let width = 960.0
    /// What is nearer than this is drawn as one.
    static let closest = 1.5

    // MARK: Lanes

    /// The tenures of one holder, as they are drawn.
    struct Lane: Sendable, Hashable {
        /// Nil: nobody.
        var holder: String?
        /// Holders that share the last lane when there are too many; otherwise one.
        var holders: Int
        var bars: [Bar]
    }

    /// One or more tenures that cannot be told apart at this scale.
    struct Bar: Sendable, Hashable {
        var start: Double
        var end: Double
        var tenures: [Tenure]
    }

    private var scale: TimeScale { TimeScale(from: from, to: to, start: 4, length: Self.width - 8) }

    /// In the order in which holders first had it; nobody comes last. Beyond ``lanesMax`` those that had it shortest
    /// share a lane.
    var lanes: [Lane] {
        var order: [String] = []
        var byHolder: [String: [Tenure]] = [:]
        for tenure in tenures.sorted(by: { $0.from < $1.from }) {
            guard let holder = tenure.holder else { continue }
            if byHolder[holder] == nil { order.append(holder) }
            byHolder[holder, default: []].append(tenure)
        }
        var shared: [String] = []
        if order.count > Self.lanesMax {
            let longest = order.map { ($0, Self.total(byHolder[$0] ?? [])) }.sorted { $0.1 > $1.1 }
            shared = longest.dropFirst(Self.lanesMax - 1).map(\.0)
            let isShared = Set(shared)
            order.removeAll { isShared.contains($0) }
        }
        var lanes = order.map { Lane(holder: $0, holders: 1, bars: bars(byHolder[$0] ?? [])) }
        if !shared.isEmpty {
            lanes.append(
                Lane(
                    holder: "\(shared.count) others", holders: shared.count,
                    bars: bars(shared.flatMap { byHolder[$0] ?? [] }.sorted { $0.from < $1.from })))
        }
        let nobody = tenures.filter { $0.holder == nil }.sorted { $0.from < $1.from }
        if !nobody.isEmpty { lanes.append(Lane(holder: nil, holders: 1, bars: bars(nobody))) }
        return lanes
    }

    private static func total(_ tenures: [Tenure]) -> Int64 {
        tenures.reduce(0) { $0 + ($1.to.microsecondsSince1970 - $1.from.microsecondsSince1970) }
    }

    private func bars(_ tenures: [Tenure]) -> [Bar] {
        var bars: [Bar] = []
        for tenure in tenures where tenure.to >= from && tenure.from <= to {
            let (start, end) = (scale.place(tenure.from), max(scale.place(tenure.to), scale.place(tenure.from) + 1))
            if let last = bars.indices.last, start - bars[last].end < Self.closest,
                end - start < Self.closest || bars[last].end - bars[last].start < Self.closest
                    || bars[last].tenures.count > 1
            {
                bars[last].end = max(bars[last].end, end)
                bars[last].tenures.append(tenure)
            } else {
                bars.append(Bar(start: start, end: end, tenures: [tenure]))
            }
        }
        return bars
    }

    /// Marks that cannot be told apart come as one, which says how many they are.
    var drawnMarks: [(place: Double, marks: [Mark])] {
        var drawn: [(place: Double, marks: [Mark])] = []
        for mark in marks.sorted(by: { $0.at < $1.at }) where mark.at >= from && mark.at <= to {
            let place = scale.place(mark.at)
            if let last = drawn.indices.last, place - drawn[last].place < 7 {
                drawn[last].marks.append(mark)
            } else {
                drawn.append((place, [mark]))
            }
        }
        return drawn
    }
}

// MARK: Drawing

extension LaneChart {
    private static let laneHeight = 36.0
    private static let marksHeight = 24.0

    /// - Parameters:
    ///   - id: Of the drawing within its page.
    ///   - title: What it shows, for those who do not see it.
    func html(id: String, title: String) -> HTML {
        let lanes = lanes
        let hasIdentities = identities.count > 1
        let top = Self.marksHeight + (hasIdentities ? Self.laneHeight : 0)
        let bottom = top + Double(lanes.count) * Self.laneHeight
        return Tag.svg(
            .class("drawing"), .viewBox(width: Self.width, height: bottom + 24), .role("group"),
            .ariaLabelledBy("\(id)-title \(id)-text")
        ) {
            Tag.title(.id("\(id)-title")) { title }
            Tag.desc(.id("\(id)-text")) { summary(lanes) }
            axis(bottom)
            if hasIdentities { identityLane(Self.marksHeight) }
            for (index, lane) in lanes.enumerated() { html(lane, top + Double(index) * Self.laneHeight) }
            for drawn in drawnMarks { html(drawn.marks, drawn.place, bottom) }
            // Upon the marks, so that they can be read.
            if hasIdentities { Tag.text(.x(8), .y(Self.marksHeight + 13)) { "identity" } }
            for (index, lane) in lanes.enumerated() {
                Tag.text(.x(8), .y(top + Double(index) * Self.laneHeight + 13)) { lane.holder ?? "no collector" }
            }
        }
    }

    private func summary(_ lanes: [Lane]) -> String {
        let holders = lanes.reduce(0) { $0 + ($1.holder == nil ? 0 : $1.holders) }
        return "\(NumberText.counted(tenures.count, "tenure")) of \(NumberText.counted(holders, "collector")), from "
            + "\(TimeText.short(from)) to \(TimeText.short(to)). The table says the same in words."
    }

    private func axis(_ bottom: Double) -> HTML {
        HTML {
            for mark in scale.marks(atMost: 8) {
                Tag.line(.class("grid"), .x1(mark.place), .y1(Self.marksHeight), .x2(mark.place), .y2(bottom))
                Tag.text(
                    .class(Self.anchor(mark.place)), .x(mark.place), .y(bottom + 16)
                ) { mark.text }
            }
        }
    }

    /// Texts near an end of the line stay within the drawing.
    static func anchor(_ place: Double) -> String {
        place < 50 ? "tick" : place > width - 50 ? "tick end" : "tick middle"
    }

    private func html(_ lane: Lane, _ y: Double) -> HTML {
        Tag.g {
            Tag.rect(
                .class("track"), .x(4), .y(y + 18), .width(Self.width - 8), .height(12), .cornerRadius(2))
            for bar in lane.bars {
                Tag.rect(
                    .class(lane.holder == nil ? "nobody" : "held"), .x(bar.start), .y(y + 18),
                    .width(bar.end - bar.start), .height(12), .cornerRadius(1)
                ) { Tag.title { Self.words(bar) } }
            }
        }
    }

    private static func words(_ bar: Bar) -> String {
        guard let first = bar.tenures.first, let last = bar.tenures.map(\.to).max() else { return "" }
        let what = bar.tenures.count == 1 ? first.holder ?? "no collector" : "\(bar.tenures.count) tenures"
        return "\(what), \(TimeText.short(first.from)) to \(TimeText.short(last)), "
            + TimeText.duration(from: first.from, to: last)
    }

    private func identityLane(_ y: Double) -> HTML {
        Tag.g {
            for (index, span) in identities.enumerated() {
                let start = scale.place(span.from)
                Tag.rect(
                    .class(index.isMultiple(of: 2) ? "identity" : "identity other"), .x(start), .y(y + 20),
                    .width(max(1, scale.place(span.to) - start)), .height(6), .cornerRadius(1)
                ) { Tag.title { "identity \(span.name), from \(TimeText.short(span.from))" } }
            }
        }
    }

    private func html(_ marks: [Mark], _ place: Double, _ bottom: Double) -> HTML {
        let worst = marks.first { $0.tone == .bad } ?? marks.first { $0.tone != .plain } ?? marks[0]
        let text =
            marks.count == 1
            ? marks[0].text : "\(marks.count) events: " + marks.prefix(6).map(\.text).joined(separator: "; ")
        let drawing = HTML {
            Tag.line(
                .class("mark \(worst.tone.rawValue)"), .x1(place), .y1(12), .x2(place), .y2(bottom))
            Tag.path(
                .class("dot \(worst.tone.rawValue)"),
                .path([.move(place - 5, 3), .line(place + 5, 3), .line(place, 13), .close])
            ) { Tag.title { text } }
        }
        guard let link = worst.link else { return drawing }
        return Tag.a(.href(link), .ariaLabel(text)) { drawing }
    }
}
