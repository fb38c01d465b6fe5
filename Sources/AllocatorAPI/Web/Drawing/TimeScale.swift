//
// TimeScale.swift: instants on a line, and the round times at which it is marked.
//

import PostgresDriver

/// Maps a stretch of time to a stretch of a drawing.
struct TimeScale: Sendable, Hashable {
    let from: Timestamp
    let to: Timestamp
    /// Where the line begins, and how long it is.
    let start: Double
    let length: Double

    /// A stretch of no time is made a second long.
    init(from: Timestamp, to: Timestamp, start: Double, length: Double) {
        self.from = from
        self.to = to > from ? to : from.advanced(by: .seconds(1))
        self.start = start
        self.length = length
    }

    /// The place of an instant; what is outside is put at the end that it is beyond.
    func place(_ time: Timestamp) -> Double {
        let share = seconds(time) / seconds(to)
        return start + length * min(max(share, 0), 1)
    }

    private func seconds(_ time: Timestamp) -> Double {
        Double(time.microsecondsSince1970 - from.microsecondsSince1970) / 1_000_000
    }

    /// Microseconds between marks: round numbers of clock and calendar.
    private static let steps: [Int64] =
        [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800]
        .map { $0 * 1_000_000 } + [5, 7, 14, 28, 91, 182, 364].map { $0 * 86_400_000_000 }

    /// At most `count` marks at round times, each with its text: the time of day, with the day where that is new.
    func marks(atMost count: Int) -> [(place: Double, text: String)] {
        let span = to.microsecondsSince1970 - from.microsecondsSince1970
        let fitting = Self.steps.first { span / $0 < Int64(count) }
        let step = fitting ?? (span / Int64(count) / Self.day + 1) * Self.day
        var at = (from.microsecondsSince1970 + step - 1) / step * step
        var marks: [(place: Double, text: String)] = []
        var lastDay = ""
        while at <= to.microsecondsSince1970, marks.count <= count {
            let text = Timestamp(microsecondsSince1970: at).description
            let day = String(text.prefix(10))
            let clock = String(text.dropFirst(11).prefix(step < 60_000_000 ? 8 : 5))
            marks.append(
                (
                    place(Timestamp(microsecondsSince1970: at)),
                    step >= Self.day ? day : day == lastDay ? clock : "\(day.dropFirst(5)) \(clock)"
                ))
            lastDay = day
            at += step
        }
        return marks
    }

    private static let day: Int64 = 86_400_000_000
}
