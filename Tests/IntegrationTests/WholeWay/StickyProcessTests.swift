import Foundation
import Testing

/// Goal: `sticky` as a user has it: taken up from another strategy by the fewest moves, unmoved by a restart, evened out in
/// bounded steps on request, and explained.
///
/// Method: a real process whose configuration file is replaced while it is down and while it runs; the ledger is read with
/// psql.
@Suite struct StickyProcessTests {
    private static let addresses = (0..<61).map { "10.0.0.\($0):80" }
    private static let jobs =
        "    - {job_name: shop, static_configs: [{targets: ["
        + addresses.map { "'\($0)'" }.joined(separator: ", ") + "]}]}"

    private static let loads = """
        SELECT count(*) FROM ledger.current_target t JOIN ledger.collector c ON c.id = t.collector GROUP BY c.name
        ORDER BY 1
        """
    private static let last = "SELECT max(revision) FROM ledger.revision"

    @Test("Taken up at a start, kept through a restart, evened out in steps, and explained")
    @ProcessTests func life() throws {
        let process = try AllocatorProcess(jobs: Self.jobs)
        let ledger = LedgerInspection(process: process)
        let plain = try String(contentsOf: process.folder.appending(path: "config.yaml"), encoding: .utf8)
        try process.write(collectors: ["one", "two", "three"])
        try process.start()
        try process.wait(for: "/jobs/shop/targets") { $0.text.contains("10.0.0.60:80") }
        let byRing = try ledger.rows(Self.loads).compactMap { Int($0[0]) }
        #expect(process.stop() == 0)

        // Another strategy while it is down: recorded as such, with the fewest moves.
        let sticky = "allocation_strategy: sticky\n" + plain
        try process.write("config.yaml", sticky)
        try process.start()
        try waitFor("strategy", 1, process)
        #expect(try ledger.rows(Self.loads).map { $0[0] } == ["20", "20", "21"])
        let moves = try ledger.rows(
            """
            SELECT v.cause_detail, r.name, count(*) FROM ledger.target_event e
            JOIN ledger.revision v ON v.revision = e.revision JOIN ledger.reason r ON r.code = e.reason
            WHERE v.cause = 'strategy' GROUP BY 1, 2
            """)
        let fewest = byRing.map { max(0, $0 - 20) }.reduce(0, +) - 1
        #expect(moves == [["consistent-hashing v1 → sticky", "strategy_changed", "\(fewest)"]])

        // A restart moves nothing.
        let before = try process.get("/jobs/shop/targets").body
        #expect(process.stop() == 0)
        let events = try eventCount(process, restarting: true)
        #expect(try process.get("/jobs/shop/targets").body == before)
        #expect(try eventCount(process, restarting: false) == events)

        // Five at a time, and the rest without anything else happening.
        try process.write("config.yaml", sticky + "\n  sticky: {max_moves_per_revision: 5}\n")
        try waitFor("strategy", 2, process)
        #expect(
            try ledger.value(
                "SELECT cause_detail FROM ledger.revision WHERE cause = 'strategy' ORDER BY revision DESC LIMIT 1")
                == "sticky → sticky (max_moves_per_revision: 5)")
        try process.write(collectors: ["one", "two", "three", "four"])
        try waitFor("strategy", 4, process)
        #expect(try ledger.rows(Self.loads).map { $0[0] } == ["15", "15", "15", "16"])
        let steps = try ledger.rows(
            """
            SELECT v.cause, r.name, count(*) FROM ledger.target_event e
            JOIN ledger.revision v ON v.revision = e.revision JOIN ledger.reason r ON r.code = e.reason
            WHERE r.name IN ('collector_joined', 'rebalanced') GROUP BY v.revision, 1, 2 ORDER BY v.revision
            """)
        #expect(
            steps == [
                ["membership", "collector_joined", "5"], ["strategy", "rebalanced", "5"],
                ["strategy", "rebalanced", "5"],
            ])

        let moved = try ledger.value(
            """
            SELECT t.address FROM ledger.target_event e JOIN ledger.target t ON t.id = e.target
            JOIN ledger.reason r ON r.code = e.reason WHERE r.name = 'rebalanced' ORDER BY e.revision DESC LIMIT 1
            """)
        let why = try process.run(["why", moved])
        #expect(why.status == 0)
        #expect(why.output.contains("because the load was evened out"), "\(why.output)")
        #expect(
            why.output.contains(
                "The strategy sticky (max_moves_per_revision: 5) keeps every collector within one target of the others"),
            "\(why.output)")
        #expect(why.output.contains("four had 15 of 61 targets, and 4 collectors had 15 to 16 each"), "\(why.output)")
        #expect(process.stop() == 0)
        #expect(try process.run(["verify"]).output.contains("OK"))
    }

    /// Waits for so many revisions of a cause.
    private func waitFor(_ cause: String, _ count: Int, _ process: AllocatorProcess) throws {
        let ledger = LedgerInspection(process: process)
        try process.wait { _ in
            (try? ledger.value("SELECT count(*) FROM ledger.revision WHERE cause = '\(cause)'")) == "\(count)"
        }
    }

    /// Events of targets so far, once discovery has shown in this process what there is.
    private func eventCount(_ process: AllocatorProcess, restarting: Bool) throws -> String {
        if restarting { try process.start() }
        try process.wait()
        try process.wait(for: "/metrics") { $0.text.contains(/opentelemetry_allocator_targets_per_collector/) }
        return try LedgerInspection(process: process).value("SELECT count(*) FROM ledger.target_event")
    }
}
