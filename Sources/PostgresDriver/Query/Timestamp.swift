//
// Timestamp.swift: an instant in microseconds, as PostgreSQL's timestamptz keeps it.
//
// Not Foundation's Date: a Double of seconds loses microseconds after the year 2242 and formatting one is slow.
//

import Glibc

/// An instant in UTC, to the microsecond.
package struct Timestamp: Sendable, Hashable, Comparable {
    package var microsecondsSince1970: Int64

    package init(microsecondsSince1970: Int64) { self.microsecondsSince1970 = microsecondsSince1970 }

    /// timestamptz 'infinity' and '-infinity'.
    package static let distantFuture = Timestamp(microsecondsSince1970: .max)
    package static let distantPast = Timestamp(microsecondsSince1970: .min)

    package static func < (left: Timestamp, right: Timestamp) -> Bool {
        left.microsecondsSince1970 < right.microsecondsSince1970
    }

    /// This machine's wall clock. Where order matters, ask the database.
    package static func now() -> Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(microsecondsSince1970: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
    }

    package func advanced(by duration: Duration) -> Timestamp {
        let (seconds, attoseconds) = duration.components
        return Timestamp(
            microsecondsSince1970: microsecondsSince1970 + seconds * 1_000_000 + attoseconds / 1_000_000_000_000)
    }

    /// From `other` to here; negative when this is the earlier one.
    package func since(_ other: Timestamp) -> Duration {
        .microseconds(microsecondsSince1970 - other.microsecondsSince1970)
    }

    /// Microseconds from PostgreSQL's epoch, 2000-01-01. Both infinities stay what they are.
    var postgresMicroseconds: Int64 {
        self == .distantFuture || self == .distantPast
            ? microsecondsSince1970 : microsecondsSince1970 &- Self.postgresEpoch
    }

    init(postgresMicroseconds: Int64) {
        microsecondsSince1970 =
            postgresMicroseconds == .max || postgresMicroseconds == .min
            ? postgresMicroseconds : postgresMicroseconds &+ Self.postgresEpoch
    }

    static let postgresEpoch: Int64 = 946_684_800_000_000
}

extension Timestamp: CustomStringConvertible {
    /// RFC 3339 in UTC with as many digits of a second as are not zero: `2024-02-29T12:00:00.25Z`.
    package var description: String {
        if self == .distantFuture { return "infinity" }
        if self == .distantPast { return "-infinity" }
        let (days, microseconds) = Self.floored(microsecondsSince1970, by: 86_400_000_000)
        let (year, month, day) = Self.civil(fromDays: days)
        let seconds = microseconds / 1_000_000
        var text = "\(Self.padded(year, 4))-\(Self.padded(month, 2))-\(Self.padded(day, 2))T"
        text += "\(Self.padded(seconds / 3600, 2)):\(Self.padded(seconds / 60 % 60, 2)):\(Self.padded(seconds % 60, 2))"
        var fraction = microseconds % 1_000_000
        if fraction != 0 {
            var width = 6
            while fraction % 10 == 0 {
                fraction /= 10
                width -= 1
            }
            text += "." + Self.padded(fraction, width)
        }
        return text + "Z"
    }

    /// RFC 3339 with a zone (`Z` or `±hh:mm`). Digits beyond the microsecond are cut off.
    package init?(rfc3339 text: String) {
        var scanner = DigitScanner(text)
        guard let year = scanner.number(4), scanner.skip("-"), let month = scanner.number(2), scanner.skip("-"),
            let day = scanner.number(2), scanner.skip("T") || scanner.skip("t") || scanner.skip(" "),
            let hour = scanner.number(2), scanner.skip(":"), let minute = scanner.number(2), scanner.skip(":"),
            let second = scanner.number(2), let fraction = scanner.microseconds(), let offset = scanner.zoneSeconds(),
            scanner.isAtEnd, (1...12).contains(month), day >= 1, hour < 24, minute < 60, second < 60
        else { return nil }
        let days = Self.days(fromYear: year, month: month, day: day)
        // Refuses a day that the month does not have.
        guard Self.civil(fromDays: days) == (year, month, day) else { return nil }
        let seconds = days * 86_400 + hour * 3600 + minute * 60 + second - offset
        self.init(microsecondsSince1970: seconds * 1_000_000 + fraction)
    }

    private static func floored(_ value: Int64, by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }

    // Years are counted from 1 March, so that a leap day is a year's last; 146,097 days are a cycle of 400 years.
    private static func civil(fromDays days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let (era, dayOfEra) = floored(days + 719_468, by: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        return (era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * marchMonth + 2) / 5 + 1)
    }

    private static func days(fromYear year: Int64, month: Int64, day: Int64) -> Int64 {
        let (era, yearOfEra) = floored(month <= 2 ? year - 1 : year, by: 400)
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private static func padded(_ number: Int64, _ width: Int) -> String {
        let digits = String(number.magnitude)
        let zeros = String(repeating: "0", count: max(0, width - digits.utf8.count))
        return (number < 0 ? "-" : "") + zeros + digits
    }
}

private struct DigitScanner {
    private var rest: Substring.UTF8View

    init(_ text: String) { rest = Substring(text).utf8 }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func skip(_ character: Unicode.Scalar) -> Bool {
        guard rest.first == UInt8(ascii: character) else { return false }
        rest.removeFirst()
        return true
    }

    mutating func number(_ width: Int) -> Int64? {
        var value: Int64 = 0
        for _ in 0..<width {
            guard let digit = digit() else { return nil }
            value = value * 10 + digit
        }
        return value
    }

    /// An optional fraction; nil when a point is not followed by digits.
    mutating func microseconds() -> Int64? {
        guard skip(".") else { return 0 }
        guard var value = digit() else { return nil }
        var width = 1
        while let next = digit() {
            if width < 6 { value = value * 10 + next }
            width += 1
        }
        while width < 6 {
            value *= 10
            width += 1
        }
        return value
    }

    mutating func zoneSeconds() -> Int64? {
        if skip("Z") || skip("z") { return 0 }
        let sign: Int64 = skip("+") ? 1 : skip("-") ? -1 : 0
        guard sign != 0, let hours = number(2), skip(":"), let minutes = number(2), hours < 24, minutes < 60 else {
            return nil
        }
        return sign * (hours * 3600 + minutes * 60)
    }

    private mutating func digit() -> Int64? {
        guard let byte = rest.first, (0x30...0x39).contains(byte) else { return nil }
        rest.removeFirst()
        return Int64(byte - 0x30)
    }
}
