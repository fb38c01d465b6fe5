import Foundation
import Testing

/// Goal: every page of a running allocator answers, leads only to pages that answer, and shows hostile names as text.
///
/// Method: a real process on a real ledger with moves, relabelled targets, failed discovery and labels full of markup;
/// all links are followed from `/` and `/history` as a browser would.
@Suite struct WebPagesTests {
    private static let hostile = "<script>alert('x')</script>&\\\"<b>"
    private static let policy =
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
        + "frame-ancestors 'none'"

    private static let jobs = """
            - {job_name: 'shop <i>/0', file_sd_configs: [{files: [TARGETS/shop*.json]}]}
            - {job_name: depot, file_sd_configs: [{files: [TARGETS/depot*.json]}]}
            - {job_name: broken, http_sd_configs: [{url: 'http://127.0.0.1:1/sd', refresh_interval: 1s}]}
        """

    private func process(ledger: String = "") throws -> AllocatorProcess {
        let process = try AllocatorProcess(jobs: Self.jobs, ledger: ledger)
        let config = process.folder.appending(path: "config.yaml")
        try String(contentsOf: config, encoding: .utf8)
            .replacing("TARGETS", with: process.folder.appending(path: "targets").path())
            .write(to: config, atomically: true, encoding: .utf8)
        return process
    }

    /// A ledger with a bit of everything.
    private func live(_ process: AllocatorProcess) throws {
        try process.write(collectors: ["one", "two", "three"])
        try process.write(
            file: "shop.json", addresses: (0..<130).map { "10.0.0.\($0):80" }, labels: ["env": Self.hostile])
        try process.write(file: "depot.json", addresses: ["a:1", "b:1"])
        try process.start()
        try process.wait(for: "/jobs") { $0.text.contains("depot") && $0.text.contains("shop") }
        func change(_ body: () throws -> Void) throws {
            let before = try process.get("/jobs").revision ?? 0
            try body()
            try process.wait(for: "/jobs") { ($0.revision ?? 0) > before }
        }
        try change { try process.write(collectors: ["one", "three"]) }
        try change {
            try process.write(
                file: "shop.json", addresses: (3..<133).map { "10.0.0.\($0):80" },
                labels: ["env": Self.hostile + "2"])
        }
        try change { try process.write(collectors: ["one", "two", "three"]) }
        try process.wait(for: "/api/v1/jobs/broken/discoveries") { $0.text.contains("\"succeeded\":false") }
    }

    private func check(_ visit: PageCrawl.Visit) {
        let answer = visit.answer
        #expect(answer.status == 200, "\(visit.path), linked from \(visit.from): \(answer.text.prefix(400))")
        guard answer.headers["content-type"]?.hasPrefix("text/html") == true else { return }
        #expect(answer.headers["content-security-policy"] == Self.policy, "\(visit.path)")
        #expect(answer.headers["x-content-type-options"] == "nosniff", "\(visit.path)")
        #expect(answer.headers["referrer-policy"] == "no-referrer", "\(visit.path)")
        let text = answer.text
        for part in ["<script", "<b>", "<u>", "<i>", " style=", "alert('x')"] {
            #expect(!text.contains(part), "\(visit.path) holds \(part)")
        }
        for link in text.matches(of: /(?:href|src|action)="([^"]*)"/) {
            #expect(
                link.1.hasPrefix("/") && !link.1.hasPrefix("//") || link.1.hasPrefix("#"), "\(visit.path): \(link.1)")
        }
        #expect(text.contains(/Shows (the state at|what)/), "\(visit.path) does not say which revision it shows")
        #expect(text.contains("<h1>") && text.contains("class=\"skip\""), "\(visit.path)")
        #expect(text.utf8.count < 600_000, "\(visit.path) has \(text.utf8.count) bytes")
    }

    @Test("All links lead to pages that answer; hostile names are text; each page says which revision it shows")
    @ProcessTests func everyPage() throws {
        let process = try process()
        try live(process)
        let crawl = try PageCrawl(from: ["/", "/history"]) { try process.get($0) }
        for visit in crawl.visits { check(visit) }
        let paths = Set(crawl.visits.map { String($0.path.prefix { $0 != "?" }) })
        for path in [
            "/", "/jobs/depot/targets", "/debug/jobs", "/debug/job", "/debug/targets", "/debug/target",
            "/debug/collector", "/debug/scrape_configs", "/history", "/history/moves", "/history/revisions",
            "/history/revision", "/history/collectors", "/history/collector", "/history/jobs", "/history/job",
            "/history/discoveries", "/history/targets", "/history/target", "/history/why", "/history/diff",
            "/history/report", "/history/terms", "/history/replicas", "/history/gaps",
        ] {
            #expect(paths.contains(path), "no link leads to \(path)")
        }
        #expect(crawl.visits.count > 60)

        // The API's report is a page for browsers, and JSON for who asks for nothing else.
        let browser = ["Accept": "text/html,application/xhtml+xml,*/*;q=0.8"]
        check(
            PageCrawl.Visit(
                path: "/api/v1/report", from: "here", answer: try process.get("/api/v1/report", headers: browser)))
        #expect(try process.get("/api/v1/report").headers["content-type"] == "application/json")
        // As Markdown it is what the command prints.
        let window = "since=1&until=3"
        let markdown = try process.get("/api/v1/report?\(window)", headers: ["Accept": "text/markdown"])
        #expect(markdown.headers["content-type"] == "text/markdown; charset=utf-8")
        #expect(markdown.headers["vary"] == "Accept")
        let printed = try process.run(["report", "--since", "1", "--until", "3"])
        #expect(
            markdown.text == printed.output && markdown.text.hasPrefix("# What happened from "), "\(printed.errors)")

        // Reading pages is on record like reading the API.
        let ledger = LedgerInspection(process: process)
        let reads = "SELECT count(*) > 5 FROM ledger.access WHERE who = 'anonymous' AND route = '/history/why'"
        for _ in 0..<200 where try ledger.value(reads) != "t" { usleep(20_000) }
        #expect(try ledger.value(reads) == "t")
        process.stop()
    }

    @Test("Pages follow their cursors to the end, without a row twice")
    @ProcessTests func cursors() throws {
        let process = try process()
        try live(process)
        for (path, column) in [("/history/targets?job=shop+%3Ci%3E%2F0", "identity="), ("/history/moves", "at=")] {
            var next: String? = path
            var seen: [String] = []
            var pages = 0
            while let at = next, pages < 40 {
                let answer = try process.get(at)
                #expect(answer.status == 200)
                let part = answer.text.matches(of: /href="(\/history\/why[^"]*)"/).map { String($0.1) }
                #expect(part.count <= 50)
                seen += part
                pages += 1
                let more = PageCrawl.links(answer.text).filter { $0.contains("cursor=") }
                #expect(more.count <= 1, "\(at), by \(column)")
                next = more.first
            }
            #expect(pages > 2 && Set(seen).count == seen.count, "\(path): \(pages) pages, \(seen.count) rows")
        }
        process.stop()
    }

    @Test("What cannot be shown is said on a page, with the parameter")
    @ProcessTests func refusals() throws {
        let process = try process()
        try live(process)
        let questions: [(path: String, status: Int, text: String)] = [
            ("/history/moves?since=tomorrow", 400, "The parameter since is"),
            ("/history/moves?sinc=2h", 400, "did you mean since?"),
            ("/history/moves?match[]=%7Ba=~%22(%22%7D", 400, "match[]"),
            ("/history/moves?cursor=zzz", 400, "The parameter cursor"),
            ("/history/revision?number=99999", 404, "not written yet"),
            ("/history/revision", 400, "The parameter number is missing"),
            ("/history/target?identity=12", 404, "never seen"), ("/history/collector?name=nobody", 404, "never seen"),
            ("/history/job?name=%3Cnone%3E", 404, "never seen job &lt;none&gt;"),
            ("/history/collectors?at=2001-01-01", 404, "begins with revision 1"),
            ("/history/report?since=2h&until=3h", 400, "until"), ("/history/nothing", 404, "There is no page"),
            ("/debug/target?target_hash=x", 400, "target_hash"),
            ("/debug/collector?collector_id=x", 404, "no collector"),
        ]
        for question in questions {
            let answer = try process.get(question.path)
            #expect(answer.status == question.status, "\(question.path): \(answer.status)")
            #expect(answer.headers["content-type"] == "text/html; charset=utf-8", "\(question.path)")
            #expect(answer.headers["content-security-policy"] == Self.policy, "\(question.path)")
            #expect(answer.text.contains(question.text), "\(question.path): \(answer.text.suffix(900))")
        }
        process.stop()
    }

    @Test("With tokens a browser signs in once; its session opens the pages, and not the API")
    @ProcessTests func signIn() throws {
        let port = try PlainHTTP.freePort()
        let process = try process(
            ledger: "  collectors: {static: [one]}\n  history_api: {listen_addr: '127.0.0.1:\(port)', "
                + "bearer_token_files: [TARGETS/../token]}")
        try process.write("token", "correct-horse-battery-staple\n")
        try process.write(file: "depot.json", addresses: ["a:1"])
        try process.start()
        try process.wait(for: "/jobs") { $0.text.contains("depot") }

        // From the standard listener to the history's own.
        let led = try process.get("/history/moves?job=a")
        #expect(led.status == 307)
        #expect(led.headers["location"] == "http://localhost:\(port)/history/moves?job=a")

        let form = try PlainHTTP.get(port: port, "/history/moves?job=a")
        #expect(form.status == 401 && form.headers["content-security-policy"] == Self.policy)
        #expect(form.text.contains("type=\"password\""))
        #expect(form.text.contains("name=\"next\" value=\"/history/moves?job=a\""))
        let wrong = try PlainHTTP.post(port: port, "/history/sign-in", form: "token=wrong&next=%2Fhistory")
        #expect(wrong.status == 401 && wrong.headers["set-cookie"] == nil)
        let right = try PlainHTTP.post(
            port: port, "/history/sign-in", form: "token=correct-horse-battery-staple&next=%2Fhistory%2Fmoves%3Fjob%3Da"
        )
        #expect(right.status == 303 && right.headers["location"] == "/history/moves?job=a")
        let cookie = try #require(right.headers["set-cookie"])
        #expect(cookie.contains("; Path=/history; Max-Age=43200; HttpOnly; SameSite=Strict"))
        #expect(!cookie.contains("correct-horse"))
        let session = ["Cookie": "other=1; " + cookie.prefix { $0 != ";" }]
        let page = try PlainHTTP.get(port: port, "/history/moves?job=a", headers: session)
        #expect(page.status == 200 && page.text.contains("Sign out"))
        #expect(try PlainHTTP.get(port: port, "/api/v1/moves", headers: session).status == 401)
        let bearer = ["Authorization": "Bearer correct-horse-battery-staple"]
        #expect(try PlainHTTP.get(port: port, "/history", headers: bearer).status == 200)
        #expect(try PlainHTTP.get(port: port, "/").headers["location"] == "/history")
        let out = try PlainHTTP.post(port: port, "/history/sign-out", form: "")
        #expect(out.status == 303 && out.headers["set-cookie"]?.contains("Max-Age=0") == true)

        // Alone on its listener the history leads to nothing that is elsewhere.
        let crawl = try PageCrawl(from: ["/history"]) { try PlainHTTP.get(port: port, $0, headers: session) }
        for visit in crawl.visits { check(visit) }
        process.stop()
    }
}
