import Foundation
import Glibc
import Testing

/// Goal: what collectors fetch is evidence in the ledger, once for each change, and recording it is in nobody's way.
///
/// Method: a real process that is asked, killed, started again, and left without its database.
@Suite struct DeliveryEvidenceTests {
    private static let jobs = """
            - {job_name: shop, file_sd_configs: [{files: [TARGETS/shop*.json]}]}
            - {job_name: depot, file_sd_configs: [{files: [TARGETS/depot*.json]}]}
        """

    private func process() throws -> AllocatorProcess {
        let process = try AllocatorProcess(jobs: Self.jobs)
        let config = process.folder.appending(path: "config.yaml")
        let text = try String(contentsOf: config, encoding: .utf8)
        try text.replacing("TARGETS", with: process.folder.appending(path: "targets").path())
            .write(to: config, atomically: true, encoding: .utf8)
        return process
    }

    private func wait(_ ledger: LedgerInspection, _ sql: String, for expected: String) throws {
        var last = ""
        let deadline = ContinuousClock.now + .seconds(60)
        while .now < deadline {
            last = (try? ledger.value(sql)) ?? "no answer"
            if last == expected { return }
            usleep(20_000)
        }
        Issue.record("\(sql) is \(last), not \(expected)")
    }

    private static let rows = "SELECT count(*) FROM ledger.delivery"

    @Test("A thousand fetches are one row, also across a kill; a change is another; moves tell who learned when")
    @ProcessTests func evidence() throws {
        let process = try process()
        let ledger = LedgerInspection(process: process)
        try process.write(collectors: ["one", "two"])
        try process.write(file: "shop.json", addresses: (0..<40).map { "10.0.0.\($0):80" })
        try process.write(file: "depot.json", addresses: ["10.1.0.1:80"])
        try process.start()
        try process.wait(for: "/jobs") { $0.text.contains("depot") && $0.text.contains("shop") }
        for _ in 0..<1000 { #expect(try process.targets(job: "shop", collector: "one").status == 200) }
        _ = try process.targets(job: "shop", collector: "two")
        try wait(ledger, Self.rows, for: "2")

        process.kill()
        try process.start()
        try process.wait(for: "/jobs") { $0.text.contains("shop") }
        for _ in 0..<10 {
            for name in ["one", "two"] { _ = try process.targets(job: "shop", collector: name) }
        }
        // The next change is recorded behind whatever was fetched before it.
        let before = try process.get("/jobs").revision ?? 0
        try process.write(collectors: ["one", "two", "three"])
        // The new term is a revision of its own.
        let changes = "FROM ledger.revision WHERE revision > \(before) AND cause = 'membership'"
        try wait(ledger, "SELECT count(*) \(changes)", for: "1")
        let joined = try #require(Int(try ledger.value("SELECT max(revision) \(changes)")))
        try process.wait(for: "/jobs") { ($0.revision ?? 0) >= joined }
        let pages = [
            "/history/moves?collector=three&job=shop", "/history/target?identity=\(try firstMove(process))&job=shop",
            "/history/report",
        ]
        for page in pages { #expect(try process.get(page).text.contains("not known yet"), "\(page)") }
        for name in ["one", "three", "two"] { _ = try process.targets(job: "shop", collector: name) }
        try wait(ledger, "\(Self.rows) WHERE revision = \(joined)", for: "3")
        try wait(ledger, Self.rows, for: "5")

        let answer = try process.get("/api/v1/moves?collector=three&job=shop")
        let page = try #require(try JSONSerialization.jsonObject(with: Data(answer.body)) as? [String: Any])
        let moves = try #require(page["items"] as? [[String: Any]])
        #expect(!moves.isEmpty)
        for move in moves {
            let seconds = (
                ownerless: try #require(move["ownerless_seconds"] as? Double, "\(move)"),
                double: try #require(move["doubly_owned_seconds"] as? Double)
            )
            // One asked before the newcomer, two after it.
            #expect((move["from"] as? String == "one") == (seconds.ownerless > 0), "\(move)")
            #expect((move["from"] as? String == "two") == (seconds.double > 0), "\(move)")
        }
        for page in pages {
            let text = try process.get(page).text
            #expect(
                text.contains(/>[0-9][^<]* without a collector</) && text.contains(/>[0-9][^<]* with two</), "\(page)")
            // Nobody asks for the other job, which the report has too.
            #expect(text.contains("not known yet") == (page == "/history/report"), "\(page)")
        }
        process.stop()
    }

    /// The identity of a target that came to the newcomer.
    private func firstMove(_ process: AllocatorProcess) throws -> String {
        let answer = try process.get("/api/v1/moves?collector=three&job=shop")
        return String(try #require(answer.text.firstMatch(of: /"identity":"([0-9]+)"/)).1)
    }

    @Test("Without a database collectors are answered as fast as ever, and what they fetch is recorded later")
    @ProcessTests func outage() throws {
        let process = try process()
        let ledger = LedgerInspection(process: process)
        try process.write(collectors: ["one"])
        try process.write(file: "shop.json", addresses: ["10.0.0.1:80"])
        try process.write(file: "depot.json", addresses: ["10.1.0.1:80"])
        try process.start()
        try process.wait(for: "/jobs") { $0.text.contains("depot") && $0.text.contains("shop") }
        let postmaster = try #require(process.postmaster)
        // Stopped, it still takes connections and answers nothing: worse than one that is gone.
        kill(postmaster, SIGSTOP)
        defer { kill(postmaster, SIGCONT) }
        let start = ContinuousClock.now
        for _ in 0..<200 {
            #expect(try process.targets(job: "shop", collector: "one").status == 200)
            #expect(try process.targets(job: "depot", collector: "one").status == 200)
        }
        #expect(start.duration(to: .now) < .seconds(20))
        kill(postmaster, SIGCONT)
        try wait(ledger, Self.rows, for: "2")
        process.stop()
    }
}
