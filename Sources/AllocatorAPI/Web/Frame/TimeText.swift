//
// TimeText.swift: instants and durations as pages show them.
//

import PostgresDriver

enum TimeText {
    /// To the millisecond, which is what people compare; the exact time is in `datetime` and in the title.
    static func html(_ time: Timestamp) -> HTML {
        guard time != .distantFuture, time != .distantPast else { return HTML(time.description) }
        return Tag.time(.datetime(time.description), .title(time.description)) { short(time) }
    }

    static func short(_ time: Timestamp) -> String {
        Timestamp(microsecondsSince1970: floored(time.microsecondsSince1970, to: 1000)).description
    }

    private static func floored(_ value: Int64, to unit: Int64) -> Int64 {
        let rest = value % unit
        return value - (rest < 0 ? rest + unit : rest)
    }

    /// `2 d 4 h`, `3 min 20 s`, `0.25 s`: the two largest units.
    static func duration(seconds: Double) -> String {
        guard seconds.isFinite, seconds >= 0 else { return "–" }
        guard seconds >= 60 else {
            let hundredths = Int((seconds * 100).rounded())
            let (whole, rest) = hundredths.quotientAndRemainder(dividingBy: 100)
            return rest == 0 ? "\(whole) s" : "\(whole).\(rest < 10 ? "0" : "")\(rest) s"
        }
        guard seconds < 1e12 else { return "–" }
        let whole = Int64(seconds.rounded())
        let units: [(name: String, seconds: Int64)] = [("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)]
        let first = units.firstIndex { whole >= $0.seconds } ?? 3
        let (count, rest) = whole.quotientAndRemainder(dividingBy: units[first].seconds)
        guard first + 1 < units.count else { return "\(count) s" }
        let second = rest / units[first + 1].seconds
        return "\(count) \(units[first].name)" + (second > 0 ? " \(second) \(units[first + 1].name)" : "")
    }

    static func duration(from: Timestamp, to: Timestamp) -> String {
        duration(seconds: Double(to.microsecondsSince1970 - from.microsecondsSince1970) / 1_000_000)
    }
}

enum NumberText {
    /// With a narrow space between thousands.
    static func grouped(_ number: some BinaryInteger) -> String {
        var digits = ""
        for (index, digit) in "\(number.magnitude)".reversed().enumerated() {
            if index > 0, index % 3 == 0 { digits.append("\u{202F}") }
            digits.append(digit)
        }
        return (number < 0 ? "−" : "") + String(digits.reversed())
    }

    /// `1 target`, `3 targets`.
    static func counted(_ count: some BinaryInteger, _ one: String, _ many: String? = nil) -> String {
        "\(grouped(count)) \(count == 1 ? one : many ?? one + "s")"
    }
}
