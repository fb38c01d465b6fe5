import Foundation
import Glibc
import Testing

/// Goal: the history API tells of each revision what was served at it, page by page, and says what is wrong with a
/// question.
///
/// Method: a real process under churn; what it served at each revision is kept and compared with what it tells later.
@Suite struct HistoryAPITests {
    private static let jobs = """
            - {job_name: shop, file_sd_configs: [{files: [TARGETS/shop*.json]}]}
            - {job_name: depot, file_sd_configs: [{files: [TARGETS/depot*.json]}]}
        """
    private static let collectors = ["one", "two", "three", "four"]

    private func process(ledger: String = "") throws -> AllocatorProcess {
        let process = try AllocatorProcess(jobs: Self.jobs, ledger: ledger)
        let config = process.folder.appending(path: "config.yaml")
        let text = try String(contentsOf: config, encoding: .utf8)
        try text.replacing("TARGETS", with: process.folder.appending(path: "targets").path())
            .write(to: config, atomically: true, encoding: .utf8)
        return process
    }

    private func object(_ answer: PlainAnswer) throws -> [String: Any] {
        try #require(
            try JSONSerialization.jsonObject(with: Data(answer.body)) as? [String: Any], "\(answer.text.prefix(300))")
    }

    private func items(_ answer: PlainAnswer) throws -> [[String: Any]] {
        try #require(try object(answer)["items"] as? [[String: Any]], "\(answer.text.prefix(300))")
    }

    /// Job, address → collector, as served now; and the revision that all of it was served at, if it was one.
    private func served(_ process: AllocatorProcess) throws -> (revision: Int, owners: [String: String])? {
        var owners: [String: String] = [:]
        var revisions: Set<Int> = []
        for job in ["shop", "depot"] {
            for collector in Self.collectors {
                let answer = try process.targets(job: job, collector: collector)
                revisions.insert(answer.revision ?? -1)
                let groups = try JSONSerialization.jsonObject(with: Data(answer.body)) as? [[String: Any]]
                for group in groups ?? [] {
                    for target in group["targets"] as? [String] ?? [] { owners["\(job) \(target)"] = collector }
                }
            }
        }
        return revisions.count == 1 ? revisions.first.map { ($0, owners) } : nil
    }

    private func told(_ process: AllocatorProcess, at revision: Int) throws -> [String: String] {
        var owners: [String: String] = [:]
        var path: String? = "/api/v1/state?revision=\(revision)&labels=false&limit=7"
        while let next = path {
            let answer = try process.get(next)
            for item in try items(answer) {
                let target = item["target"] as? [String: Any]
                guard let collector = item["collector"] as? String else { continue }
                owners["\(target?["job"] ?? "") \(target?["address"] ?? "")"] = collector
            }
            path = answer.headers["link"].flatMap { link in
                link.firstMatch(of: /<(.*)>; rel="next"/).map { String($0.1) }
            }
        }
        return owners
    }

    /// Moves without what still becomes known of them: a collector's first fetch comes in after the move.
    private func settled(_ moves: [[String: Any]]) -> [[String: Any]] {
        let evidence: Set = [
            "ownerless_seconds", "doubly_owned_seconds", "learned_by_new_at", "learned_by_old_at", "old_left_at",
            "fetched_by",
        ]
        return moves.map { $0.filter { field, _ in !evidence.contains(field) } }
    }

    @Test("Each revision's state is what was served at it; pages join to the whole; moves count up")
    @ProcessTests func states() throws {
        let process = try process()
        try process.write(collectors: ["one", "two"])
        try process.write(file: "shop.json", addresses: (0..<30).map { "10.0.0.\($0):80" })
        try process.write(file: "depot.json", addresses: (0..<9).map { "10.1.0.\($0):80" })
        try process.start()
        try process.wait(for: "/jobs") { $0.text.contains("depot") && $0.text.contains("shop") }
        var seen: [Int: [String: String]] = [:]
        for step in 0..<8 {
            let before = try process.get("/jobs").revision ?? 0
            switch step % 4 {
            case 0: try process.write(collectors: Array(Self.collectors.prefix(2 + step / 2 % 3)) + ["four"])
            case 1: try process.write(file: "shop.json", addresses: (step..<34).map { "10.0.0.\($0):80" })
            case 2: try process.write(collectors: ["one", "three"])
            default: try process.write(file: "depot.json", addresses: (step..<12).map { "10.1.0.\($0):80" })
            }
            try process.wait(for: "/jobs") { ($0.revision ?? 0) > before }
            if let (revision, owners) = try served(process) { seen[revision] = owners }
        }
        #expect(seen.count >= 4)
        for (revision, owners) in seen {
            #expect(try told(process, at: revision) == owners, "revision \(revision)")
        }

        // Pages of three join to what one page tells; no move twice, newest first.
        let whole = try items(process.get("/api/v1/moves?limit=10000"))
        var paged: [[String: Any]] = []
        var cursor: String?
        repeat {
            let answer = try process.get("/api/v1/moves?limit=3" + (cursor.map { "&cursor=\($0)" } ?? ""))
            paged += try items(answer)
            cursor = try object(answer)["next"] as? String
        } while cursor != nil
        #expect(NSArray(array: settled(paged)) == NSArray(array: settled(whole)))
        let revisions = whole.compactMap { $0["revision"] as? Int }
        #expect(revisions == revisions.sorted(by: >))

        // A difference of two states is what their maps say.
        let (first, last) = (seen.keys.min() ?? 0, seen.keys.max() ?? 0)
        let differences = try items(process.get("/api/v1/diff?from=\(first)&to=\(last)&limit=10000"))
        let (before, after) = (seen[first] ?? [:], seen[last] ?? [:])
        #expect(differences.count == Set(before.keys).union(after.keys).filter { before[$0] != after[$0] }.count)

        // Who read it stands in the ledger.
        let ledger = LedgerInspection(process: process)
        for _ in 0..<200 where try ledger.value("SELECT count(*) > 5 FROM ledger.access") != "t" { usleep(20_000) }
        #expect(
            try ledger.rows("SELECT DISTINCT who, route FROM ledger.access WHERE route LIKE '%diff'") == [
                ["anonymous", "/api/v1/diff"]
            ])
        process.stop()
    }

    @Test("A question that cannot be answered is told why, and by which parameter")
    @ProcessTests func refusals() throws {
        let process = try process()
        try process.write(collectors: ["one"])
        try process.write(file: "shop.json", addresses: ["a:1"])
        try process.start()
        try process.wait(for: "/jobs") { $0.text.contains("shop") }
        let questions: [(path: String, status: Int, parameter: String?, detail: String)] = [
            ("/api/v1/moves?sinc=2", 400, "sinc", "did you mean since?"),
            ("/api/v1/moves?since=tomorrow", 400, "since", "expected a time"),
            ("/api/v1/moves?limit=0", 400, "limit", "allowed is 1 to 10000"),
            ("/api/v1/moves?limit=1&limit=2", 400, "limit", "more than once"),
            ("/api/v1/moves?cursor=zzz", 400, "cursor", "not one that this list has given"),
            ("/api/v1/moves?reason=boredom", 400, "reason", "allowed are discovered"),
            ("/api/v1/moves?match[]=%7Ba=~%22(%22%7D", 400, "match[]", "missing closing )"),
            ("/api/v1/moves?match[]=job", 400, "match[]", "at character 1"),
            ("/api/v1/moves?job=%ff", 400, "job", "not UTF-8"),
            ("/api/v1/moves?since=2026-11-20T00:00:00Z&until=2026-11-19T00:00:00Z", 400, "until", "not after"),
            ("/api/v1/state?at=99999", 404, nil, "not written yet; the latest is"),
            ("/api/v1/state?at=2001-01-01T00:00:00Z", 404, nil, "begins with revision 1"),
            ("/api/v1/revisions/0", 400, "revision", "from 1 on"),
            ("/api/v1/diff", 400, "from", "is missing"),
            ("/api/v1/why?target=12", 404, nil, "never seen"),
            ("/api/v1/collectors/nobody/history", 404, nil, "never seen"),
            ("/api/v1/events?since=3", 400, "since", "Last-Event-ID"),
            ("/api/v1/nothing", 404, nil, "/openapi.json"),
        ]
        for question in questions {
            let answer = try process.get(question.path)
            #expect(answer.status == question.status, "\(question.path): \(answer.text)")
            #expect(answer.headers["content-type"] == "application/problem+json")
            let problem = try object(answer)
            #expect(problem["parameter"] as? String == question.parameter, "\(question.path)")
            #expect((problem["detail"] as? String)?.contains(question.detail) == true, "\(answer.text)")
        }
        // Also what was refused stands in the ledger, with how it was answered.
        let ledger = LedgerInspection(process: process)
        let sql = "SELECT DISTINCT status FROM ledger.access WHERE route = '/api/v1/moves' ORDER BY 1"
        for _ in 0..<200 where try ledger.rows(sql) != [["400"]] { usleep(20_000) }
        #expect(try ledger.rows(sql) == [["400"]])
        process.stop()
    }

    @Test("Live events come whole, in order and once, and go on where a client was")
    @ProcessTests func events() throws {
        let process = try process()
        try process.write(collectors: ["one", "two"])
        try process.write(file: "shop.json", addresses: ["a:1", "b:1"])
        try process.start()
        try process.wait(for: "/jobs") { $0.text.contains("shop") }
        let first = try process.get("/jobs").revision ?? 0
        for number in 0..<5 {
            let before = try process.get("/jobs").revision ?? 0
            try process.write(file: "shop.json", addresses: (0...(number + 3)).map { "c\($0):1" })
            try process.wait(for: "/jobs") { ($0.revision ?? 0) > before }
        }
        let last = try process.get("/jobs").revision ?? 0
        #expect(last >= first + 5)
        let told = try PlainHTTP.read(port: process.port, "/api/v1/events", headers: ["Last-Event-ID": "1"]) {
            $0.contains("id: \(last)\ndata: {") && $0.hasSuffix("\n\n\r\n")
        }
        let ids = try #require(told).matches(of: /id: (\d+)\ndata: \{/).compactMap { Int($0.1) }
        #expect(ids == Array(2...last))

        // Somebody who listens hears of the next at once, with its targets.
        try process.write(file: "shop.json", addresses: ["z:1"])
        let next = try PlainHTTP.read(port: process.port, "/api/v1/events", headers: ["Last-Event-ID": "\(last)"]) {
            $0.contains("id: \(last + 1)\ndata: {")
        }
        #expect(next?.contains(#""address":"z:1""#) == true)

        let future = try process.get("/api/v1/events", headers: ["Last-Event-ID": "\(last + 50)"])
        #expect(future.status == 404)
        process.stop()
    }

    @Test("On a listener of its own the history needs a token, and the standard API none")
    @ProcessTests func tokens() throws {
        let port = try PlainHTTP.freePort()
        let process = try process(
            ledger: "  collectors: {static: [one]}\n  history_api: {listen_addr: ':\(port)', "
                + "bearer_token_files: [TARGETS/../token]}")
        try process.write("token", "correct-horse-battery-staple\n")
        try process.write(file: "shop.json", addresses: ["a:1"])
        try process.start()
        try process.wait(for: "/jobs") { $0.text.contains("shop") }
        #expect(try process.get("/api/v1/revisions").status == 404)
        #expect(try process.get("/jobs").status == 200)
        let refused = try PlainHTTP.get(port: port, "/api/v1/revisions")
        #expect(refused.status == 401)
        #expect(refused.headers["www-authenticate"] == "Bearer")
        let wrong = try PlainHTTP.get(
            port: port, "/api/v1/revisions", headers: ["Authorization": "Bearer correct-horse"])
        #expect(wrong.status == 401)
        let right = try PlainHTTP.get(
            port: port, "/api/v1/revisions", headers: ["Authorization": "Bearer correct-horse-battery-staple"])
        #expect(right.status == 200)
        #expect(try items(right).isEmpty == false)
        #expect(!process.log.contains("correct-horse"))
        process.stop()
    }
}
