//
// RetentionDay.swift: a day in UTC, the unit in which history is kept and given up.
//

import PostgresDriver

/// One day in UTC.
package struct RetentionDay: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Days since 1970-01-01.
    package let number: Int64

    private static let microseconds: Int64 = 86_400_000_000

    package init(number: Int64) { self.number = number }

    /// The day of an instant.
    package init(of time: Timestamp) {
        number = time.microsecondsSince1970.quotientRoundedDown(by: Self.microseconds)
    }

    /// Reads `2026-11-20`.
    package init?(_ text: String) {
        guard text.utf8.count == 10, let start = Timestamp(rfc3339: text + "T00:00:00Z") else { return nil }
        self.init(of: start)
    }

    package var start: Timestamp { Timestamp(microsecondsSince1970: number * Self.microseconds) }
    /// Exclusive: the next day's start.
    package var end: Timestamp { Timestamp(microsecondsSince1970: (number + 1) * Self.microseconds) }
    package var next: RetentionDay { RetentionDay(number: number + 1) }
    package var previous: RetentionDay { RetentionDay(number: number - 1) }

    package static func < (a: RetentionDay, b: RetentionDay) -> Bool { a.number < b.number }

    package var description: String { String("\(start)".prefix(10)) }

    /// As names of partitions end: `20261120`.
    var suffix: String { description.filter { $0 != "-" } }

    /// The day's partition of a table of history.
    func partition(of table: HistoryTable) -> String { "\(table.rawValue)_\(suffix)" }
}

/// The tables of history that are partitioned by day. `ledger.retention_parent` says in which order they are given up: of
/// those that are recorded revisions go first, because whoever reads history begins with the oldest revision there is, so
/// nobody can be reading a day whose revisions are gone when its events go.
package enum HistoryTable: String, Sendable, CaseIterable {
    case revision
    case targetEvent = "target_event"
    case collectorEvent = "collector_event"
    case discoveryReport = "discovery_report"
    case delivery
    /// Whole states from time to time; nothing but what the events say.
    case stateSnapshot = "state_snapshot"

    /// Those that hold what is nowhere else: they are sealed, counted and exported.
    static let recorded: [HistoryTable] = [.revision, .targetEvent, .collectorEvent, .discoveryReport, .delivery]

    /// The column that says to which day a row belongs.
    var timeColumn: String {
        switch self {
        case .revision, .targetEvent, .collectorEvent, .stateSnapshot: "at"
        case .discoveryReport: "first_at"
        case .delivery: "first_fetch_at"
        }
    }

    /// Of the name of a partition.
    init?(partition: String) {
        self.init(rawValue: String(partition.dropLast(9)))
    }
}

extension Int64 {
    /// Instants before 1970 count too.
    fileprivate func quotientRoundedDown(by divisor: Int64) -> Int64 {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }
}
