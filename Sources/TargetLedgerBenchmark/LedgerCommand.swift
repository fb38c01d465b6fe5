//
// LedgerCommand.swift: what recording costs, in time beside psql and in bytes.
//

import ArgumentParser
import Foundation
import PostgresDriver

/// Commit of many discoveries beside `psql \copy` of the rows that it leaves, and the size of those rows.
struct LedgerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ledger", abstract: "Commit of discoveries beside psql \\copy of the same rows; bytes per event.")

    @Option(help: "Numbers of targets.")
    var targets: [Int] = [100_000]

    @Option(help: "Runs, after one that is not counted; the median is shown.")
    var runs = 5

    @Option(help: "Number of collectors.")
    var collectors = 10

    /// Tables that the append of discoveries writes rows into, in its order.
    private static let tables = ["job", "collector", "label", "label_set", "target", "target_event", "current_target"]
    private static let dictionaries = ["job", "label", "label_set", "target"]

    private struct Run {
        var append: Double
        var copyText: Double
        var copyBinary: Double
        var eventBytes: Double
        var dictionaryBytes: Double
        var rows: Int64
    }

    func run() async throws {
        var times = FigureTable(
            "discoveries", "rows", "commit", "\\copy (text)", "commit / \\copy", "\\copy (binary)",
            "commit / \\copy (binary)")
        var sizes = FigureTable("targets", "bytes per event, indices included", "bytes per target in dictionaries")
        try await BenchmarkCluster.with { cluster in
            for count in targets {
                var all: [Run] = []
                for number in 0...runs {
                    all.append(
                        try await cluster.withLedger("ledger_\(count)_\(number)") { try await measure(count, $0) })
                }
                // The first writes the log's segments anew, the others find them there.
                all.removeFirst(runs > 0 ? 1 : 0)
                times.add(
                    "\(count)", "\(all[0].rows)", secondsText(all.map(\.append).median),
                    secondsText(all.map(\.copyText).median),
                    ratioText(all.map { $0.append / $0.copyText }.median),
                    secondsText(all.map(\.copyBinary).median),
                    ratioText(all.map { $0.append / $0.copyBinary }.median))
                sizes.add(
                    "\(count)", String(format: "%.1f", all.map(\.eventBytes).median),
                    String(format: "%.0f", all.map(\.dictionaryBytes).median))
            }
        }
        output(
            """
            Commit: one append of that many new targets of 41 labels, dictionaries included, until PostgreSQL has it on \
            disk.
            \\copy: psql's, of the very rows that the ledger then holds (\(Self.tables.joined(separator: ", "))), from \
            files
            into empty tables of the same columns, primary keys and indices, in the same database. Median of \(runs) runs.

            """)
        times.write()
        sizes.write()
    }

    private func measure(_ count: Int, _ ledger: BenchmarkLedger) async throws -> Run {
        let append = try await ledger.fill(targets: count, collectors: collectors).seconds
        func file(_ table: String, _ format: String) -> String {
            ledger.cluster.folder.appending(path: "\(table).\(format)").path()
        }
        var seconds: [String: Double] = [:]
        for format in ["text", "binary"] {
            try await ledger.script(
                "CREATE SCHEMA copy_\(format);"
                    + Self.tables.map { "CREATE TABLE copy_\(format).\($0) (LIKE ledger.\($0) INCLUDING ALL);" }
                    .joined())
            _ = try await ledger.psql(
                Self.tables.map {
                    "\\copy (SELECT * FROM ledger.\($0)) TO '\(file($0, format))' (FORMAT \(format))"
                })
            try await ledger.script("CHECKPOINT")
            seconds[format] = try await ledger.psql(
                Self.tables.map { "\\copy copy_\(format).\($0) FROM '\(file($0, format))' (FORMAT \(format))" })
        }
        let rows = try await ledger.number(
            SQL(
                unsafeSQL: "SELECT " + Self.tables.map { "(SELECT count(*) FROM ledger.\($0))" }.joined(separator: "+"))
        )
        let copied = try await ledger.number(
            SQL(
                unsafeSQL: "SELECT "
                    + Self.tables.map { "(SELECT count(*) FROM copy_text.\($0))" }.joined(separator: "+")))
        precondition(rows == copied, "\(rows) rows in the ledger, \(copied) copied")
        let eventBytes = try await ledger.number(
            """
            SELECT sum(pg_total_relation_size(relid))::bigint FROM pg_partition_tree('ledger.target_event') WHERE isleaf
            """)
        let events = try await ledger.number("SELECT count(*) FROM ledger.target_event")
        let dictionaryBytes = try await ledger.number(
            SQL(
                unsafeSQL: "SELECT "
                    + Self.dictionaries.map { "pg_total_relation_size('ledger.\($0)')" }.joined(separator: "+")))
        return Run(
            append: append, copyText: seconds["text"] ?? 0, copyBinary: seconds["binary"] ?? 0,
            eventBytes: Double(eventBytes) / Double(events), dictionaryBytes: Double(dictionaryBytes) / Double(count),
            rows: rows)
    }
}
