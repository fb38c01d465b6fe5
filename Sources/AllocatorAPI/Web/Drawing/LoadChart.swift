//
// LoadChart.swift: a number over time as steps, with marks for what changed it.
//
// Of more points than the drawing has columns each column keeps its first, its least, its greatest and its last, so that
// no peak is lost.
//

import PostgresDriver

/// A number that stays as it is until the next point.
struct LoadChart: Sendable, Hashable {
    struct Point: Sendable, Hashable {
        var at: Timestamp
        var value: Double
    }

    var from: Timestamp
    var to: Timestamp
    /// Before the first point; nil: not known.
    var before: Double?
    /// Oldest first.
    var points: [Point]
    var marks: [LaneChart.Mark] = []

    static let width = 960.0
    private static let (left, top, height) = (64.0, 24.0, 180.0)

    private var scale: TimeScale { TimeScale(from: from, to: to, start: Self.left, length: Self.width - Self.left - 8) }

    /// The upper end of the axis and its marks: round numbers.
    var axis: (top: Double, marks: [Double]) {
        let greatest = max(points.map(\.value).max() ?? 0, before ?? 0, 1)
        var step = 1.0
        for candidate in Self.steps(upTo: greatest) where greatest / candidate <= 5 {
            step = candidate
            break
        }
        let top = (greatest / step).rounded(.up) * step
        return (top, Array(stride(from: 0, through: top, by: step)))
    }

    private static func steps(upTo greatest: Double) -> [Double] {
        var steps: [Double] = []
        var unit = 1.0
        while unit <= greatest * 10 {
            steps += [unit, 2 * unit, 5 * unit]
            unit *= 10
        }
        return steps
    }

    /// Places of the curve, at most a few for each column of the drawing.
    var curve: [DrawingPath.Step] {
        let top = axis.top
        func y(_ value: Double) -> Double { Self.top + Self.height * (1 - min(max(value / top, 0), 1)) }
        var steps: [DrawingPath.Step] = []
        var last = before
        if let before { steps.append(.move(scale.place(from), y(before))) }
        for column in columns {
            let x = scale.place(column[0].at)
            if let last { steps.append(.line(x, y(last))) }
            for point in column {
                steps.append(steps.isEmpty ? .move(x, y(point.value)) : .line(x, y(point.value)))
                last = point.value
            }
        }
        if let last { steps.append(.line(scale.place(to), y(last))) }
        return steps
    }

    private var columns: [[Point]] {
        var columns: [[Point]] = []
        var column = -1
        for point in points where point.at >= from && point.at <= to {
            let place = Int(scale.place(point.at))
            if place != column { columns.append([]) }
            column = place
            columns[columns.count - 1].append(point)
        }
        return columns.map { points in
            guard points.count > 4, let least = points.min(by: { $0.value < $1.value }),
                let greatest = points.max(by: { $0.value < $1.value })
            else { return points }
            return [points[0], least, greatest, points[points.count - 1]]
        }
    }

    func html(id: String, title: String) -> HTML {
        let (top, marks) = axis
        let bottom = Self.top + Self.height
        return Tag.svg(
            .class("drawing"), .viewBox(width: Self.width, height: bottom + 26), .role("group"),
            .ariaLabelledBy("\(id)-title")
        ) {
            Tag.title(.id("\(id)-title")) { title }
            for mark in marks {
                let y = Self.top + Self.height * (1 - mark / top)
                Tag.line(.class("grid"), .x1(Self.left), .y1(y), .x2(Self.width - 8), .y2(y))
                Tag.text(.class("tick end"), .x(Self.left - 8), .y(y + 4)) { NumberText.grouped(Int(mark)) }
            }
            for mark in scale.marks(atMost: 8) {
                Tag.line(.class("grid"), .x1(mark.place), .y1(Self.top), .x2(mark.place), .y2(bottom))
                Tag.text(.class(LaneChart.anchor(mark.place)), .x(mark.place), .y(bottom + 18)) { mark.text }
            }
            if let area { Tag.path(.class("area"), .path(area)) }
            Tag.path(.class("curve"), .path(curve))
            for mark in self.marks where mark.at >= from && mark.at <= to { html(mark, bottom) }
        }
    }

    private var area: [DrawingPath.Step]? {
        guard case .move(let x, _)? = curve.first else { return nil }
        let bottom = Self.top + Self.height
        return curve + [.line(scale.place(to), bottom), .line(x, bottom), .close]
    }

    private func html(_ mark: LaneChart.Mark, _ bottom: Double) -> HTML {
        let place = scale.place(mark.at)
        let drawing = HTML {
            Tag.line(.class("mark \(mark.tone.rawValue)"), .x1(place), .y1(14), .x2(place), .y2(bottom))
            Tag.path(
                .class("dot \(mark.tone.rawValue)"),
                .path([.move(place - 5, 4), .line(place + 5, 4), .line(place, 14), .close])
            ) { Tag.title { mark.text } }
        }
        guard let link = mark.link else { return drawing }
        return Tag.a(.href(link), .ariaLabel(mark.text)) { drawing }
    }
}
