import AllocationCore
import NIOCore
import Testing

@testable import AllocatorAPI

/// Goal: upstream's pages are at their places with their tables, their parameters and their refusals, and no page holds
/// more than its share.
///
/// Method: a responder over snapshots, asked as a listener asks it. Columns are those of spec/target-allocator.md 4.6.
@Suite struct DebugPagesTests {
    private static let slice = "__meta_kubernetes_endpointslice_name"
    private let fixture = ResponderFixture(
        SnapshotFixture.snapshot(
            [
                FixtureTarget("a", "one", ["__address__": "zero:1"]),
                FixtureTarget(
                    "a", "one", ["__address__": "<b>:1", slice: "slice-<1>", "__meta_kubernetes_namespace": "n1"]),
                FixtureTarget("a", nil, ["__address__": "none:1"]),
                FixtureTarget("b & c", "two", ["__address__": "c:1", "__meta_kubernetes_pod_node_name": "node-7"]),
            ], collectors: ["one", "two", "three"], revision: 42))

    private func ask(_ path: String, of fixture: ResponderFixture? = nil) throws -> (status: Int, html: String) {
        let responder = (fixture ?? self.fixture).responder
        #expect(
            responder.respond(to: StandardRequest(path), for: .eventLoop) == nil, "a page is no work for the event loop"
        )
        let answer = try #require(responder.respond(to: StandardRequest(path), for: .task))
        var fields: [String: String] = [:]
        answer.forEachField { fields[$0.description] = $1 }
        #expect(fields["Content-Type"] == "text/html; charset=utf-8")
        #expect(fields["X-Content-Type-Options"] == "nosniff")
        #expect(fields["Content-Security-Policy"] == PageHeaders.policy)
        #expect(fields["Referrer-Policy"] == "no-referrer")
        #expect(answer.route.rawValue == String(path.prefix { $0 != "?" }))
        guard case .bytes(let buffer) = answer.body else { return (answer.status, "") }
        return (answer.status, String(buffer: buffer))
    }

    /// Texts of the rows' cells.
    private func rows(_ html: String) -> [[String]] {
        html.matches(of: /<tr>(.*?)<\/tr>/).map { row in
            row.1.matches(of: /<t[hd][^>]*>(.*?)<\/t[hd]>/).map { String($0.1.replacing(/<[^>]*>/, with: "")) }
        }
    }

    @Test func jobsAreListedWithTheirTargets() throws {
        let page = try ask("/debug/jobs")
        #expect(page.status == 200 && page.html.contains("<h1>OpenTelemetry Target Allocator - Jobs</h1>"))
        #expect(
            rows(page.html).map { Array($0.prefix(2)) } == [["Job", "Target Count"], ["a", "3"], ["b &amp; c", "1"]])
        #expect(page.html.contains(#"href="/debug/job?job_id=b+%26+c""#))
        #expect(page.html.contains("Shows the state at revision 42 of "))
    }

    @Test func aJobHasACountForEveryCollector() throws {
        let page = try ask("/debug/job?job_id=a")
        #expect(rows(page.html) == [["Collector", "Target Count"], ["one", "2"], ["three", "0"], ["two", "0"]])
        #expect(try rows(ask("/debug/job?job_id=unknown").html).dropFirst().allSatisfy { $0[1] == "0" })
        for query in ["", "?job_id=a&job_id=b", "?job=a"] {
            let answer = try ask("/debug/job\(query)")
            #expect(answer.status == 400 && answer.html.contains("The parameter job_id is"))
        }
    }

    @Test func targetsComeInTheOrderOfTheirHashes() throws {
        let page = try ask("/debug/targets")
        #expect(
            rows(page.html) == [
                ["Job", "Target", "Collector", "Endpoint Slice"], ["a", "zero:1", "one", "–"],
                ["a", "&lt;b&gt;:1", "one", "slice-&lt;1&gt;"], ["a", "none:1", "none", "–"],
                ["b &amp; c", "c:1", "two", "–"],
            ])
        #expect(page.html.contains(#"href="/debug/target?target_hash=3""#))
    }

    @Test("A page holds 500 targets, says so, and leads to the next")
    func pages() throws {
        let many = ResponderFixture(
            SnapshotFixture.snapshot(
                SnapshotFixture.many(1100, job: "a", collector: "one", labelCount: 2), collectors: ["one"]))
        for path in ["/debug/targets", "/debug/collector?collector_id=one"] {
            var seen: [String] = []
            var next: String? = path
            var sizes: [Int] = []
            while let at = next, sizes.count < 5 {
                let page = try ask(at, of: many)
                let part = rows(page.html).dropFirst().map { $0[1] }
                sizes.append(part.count)
                seen += part
                next = page.html.firstMatch(of: /href="([^"]*)">Next</).map {
                    String($0.1).replacing("&amp;", with: "&")
                }
            }
            #expect(sizes == [500, 500, 100])
            #expect(Set(seen).count == 1100)
        }
        #expect(try ask("/debug/targets", of: many).html.contains("Targets 1 to 500 of 1\u{202F}100"))
        #expect(try ask("/debug/targets?after=x", of: many).status == 400)
    }

    @Test func aTargetShowsWhatKubernetesSaysOfItAndItsLabels() throws {
        let page = try ask("/debug/target?target_hash=1")
        #expect(page.status == 200 && page.html.contains("<h1>Target: &lt;b&gt;:1</h1>"))
        for name in [
            "Collector", "Job", "Namespace", "Service Name", "Service Port", "Pod Name", "Container Name",
            "Container Port Name", "Node Name", "Endpoint Slice Name",
        ] {
            #expect(page.html.contains("<dt>\(name)</dt>"), "\(name)")
        }
        #expect(page.html.contains("<dd>n1</dd>"))
        #expect(rows(page.html).first == ["Label", "Value"])
        #expect(rows(page.html).contains(["__address__", "&lt;b&gt;:1"]))
        #expect(try ask("/debug/target?target_hash=3").html.contains("<dd>node-7</dd>"))
        for (query, status) in [("", 400), ("?target_hash=0", 400), ("?target_hash=x", 400), ("?target_hash=9", 404)] {
            #expect(try ask("/debug/target\(query)").status == status, "\(query)")
        }
    }

    @Test func aCollectorHasItsTargets() throws {
        let page = try ask("/debug/collector?collector_id=two")
        #expect(rows(page.html) == [["Job", "Target", "Endpoint Slice"], ["b &amp; c", "c:1", "–"]])
        #expect(try ask("/debug/collector?collector_id=three").html.contains("There is no target."))
        #expect(try ask("/debug/collector").status == 400)
        #expect(try ask("/debug/collector?collector_id=nobody").status == 404)
    }

    @Test func scrapeConfigsAreShownWithoutSecrets() throws {
        let page = try ask("/debug/scrape_configs")
        #expect(page.status == 200 && page.html.contains("OpenTelemetry Target Allocator - Scrape Configs"))
    }

    @Test("Pages lead into the history where there is one")
    func historyLinks() throws {
        #expect(!(try ask("/").html.contains("/history")))
        let publisher = fixture.publisher
        let responder = StandardResponder(
            publisher: publisher, metrics: fixture.metrics, cache: fixture.cache, showsSecrets: false, hasHistory: true)
        for path in [
            "/", "/debug/jobs", "/debug/job?job_id=a", "/debug/target?target_hash=1",
            "/debug/collector?collector_id=one",
        ] {
            let answer = try #require(responder.respond(to: StandardRequest(path), for: .task))
            guard case .bytes(let buffer) = answer.body else { continue }
            #expect(String(buffer: buffer).contains("href=\"/history/"), "\(path)")
        }
    }

    @Test("Without state a page says why there is none", arguments: ["/", "/debug/targets"])
    func withoutState(path: String) throws {
        let answer = try ask(path, of: ResponderFixture())
        #expect(answer.status == 503 && answer.html.contains("no state has been loaded from the ledger yet"))
    }

    @Test func goProfilesAreNotHere() throws {
        let answer = try #require(fixture.responder.respond(to: StandardRequest("/debug/pprof/heap"), for: .task))
        #expect(answer.status == 404)
    }
}
