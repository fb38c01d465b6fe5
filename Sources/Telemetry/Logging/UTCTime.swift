//
// UTCTime.swift: instants as the texts that logs and HTTP headers need, without a formatter object.
//

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// An instant of the realtime clock, split into calendar fields.
package struct UTCTime: Sendable {
    package let secondsSince1970: Int64
    package let nanoseconds: Int64
    private let year, month, day, hour, minute, second, weekday: Int

    package init(secondsSince1970: Int64, nanoseconds: Int64 = 0) {
        self.secondsSince1970 = secondsSince1970
        self.nanoseconds = nanoseconds
        var time = time_t(secondsSince1970)
        var fields = tm()
        gmtime_r(&time, &fields)
        (year, month, day) = (Int(fields.tm_year) + 1900, Int(fields.tm_mon), Int(fields.tm_mday))
        (hour, minute, second) = (Int(fields.tm_hour), Int(fields.tm_min), Int(fields.tm_sec))
        weekday = Int(fields.tm_wday)
    }

    package static func now() -> UTCTime {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return UTCTime(secondsSince1970: Int64(time.tv_sec), nanoseconds: Int64(time.tv_nsec))
    }

    /// RFC 3339 with this many digits after the second, for instance `2026-11-20T03:12:00.250Z`.
    package func rfc3339(fractionDigits: Int) -> String {
        var text = "\(padded(year, 4))-\(padded(month + 1))-\(padded(day))T"
        text += "\(padded(hour)):\(padded(minute)):\(padded(second))"
        if fractionDigits > 0 { text += "." + padded(Int(nanoseconds), 9).prefix(fractionDigits) }
        return text + "Z"
    }

    /// RFC 9110's date, for instance `Fri, 20 Nov 2026 03:12:00 GMT`.
    package var httpDate: String {
        "\(Self.weekdays[weekday]), \(padded(day)) \(Self.months[month]) \(padded(year, 4)) "
            + "\(padded(hour)):\(padded(minute)):\(padded(second)) GMT"
    }

    private static let weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    private func padded(_ number: Int, _ digits: Int = 2) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }
}
