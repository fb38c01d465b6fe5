//
// DayExport.swift: writes a sealed day into a file, before it is dropped: one JSON object a line.
//
// Each line names its table and holds the row as it is stored, with the names that its numbers stand for, so that it can be
// read when the ledger is not at hand. A sealed day cannot change, so the file's SHA-256 can stand in the revision that
// gives the day up.
//

import Crypto
import PostgresDriver

/// A day's rows as lines.
package struct DayExport {
    package let day: RetentionDay
    private var hash = SHA256()
    package private(set) var rows: Int64 = 0

    package init(_ day: RetentionDay) { self.day = day }

    package var fileName: String { "ledger-\(day).ndjson" }

    /// SHA-256 of all that was written.
    package var digest: Digest32 { Digest32(hash.finalize()) }

    /// Hands the lines on, some at a time.
    package mutating func write(
        _ connection: isolated PostgresConnection, to sink: ([UInt8]) throws -> Void
    ) async throws {
        var export = self
        for table in HistoryTable.recorded {
            var buffer: [UInt8] = []
            try await connection.copyOut("COPY (\(export.query(table))) TO STDOUT (FORMAT binary)") { row in
                try row.withBytes { if let bytes = $0 { buffer.append(contentsOf: bytes) } }
                buffer.append(UInt8(ascii: "\n"))
                export.rows += 1
                if buffer.count >= 256 * 1024 {
                    export.hash.update(data: buffer)
                    try sink(buffer)
                    buffer.removeAll(keepingCapacity: true)
                }
            }
            export.hash.update(data: buffer)
            try sink(buffer)
        }
        self = export
    }

    /// COPY takes no binds; the texts are ours.
    private func query(_ table: HistoryTable) -> SQL {
        let time = table.timeColumn
        let inside = "e.\(time) >= '\(day.start)' AND e.\(time) < '\(day.end)'"
        func select(_ names: String, _ joins: String, _ order: String) -> SQL {
            SQL(
                unsafeSQL: """
                    SELECT (jsonb_build_object('table', '\(table.rawValue)') || to_jsonb(e)\(names))::text \
                    FROM ledger.\(table.rawValue) e \(joins) WHERE \(inside) ORDER BY \(order)
                    """)
        }
        switch table {
        case .revision:
            return select(
                " || jsonb_build_object('ring_digest', r.digest, 'configuration_digest', c.digest)",
                "LEFT JOIN ledger.ring r ON r.id = e.ring LEFT JOIN ledger.configuration c ON c.id = e.configuration",
                "e.revision")
        case .targetEvent:
            return select(
                """
                 || jsonb_build_object('job', j.name, 'address', t.address, 'identity', t.identity::text, \
                'collector_before_name', b.name, 'collector_after_name', a.name, 'reason_name', n.name, \
                'label_set_before_digest', lb.digest, 'label_set_after_digest', la.digest)
                """,
                """
                LEFT JOIN ledger.target t ON t.id = e.target LEFT JOIN ledger.job j ON j.id = t.job \
                LEFT JOIN ledger.collector b ON b.id = e.collector_before \
                LEFT JOIN ledger.collector a ON a.id = e.collector_after LEFT JOIN ledger.reason n ON n.code = e.reason \
                LEFT JOIN ledger.label_set lb ON lb.id = e.label_set_before \
                LEFT JOIN ledger.label_set la ON la.id = e.label_set_after
                """, "e.revision, e.ordinal")
        case .collectorEvent:
            return select(
                " || jsonb_build_object('collector_name', c.name, 'collector_uid', c.uid)",
                "LEFT JOIN ledger.collector c ON c.id = e.collector", "e.revision, e.ordinal")
        case .discoveryReport: return select("", "", "e.first_at, e.job, e.provider, e.source")
        case .delivery: return select("", "", "e.first_fetch_at, e.collector, e.job")
        case .stateSnapshot: return select("", "", "e.at, e.block")
        }
    }
}
