//
// DayCatalogue.swift: which days there are, how far each has come, and what may be done with it.
//
// A day's way:
//
//     open ──over──▶ sealed ──given up──▶ (tables detached, dropped) ──▶ gone
//
// Days are sealed in order and given up in order, oldest first: a state is read by undoing all that came later, so a day is
// worth nothing without those after it. A hold therefore keeps its days and all that follow.
//

import PostgresDriver

/// One day's tables.
package struct DayStatus: Sendable, Hashable {
    package var day: RetentionDay
    /// The tables that are still there, in the order in which they are given up; each with how it hangs on its parent.
    package var partitions: [Partition]
    /// Rows that the seal counted; nil for a day that is not sealed.
    package var sealedRows: Int64?
    /// The revision that recorded the seal.
    package var sealedBy: Int64?
    /// The revision that gave the day up.
    package var givenUpBy: Int64?
    /// On disk, indices included.
    package var bytes: Int64

    package struct Partition: Sendable, Hashable {
        package enum State: String, Sendable, Hashable {
            /// A part of its table. Can transition to: detaching, detached.
            case attached
            /// Being taken out: new readers no longer see it. Can transition to: detached.
            case detaching
            /// A table of its own, seen by nobody. Can transition to: gone, which is no row any more.
            case detached
        }

        package var table: HistoryTable
        package var state: State
        /// Takes no row any more.
        package var isClosed: Bool
    }

    package var isSealed: Bool { sealedBy != nil }
    package var isGivenUp: Bool { givenUpBy != nil }
}

/// All days at one moment, and the rules for them. Pure once it is read.
package struct DayCatalogue: Sendable {
    /// Oldest first.
    package var days: [DayStatus]
    package var holds: [LegalHold]
    /// The database's clock.
    package var now: Timestamp
    /// The day of the first revision that is still there; nil while nothing is recorded.
    package var firstRecorded: RetentionDay?

    /// How long after its end a day is sealed: whoever writes at midnight has ended by then.
    package static let sealMargin = Duration.seconds(300)

    package static func read(_ connection: isolated PostgresConnection) async throws -> DayCatalogue {
        let parts = try await connection.query(
            """
            SELECT (p.day - date '1970-01-01')::bigint, p.parent, p.state, p.is_closed, s.rows, s.revision, d.revision, \
            pg_total_relation_size(p.relation) FROM ledger.retention_partition p \
            LEFT JOIN ledger.seal s USING (partition) LEFT JOIN ledger.partition_drop d USING (partition) \
            ORDER BY p.day, p.place
            """)
        var catalogue = DayCatalogue(days: [], holds: try await LegalHold.active(connection), now: .now())
        for row in parts {
            let day = RetentionDay(number: try row.decode(0))
            guard let table = HistoryTable(rawValue: try row.decode(1)),
                let state = DayStatus.Partition.State(rawValue: try row.decode(2))
            else { continue }
            if catalogue.days.last?.day != day {
                catalogue.days.append(DayStatus(day: day, partitions: [], bytes: 0))
            }
            let last = catalogue.days.count - 1
            catalogue.days[last].partitions.append(
                .init(table: table, state: state, isClosed: try row.decode(3)))
            if let rows = try row.decode(4, as: Int64?.self) {
                catalogue.days[last].sealedRows = rows + (catalogue.days[last].sealedRows ?? 0)
            }
            catalogue.days[last].sealedBy = try row.decode(5) ?? catalogue.days[last].sealedBy
            catalogue.days[last].givenUpBy = try row.decode(6) ?? catalogue.days[last].givenUpBy
            catalogue.days[last].bytes += try row.decode(7, as: Int64?.self) ?? 0
        }
        let times = try await connection.query(
            "SELECT clock_timestamp(), (SELECT at FROM ledger.revision ORDER BY at LIMIT 1)"
        ).first
        if let times {
            catalogue.now = try times.decode(0)
            catalogue.firstRecorded = try times.decode(1, as: Timestamp?.self).map { RetentionDay(of: $0) }
        }
        return catalogue
    }

    /// Rows of all tables of a day that has no seal yet.
    package static func countRows(
        of day: RetentionDay, _ connection: isolated PostgresConnection
    ) async throws -> Int64 {
        var rows: Int64 = 0
        for table in HistoryTable.recorded {
            let time = SQL(unsafeSQL: table.timeColumn)
            rows +=
                try await connection.query(
                    """
                    SELECT count(*) FROM ledger.\(unsafeSQL: table.rawValue) \
                    WHERE \(time) >= \(day.start) AND \(time) < \(day.end)
                    """
                ).first?.decode(0, as: Int64.self) ?? 0
        }
        return rows
    }

    // MARK: Rules

    /// Days that are over and not sealed, oldest first. Days before anything was recorded wait for the first one that has
    /// something.
    package var sealable: [RetentionDay] {
        let over = days.filter {
            !$0.isSealed && !$0.isGivenUp && $0.day.end.advanced(by: Self.sealMargin) <= now
        }.map(\.day)
        guard let firstRecorded, let last = over.last, last >= firstRecorded else { return [] }
        return over
    }

    /// Why a day that is old enough cannot be dropped.
    package enum Obstacle: Sendable, Hashable, CustomStringConvertible {
        case notOver
        case notSealed
        case held(by: [Int64])
        /// A day before it cannot be dropped, and a past is not read without all that came after it.
        case follows(RetentionDay)
        /// Still needed to be written to.
        case tooRecent

        package var description: String {
            switch self {
            case .notOver: "it is not over"
            case .notSealed: "it is not sealed"
            case .held(let holds): "hold \(holds.map { "\($0)" }.joined(separator: ", ")) keeps it"
            case .follows(let day): "\(day) before it is kept"
            case .tooRecent: "the day before today stays"
            }
        }
    }

    /// What stands against dropping each day that ends before an instant; the days without an obstacle can go.
    package func obstacles(before: Timestamp) -> [(day: RetentionDay, obstacle: Obstacle?)] {
        var kept: RetentionDay?
        return days.filter { !$0.isGivenUp && $0.day.end <= before && $0.day.start <= now }.map { status in
            let obstacle = kept.map { Obstacle.follows($0) } ?? self.obstacle(status)
            if obstacle != nil { kept = kept ?? status.day }
            return (status.day, obstacle)
        }
    }

    private func obstacle(_ status: DayStatus) -> Obstacle? {
        if status.day.end > now { return .notOver }
        let holds = self.holds.filter { $0.keeps(status.day) }
        if !holds.isEmpty { return .held(by: holds.map(\.number)) }
        if !status.isSealed { return .notSealed }
        return status.day >= RetentionDay(of: now).previous ? .tooRecent : nil
    }

    /// Days that can be dropped, oldest first.
    package func droppable(before: Timestamp) -> [RetentionDay] {
        obstacles(before: before).prefix { $0.obstacle == nil }.map(\.day)
    }

    /// Days that were given up and whose tables are still there.
    package var unfinished: [DayStatus] { days.filter { $0.isGivenUp && !$0.partitions.isEmpty } }

    /// When retention would drop the day; nil: never.
    package func dueAt(_ status: DayStatus, keeping retention: Duration?) -> Timestamp? {
        retention.map { status.day.end.advanced(by: $0) }
    }
}
