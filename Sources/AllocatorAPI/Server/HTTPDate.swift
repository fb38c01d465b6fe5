//
// HTTPDate.swift: the Date header, formatted once a second.
//

import Telemetry

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Remembers the text of the current second. One per connection, so nobody waits for it.
struct HTTPDate {
    private var second: time_t = -1
    private var formatted = ""

    mutating func text() -> String {
        let now = time(nil)
        if now != second {
            second = now
            formatted = UTCTime(secondsSince1970: Int64(now)).httpDate
        }
        return formatted
    }
}
