import Foundation
import Testing

/// Goal: the standard routes tell the past byte for byte as they told it when it was the present.
///
/// Method: a real process under churn; the answers of several revisions are kept and asked for again later.
@Suite struct PastAnswersTests {
    private static let jobs = """
            - {job_name: shop, file_sd_configs: [{files: [TARGETS/shop*.json]}], basic_auth: {username: u, password: p}}
            - {job_name: "a b/ü", file_sd_configs: [{files: [TARGETS/depot*.json]}]}
        """
    private static let collectors = ["one", "two", "three", "nobody"]

    private func process(ledger: String = "") throws -> AllocatorProcess {
        let process = try AllocatorProcess(jobs: Self.jobs, ledger: ledger)
        let config = process.folder.appending(path: "config.yaml")
        let text = try String(contentsOf: config, encoding: .utf8)
        try text.replacing("TARGETS", with: process.folder.appending(path: "targets").path())
            .write(to: config, atomically: true, encoding: .utf8)
        return process
    }

    private static let routes =
        ["/jobs", "/scrape_configs"]
        + ["shop", "a%20b%2F%C3%BC", "unknown"].flatMap { job in
            ["/jobs/\(job)/targets"] + collectors.map { "/jobs/\(job)/targets?collector_id=\($0)" }
        }

    /// Every answer of now, if no revision came between.
    private func present(_ process: AllocatorProcess) throws -> (revision: Int, bodies: [String: [UInt8]])? {
        var bodies: [String: [UInt8]] = [:]
        var revisions: Set<Int> = []
        for route in Self.routes {
            let answer = try process.get(route)
            #expect(answer.status == 200, "\(route)")
            bodies[route] = answer.body
            revisions.insert(answer.revision ?? -1)
        }
        return revisions.count == 1 ? revisions.first.map { ($0, bodies) } : nil
    }

    @Test("Every answer of each revision comes again, by revision and by time")
    @ProcessTests func bytes() throws {
        let process = try process()
        try process.write(collectors: ["one", "two"])
        try process.write(
            file: "shop.json", addresses: (0..<20).map { "10.0.0.\($0):80" }, labels: ["text": "a\\\"b<ü&"])
        try process.write(file: "depot.json", addresses: (0..<5).map { "10.1.0.\($0):80" })
        try process.start()
        try process.wait(for: "/jobs") { $0.text.contains("a b") && $0.text.contains("shop") }
        var seen: [Int: [String: [UInt8]]] = [:]
        for step in 0..<5 {
            if let (revision, bodies) = try present(process) { seen[revision] = bodies }
            let before = try process.get("/jobs").revision ?? 0
            switch step {
            case 0: try process.write(collectors: ["one", "two", "three"])
            case 1: try process.write(file: "shop.json", addresses: (5..<30).map { "10.0.0.\($0):80" })
            case 2: try process.write(collectors: ["two"])
            case 3: try process.write(file: "depot.json", addresses: [])
            default: try process.write(collectors: ["three", "one"])
            }
            try process.wait(for: "/jobs") { ($0.revision ?? 0) > before }
        }
        #expect(seen.count >= 4)
        for (revision, bodies) in seen {
            let told = try process.get("/api/v1/revisions/\(revision)")
            let object = try JSONSerialization.jsonObject(with: Data(told.body)) as? [String: Any]
            let at = try #require(object?["at"] as? String)
            for (route, body) in bodies {
                let separator = route.contains("?") ? "&" : "?"
                for moment in ["revision=\(revision)", "at=\(at)", "at=\(revision)"] {
                    let answer = try process.get(route + separator + moment)
                    #expect(answer.status == 200)
                    #expect(
                        answer.body == body,
                        "\(route) \(moment): \(answer.text.prefix(200)) not \(String(decoding: body.prefix(200), as: UTF8.self))"
                    )
                    #expect(answer.revision == revision)
                }
            }
        }
        let questions: [(path: String, status: Int, parameter: String?)] = [
            ("/jobs?at=yesterday", 400, "at"), ("/jobs?revision=0", 400, "revision"),
            ("/jobs?revision=1&at=2026-11-20T00:00:00Z", 400, "revision"), ("/jobs?revision=99999", 404, nil),
            ("/jobs?at=2001-01-01T00:00:00Z", 404, nil),
            ("/jobs/shop/targets?collector_id=%ff&at=1", 400, "collector_id"),
            ("/jobs/%ff/targets?at=1", 400, "job"), ("/scrape_configs?at=1&job=x", 400, "job"),
        ]
        for question in questions {
            let answer = try process.get(question.path)
            #expect(answer.status == question.status, "\(question.path): \(answer.text)")
            let problem = try JSONSerialization.jsonObject(with: Data(answer.body)) as? [String: Any]
            #expect(problem?["parameter"] as? String == question.parameter, "\(question.path)")
        }
        process.stop()
    }

    @Test("Where the history needs a token, so does the past; the present does not")
    @ProcessTests func tokens() throws {
        let port = try PlainHTTP.freePort()
        let process = try process(
            ledger: "  collectors: {static: [one]}\n  history_api: {listen_addr: ':\(port)', "
                + "bearer_token_files: [TARGETS/../token]}")
        try process.write("token", "correct-horse-battery-staple\n")
        try process.write(file: "shop.json", addresses: ["a:1"])
        try process.write(file: "depot.json", addresses: ["b:1"])
        try process.start()
        let present = try process.wait(for: "/jobs") { $0.text.contains("shop") && $0.text.contains("a b") }
        let revision = try #require(present.revision)
        let elsewhere = try process.get("/jobs?revision=\(revision)")
        #expect(elsewhere.status == 404)
        #expect(elsewhere.text.contains("history API"))
        #expect(try PlainHTTP.get(port: port, "/jobs?revision=\(revision)").status == 401)
        let right = try PlainHTTP.get(
            port: port, "/jobs?revision=\(revision)", headers: ["Authorization": "Bearer correct-horse-battery-staple"])
        #expect(right.body == present.body)
        process.stop()
    }
}
