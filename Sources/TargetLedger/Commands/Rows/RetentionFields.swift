//
// RetentionFields.swift: the fields of a day that is kept, and of one that is to be dropped.
//

import AllocationLedger
import AllocatorAPI
import PostgresDriver

/// A day, and all that is to be told of it.
struct DescribedDay: Sendable {
    var status: DayStatus
    var rows: Int64
    var holds: [Int64]
    var dropDue: Timestamp?

    /// `open`, `sealed`, or `dropping`: given up, and not all of its tables are gone.
    var state: String { status.isGivenUp ? "dropping" : status.isSealed ? "sealed" : "open" }
}

extension DayCatalogue {
    /// Days that have begun; the tables of days to come are made ahead.
    func described(
        keeping retention: Duration?, _ connection: isolated PostgresConnection
    ) async throws -> [DescribedDay] {
        var described: [DescribedDay] = []
        for status in days where status.day.start <= now {
            var rows = status.sealedRows
            if rows == nil { rows = try await DayCatalogue.countRows(of: status.day, connection) }
            described.append(
                DescribedDay(
                    status: status, rows: rows ?? 0, holds: holds.filter { $0.keeps(status.day) }.map(\.number),
                    dropDue: dueAt(status, keeping: retention)))
        }
        return described
    }
}

extension RowForm<DescribedDay> {
    static var day: Self {
        Self([
            Field("day", "DAY") { .text("\($0.status.day)") },
            Field("rows", "ROWS") { .number($0.rows) },
            Field("bytes", "BYTES") { .number($0.status.bytes) },
            Field("state", "STATE", tint: { $0 == .text("open") ? .yellow : $0 == .text("sealed") ? .green : .red }) {
                .text($0.state)
            },
            Field("sealed_by", "SEALED BY") { .optional($0.status.sealedBy) },
            Field("held_by", "HELD BY") { .list($0.holds.map { .number($0) }) },
            Field("drop_due", "DROP DUE") { .optional($0.dropDue.map { "\($0)" }) },
        ])
    }
}

/// What dropping would do to a day.
struct DropPreview: Sendable {
    var day: RetentionDay
    var bytes: Int64
    var obstacle: String?
}

extension RowForm<DropPreview> {
    static var preview: Self {
        Self([
            Field("day", "DAY") { .text("\($0.day)") },
            Field("bytes", "BYTES") { .number($0.bytes) },
            Field("would_drop", "WOULD DROP", tint: { $0 == .boolean(true) ? .red : nil }) {
                .boolean($0.obstacle == nil)
            },
            Field("obstacle", "BECAUSE") { .optional($0.obstacle) },
        ])
    }
}
