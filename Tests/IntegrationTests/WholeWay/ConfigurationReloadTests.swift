import Foundation
import Testing

/// Goal: a changed configuration file is in force without a restart, as one revision; a bad one changes nothing and says
/// what is wrong.
///
/// Method: a real process whose file is replaced; answers, ledger, metrics and log are looked at.
@Suite struct ConfigurationReloadTests {
    private static func configuration(
        _ process: AllocatorProcess, jobs: String, collectors: String, strategy: String
    ) -> String {
        """
        listen_addr: 127.0.0.1:\(process.port)
        \(strategy)
        config:
          scrape_configs:
        \(jobs)
        ledger:
          embedded: {data_directory: \(process.folder.path())/data}
          collectors: {static: [\(collectors)]}
        """
    }

    private static let shop = "    - {job_name: shop, static_configs: [{targets: ['a:1', 'b:1', 'c:1', 'd:1']}]}"
    private static let depot = "    - {job_name: depot, static_configs: [{targets: ['e:1']}]}"

    @Test("A valid file is taken over job by job; an invalid one leaves everything as it was")
    @ProcessTests func reload() throws {
        let process = try AllocatorProcess(jobs: Self.shop)
        func write(_ jobs: String, collectors: String = "a, b", strategy: String = "") throws {
            try process.write(
                "config.yaml",
                Self.configuration(process, jobs: jobs, collectors: collectors, strategy: strategy))
        }
        let ledger = LedgerInspection(process: process)
        try write(Self.shop)
        try process.start()
        let first = try process.wait(for: "/jobs/shop/targets") { $0.text.contains("d:1") }

        // A mistake in line 6, and a secret beside it.
        try write(
            Self.shop + "\n    - {job_name: depot, scrape_interval: 10 parsecs, basic_auth: {password: hunter2}}")
        try process.wait(for: "/metrics") {
            $0.text.contains("target_ledger_configuration_last_reload_successful 0")
        }
        #expect(try process.get("/jobs/shop/targets").body == first.body)
        #expect(process.log.contains("config.yaml:6:"))
        #expect(process.log.contains("10 parsecs"))
        #expect(!process.log.contains("hunter2"))
        #expect(process.isRunning)

        // Mended: a job more, and only that.
        try write(Self.shop + "\n" + Self.depot)
        try process.wait(for: "/jobs/depot/targets") { $0.status == 200 && $0.text.contains("e:1") }
        #expect(try process.get("/jobs/shop/targets").body == first.body)
        #expect(try process.get("/scrape_configs").text.contains("depot"))
        #expect(try process.get("/metrics").text.contains("target_ledger_configuration_last_reload_successful 1"))

        // Other collectors, other rules, one job less: each has its cause.
        try write(Self.shop, collectors: "a, b, c")
        try process.wait(for: "/jobs") { !$0.text.contains("depot") }
        try process.wait(for: "/metrics") {
            $0.text.contains(/opentelemetry_allocator_collectors_discovered\{[^}]*\} 3\n/)
        }
        try write(
            Self.shop.replacing(
                "]}]}",
                with: "]}], relabel_configs: [{source_labels: [__address__], "
                    + "regex: 'a:1', action: drop}]}"), collectors: "a, b, c")
        try process.wait(for: "/jobs/shop/targets") { !$0.text.contains("a:1") && $0.text.contains("b:1") }
        try write(Self.shop, collectors: "a, b, c", strategy: "allocation_strategy: least-weighted")
        try process.wait(for: "/jobs/shop/targets") { $0.text.contains("a:1") }

        let causes = try ledger.rows("SELECT cause FROM ledger.revision ORDER BY revision").map { $0[0] }
        #expect(Array(causes.prefix(3)) == ["bootstrap", "membership", "discovery"])
        #expect(causes.filter { $0 == "configuration" }.count == 4)
        #expect(causes.filter { $0 == "strategy" }.count == 1)
        let reasons = try ledger.rows(
            """
            SELECT DISTINCT r.name FROM ledger.target_event e JOIN ledger.reason r ON r.code = e.reason
            JOIN ledger.revision v ON v.revision = e.revision WHERE v.cause = 'configuration'
            """)
        #expect(reasons == [["job_removed"]])
        let reloads = try ledger.rows(
            """
            SELECT outcome || ' ' || coalesce(error, '') FROM (SELECT * FROM ledger.discovery_report
                UNION ALL SELECT * FROM ledger.discovery_run) r WHERE provider = 'configuration' ORDER BY first_at
            """
        ).map { $0[0] }
        #expect(reloads.count == 2)
        #expect(reloads.first?.contains("config.yaml:6:") == true)
        #expect(reloads.last == "succeeded ")
        #expect(process.stop() == 0)
        #expect(try process.run(["verify"]).output.contains("OK"))
    }
}
