//
// StandardResponderTests.swift
//

import AllocationCore
import AllocatorRuntime
import NIOCore
import Telemetry
import Testing

@testable import AllocatorAPI

/// Goal: every answer is byte for byte what spec/target-allocator.md 4 says, whoever gives it.
///
/// Method: no socket. Each request is answered for the event loop and for a task; both answers must agree.
@Suite struct StandardResponderTests {
    private static let configuration = ScrapeConfigDocument(
        redacted: Array(#"{"a":{"basic_auth":{"password":"\u003csecret\u003e"}}}"#.utf8),
        clear: Array(#"{"a":{"basic_auth":{"password":"real"}}}"#.utf8))

    private static let targets = [
        FixtureTarget("job1", "col-0", ["__address__": "10.0.0.2:80", "__meta_x": "y"]),
        FixtureTarget("job1", "col-0", ["__address__": "10.0.0.1:80"]),
        FixtureTarget("serviceMonitor/ns/app/0", "col-1", ["__address__": "10.0.0.3:80"]),
        FixtureTarget("100% <a>+b", nil, ["__address__": "10.0.0.4:80"]),
    ]

    private let fixture = ResponderFixture(
        SnapshotFixture.snapshot(
            targets, collectors: ["col-1", "col-0"], revision: 42, scrapeConfigs: configuration))

    private struct Answer: Equatable {
        var status: Int
        var fields: [String: String]
        var body: String
    }

    private func answer(
        _ request: StandardRequest, of fixture: ResponderFixture? = nil,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> Answer {
        let responder = (fixture ?? self.fixture).responder
        let asked = try #require(responder.respond(to: request, for: .task), sourceLocation: sourceLocation)
        let routed = Self.answer(asked)
        if let fast = responder.respond(to: request, for: .eventLoop) {
            #expect(Self.answer(fast) == routed, sourceLocation: sourceLocation)
        }
        return routed
    }

    private func answer(
        _ target: String, of fixture: ResponderFixture? = nil, sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> Answer {
        try answer(StandardRequest(target), of: fixture, sourceLocation: sourceLocation)
    }

    private static func answer(_ response: PreparedResponse) -> Answer {
        var fields: [String: String] = [:]
        response.forEachField { fields["\($0)"] = $1 }
        let body: String =
            switch response.body {
            case .none: ""
            case .bytes(let buffer): response.omitsBody ? "" : String(buffer: buffer)
            case .pieces(let pieces): String(buffer: pieces.rendered())
            }
        return Answer(status: response.status, fields: fields, body: body)
    }

    // MARK: Targets

    @Test func targetsOfACollector() throws {
        let answer = try answer("/jobs/job1/targets?collector_id=col-0")
        #expect(answer.status == 200)
        #expect(
            answer.body == #"[{"targets":["10.0.0.1:80"],"labels":{"__address__":"10.0.0.1:80"}},"#
                + #"{"targets":["10.0.0.2:80"],"labels":{"__address__":"10.0.0.2:80","__meta_x":"y"}}]"# + "\n")
        #expect(answer.fields["Content-Type"] == "application/json")
        #expect(answer.fields["Content-Length"] == "\(answer.body.utf8.count)")
        #expect(answer.fields["Target-Ledger-Revision"] == "42")
        #expect(answer.fields["Target-Ledger-Stale-Seconds"] == nil)
        let hash = String(XXH64.hash(answer.body), radix: 16)
        #expect(answer.fields["ETag"] == "\"" + String(repeating: "0", count: 16 - hash.count) + hash + "\"")
    }

    @Test(arguments: [
        "/jobs/job1/targets?collector_id=unknown", "/jobs/unknown/targets?collector_id=col-0",
        "/jobs/job1/targets?collector_id=col-1", "/jobs/job1/targets?collector_id=",
        "/jobs/job1/targets?collector_id", "/jobs/job1/targets?collector_id=x&collector_id=col-0",
        "/jobs/100%25+%3Ca%3E%2Bb/targets?collector_id=col-0",
    ])
    func nothingAssignedIsAnEmptyList(target: String) throws {
        let answer = try answer(target)
        #expect(answer.status == 200)
        #expect(answer.body == "[]\n")
        #expect(answer.fields["Content-Type"] == "application/json")
        #expect(answer.fields["Target-Ledger-Revision"] == "42")
    }

    @Test(arguments: [
        "/jobs/serviceMonitor%2Fns%2Fapp%2F0/targets?collector_id=col-1",
        "/jobs/serviceMonitor%2fns%2Fapp%2F0/targets?x=y&collector%5Fid=col%2D1",
        "http://ta:8080/jobs/serviceMonitor%2Fns%2Fapp%2F0/targets?collector_id=col-1",
    ])
    func namesAreDecodedOnce(target: String) throws {
        #expect(
            try answer(target).body
                == #"[{"targets":["10.0.0.3:80"],"labels":{"__address__":"10.0.0.3:80"}}]"# + "\n")
    }

    @Test func withoutACollectorAllAreListed() throws {
        #expect(
            try answer("/jobs/serviceMonitor%2Fns%2Fapp%2F0/targets").body
                == #"{"col-0":{"_link":"/jobs/serviceMonitor%2Fns%2Fapp%2F0/targets?collector_id=col-0","targets":[]},"#
                + #""col-1":{"_link":"/jobs/serviceMonitor%2Fns%2Fapp%2F0/targets?collector_id=col-1","#
                + #""targets":[{"targets":["10.0.0.3:80"],"labels":{"__address__":"10.0.0.3:80"}}]}}"# + "\n")
        #expect(
            try answer("/jobs/a%20b/targets").body
                == #"{"col-0":{"_link":"/jobs/a+b/targets?collector_id=col-0","targets":[]},"#
                + #""col-1":{"_link":"/jobs/a+b/targets?collector_id=col-1","targets":[]}}"# + "\n")
        let empty = ResponderFixture(SnapshotFixture.snapshot())
        #expect(try answer("/jobs/a/targets", of: empty).body == "{}\n")
    }

    /// The list is kept with its job, which a new collector without targets of it does not change.
    @Test func aKeptListNamesTheCollectorsOfNow() throws {
        let table = LabelTable()
        var state = AllocationState(table: table, strategy: .consistentHashing(.v1))
        _ = state.apply(collectors: [Collector(name: "a")], isSynchronised: true, evidence: "")
        let address = LabelSet(["__address__": "h:1"], in: table)
        let target = IdentifiedTarget(
            identity: TargetIdentity(rawValue: 1), labels: address,
            address: address.value(of: table.nameID(for: "__address__"), in: table))
        _ = state.apply(discovery: [
            JobUpdate(
                job: "j",
                sources: [SourceUpdate(key: SourceKey(provider: "p", source: "s"), targets: [target])],
                isSynchronised: true)
        ])
        let before = AllocationSnapshot(
            state: state, head: SnapshotFixture.head(1), scrapeConfigs: SnapshotFixture.emptyConfiguration)
        let fixture = ResponderFixture(before)
        let first = try answer("/jobs/j/targets", of: fixture)
        #expect(first.body.hasPrefix(#"{"a":{"_link":"/jobs/j/targets?collector_id=a","targets":[{"#))
        #expect(try answer("/jobs/j/targets", of: fixture) == first)

        var change = state.apply(
            collectors: [Collector(name: "a"), Collector(name: "b")], isSynchronised: true, evidence: "")
        // Whether the ring gives it to the new collector does not matter here.
        change.targets = []
        let after = before.advanced(by: change, state: state, head: SnapshotFixture.head(2))
        #expect(after.job(named: "j") === before.job(named: "j"))
        fixture.publisher.publish(after)
        let second = try answer("/jobs/j/targets", of: fixture)
        #expect(second.body.hasSuffix(#"]},"b":{"_link":"/jobs/j/targets?collector_id=b","targets":[]}}"# + "\n"))
        #expect(second.fields["ETag"] != first.fields["ETag"])
        #expect(try answer("/jobs/j/targets", of: fixture) == second)
    }

    @Test(arguments: [
        (
            "/jobs/%zz/targets?collector_id=c", "job",
            #"{"detail":"The value of job has an invalid escape: %zz","parameter":"job","status":400,"#
                + #""title":"Bad Request","type":"about:blank"}"# + "\n"
        ),
        (
            "/jobs/a/targets?collector_id=%FF", "collector_id",
            #"{"detail":"The value of collector_id is not UTF-8","parameter":"collector_id","status":400,"#
                + #""title":"Bad Request","type":"about:blank"}"# + "\n"
        ),
    ])
    func undecodableNamesAreProblems(target: String, parameter: String, body: String) throws {
        let answer = try answer(target)
        #expect(answer.status == 400)
        #expect(answer.fields["Content-Type"] == "application/problem+json")
        #expect(answer.body == body)
    }

    // MARK: Jobs

    @Test func jobsWithTargetsAreLinked() throws {
        let answer = try answer("/jobs")
        #expect(
            answer.body == #"{"100% \u003ca\u003e+b":{"_link":"/jobs/100%25+%3Ca%3E%2Bb/targets"},"#
                + #""job1":{"_link":"/jobs/job1/targets"},"#
                + #""serviceMonitor/ns/app/0":{"_link":"/jobs/serviceMonitor%2Fns%2Fapp%2F0/targets"}}"# + "\n")
        #expect(answer.fields["Content-Type"] == "application/json")
        #expect(try self.answer("/jobs", of: ResponderFixture(SnapshotFixture.snapshot())).body == "{}\n")
    }

    @Test func everyLinkLeadsToItsJob() throws {
        for job in try #require(fixture.publisher.current).jobs {
            let answer = try answer("/jobs/\(QueryComponent.encoded(job.name))/targets")
            let assigned = job.lists.values.reduce(0) { $0 + $1.targets.count }
            #expect(answer.body.components(of: #""labels""#) == assigned)
        }
    }

    @Test func jobsFollowTheRevision() throws {
        #expect(try answer("/jobs").body.contains("job1"))
        fixture.publish(SnapshotFixture.snapshot([], collectors: ["col-0"], revision: 43))
        let after = try answer("/jobs")
        #expect(after.body == "{}\n")
        #expect(after.fields["Target-Ledger-Revision"] == "43")
    }

    // MARK: Scrape configs

    @Test func secretsAreShownOnlyWhereTheyMayBe() throws {
        let redacted = try answer("/scrape_configs?anything=1")
        #expect(redacted.body == #"{"a":{"basic_auth":{"password":"\u003csecret\u003e"}}}"#)
        #expect(redacted.fields["Content-Type"] == "application/json")
        let snapshot = SnapshotFixture.snapshot(scrapeConfigs: Self.configuration)
        let clear = ResponderFixture(snapshot, showsSecrets: true)
        #expect(try answer("/scrape_configs", of: clear).body == #"{"a":{"basic_auth":{"password":"real"}}}"#)
        var page = StandardRequest("/scrape_configs")
        page.acceptsHTML = true
        for fixture in [fixture, clear] {
            let answer = try answer(page, of: fixture)
            #expect(answer.fields["Content-Type"] == "text/html; charset=utf-8")
            #expect(answer.fields["X-Content-Type-Options"] == "nosniff")
            #expect(!answer.body.contains("real"))
            #expect(answer.body.contains(#"<pre>{"#) && answer.body.contains("&#34;password&#34;: &#34;\\u003csecret"))
        }
    }

    /// A collector would take the placeholder for the password and be turned away everywhere.
    @Test func unknownSecretsAreNotReplacedByPlaceholders() throws {
        let fromLedger = ScrapeConfigDocument(redacted: Self.configuration.redacted, clear: nil)
        let fixture = ResponderFixture(SnapshotFixture.snapshot(scrapeConfigs: fromLedger), showsSecrets: true)
        let answer = try answer("/scrape_configs", of: fixture)
        #expect(answer.status == 503)
        #expect(answer.fields["Content-Type"] == "application/problem+json")
        let without = ResponderFixture(SnapshotFixture.snapshot(), showsSecrets: true)
        #expect(try self.answer("/scrape_configs", of: without).body == "{}")
    }

    // MARK: Before there is state

    @Test(arguments: ["/scrape_configs", "/jobs", "/jobs/a/targets", "/jobs/a/targets?collector_id=c"])
    func withoutStateNothingLooksLikeAnAnswer(target: String) throws {
        let answer = try answer(target, of: ResponderFixture())
        #expect(answer.status == 503)
        #expect(answer.fields["Content-Type"] == "application/problem+json")
        #expect(
            answer.body == #"{"detail":"There is no allocation to serve yet. Keep what you have and ask again.","#
                + #""reasons":["no state has been loaded from the ledger yet"],"status":503,"#
                + #""title":"Service Unavailable","type":"about:blank"}"# + "\n")
        #expect(answer.fields["Target-Ledger-Revision"] == nil && answer.fields["ETag"] == nil)
    }

    /// A collector would drop every target of the job if it got an empty list.
    @Test(arguments: ["/jobs/a%20b/targets?collector_id=c", "/jobs/a+b/targets"])
    func aJobNobodyHasLookedForIsNotEmpty(target: String) throws {
        let fixture = ResponderFixture(SnapshotFixture.snapshot(collectors: ["c"], pendingJobs: ["a b"]))
        let pending = try answer(target, of: fixture)
        #expect(pending.status == 503)
        #expect(pending.fields["Content-Type"] == "application/problem+json")
        #expect(pending.body.hasPrefix(#"{"detail":"Job a b is configured, but its discovery has not finished yet."#))
        #expect(try answer("/jobs/other/targets?collector_id=c", of: fixture).body == "[]\n")
        #expect(try answer("/jobs", of: fixture).body == "{}\n")
    }

    @Test func readinessTellsItsReasons() throws {
        let starting = ResponderFixture()
        #expect(try answer("/livez", of: starting) == Answer(status: 200, fields: ["Content-Length": "0"], body: ""))
        #expect(try answer("/readyz", of: starting).status == 503)
        #expect(
            try answer("/readyz", of: starting).body == #"{"detail":"This process is not ready.","#
                + #""reasons":["no state has been loaded from the ledger yet"],"status":503,"#
                + #""title":"Service Unavailable","type":"about:blank"}"# + "\n")
        starting.publisher.update { $0.reasonsNotReady = [] }
        #expect(try answer("/readyz", of: starting).status == 503)
        starting.publish(SnapshotFixture.snapshot())
        #expect(try answer("/readyz", of: starting) == Answer(status: 200, fields: ["Content-Length": "0"], body: ""))
    }

    // MARK: Routing

    @Test(arguments: ["/unknown", "/jobs//targets", "/debug/nothing", "//"])
    func unknownPathsAreNotFound(target: String) throws {
        let answer = try answer(target)
        #expect(answer.status == 404)
        #expect(answer.fields == ["Content-Type": "text/plain", "Content-Length": "18"])
        #expect(answer.body == "404 page not found")
    }

    @Test(arguments: ["/jobs", "/livez", "/metrics", "/jobs/a/targets", "/unknown"])
    func onlyGETIsKnown(target: String) throws {
        let other = try answer(StandardRequest(.other, target))
        #expect(other.status == 404 && other.body == "404 page not found")
        let head = try answer(StandardRequest(.head, target))
        #expect(head.status == 404 && head.body == "" && head.fields["Content-Length"] == "18")
    }

    @Test func aSlashTooManyIsRedirected() throws {
        let get = try answer("/jobs/a%2Fb/targets/?collector_id=c")
        #expect(get.status == 301 && get.fields["Location"] == "/jobs/a%2Fb/targets?collector_id=c")
        #expect(try answer(StandardRequest(.other, "/jobs/")).status == 307)
    }

    // MARK: Validators and coding

    @Test(arguments: ["/jobs", "/scrape_configs", "/jobs/job1/targets?collector_id=col-0", "/jobs/job1/targets"])
    func knownAnswersAreNotSentAgain(target: String) throws {
        var request = StandardRequest(target)
        let full = try answer(request)
        let etag = try #require(full.fields["ETag"])
        request.ifNoneMatch = "\"other\", W/\(etag)"
        let unchanged = try answer(request)
        #expect(unchanged.status == 304)
        #expect(unchanged.body == "" && unchanged.fields["Content-Length"] == nil)
        #expect(unchanged.fields["ETag"] == etag)
        #expect(unchanged.fields["Target-Ledger-Revision"] == "42")
        request.ifNoneMatch = "\"other\""
        #expect(try answer(request) == full)
    }

    @Test func gzipIsServedToWhoAsksWithATagOfItsOwn() throws {
        let targets = SnapshotFixture.many(100, job: "j", collector: "c")
        let fixture = ResponderFixture(SnapshotFixture.snapshot(targets, collectors: ["c"]))
        var request = StandardRequest("/jobs/j/targets?collector_id=c")
        let plain = try #require(fixture.responder.respond(to: request, for: .task))
        #expect(!plain.isGzip)
        request.acceptsGzip = true
        let coded = try #require(fixture.responder.respond(to: request, for: .task))
        #expect(coded.isGzip)
        guard case .bytes(let body) = coded.body, case .bytes(let whole) = plain.body else {
            Issue.record("bodies are not prepared")
            return
        }
        #expect(body.readableBytes < whole.readableBytes / 4)
        #expect(body.getBytes(at: 0, length: 2) == [0x1F, 0x8B])
        #expect(coded.etag != plain.etag)
        var fields: [String: String] = [:]
        coded.forEachField { fields["\($0)"] = $1 }
        #expect(fields["Content-Encoding"] == "gzip" && fields["Vary"] == "Accept-Encoding")
        request.ifNoneMatch = try #require(coded.etag).text
        #expect(fixture.responder.respond(to: request, for: .eventLoop)?.status == 304)
        request.acceptsGzip = false
        #expect(fixture.responder.respond(to: request, for: .eventLoop)?.status == 200)
    }

    @Test func staleStateSaysSo() throws {
        fixture.publisher.update { $0.staleness = .init(since: .now - .seconds(90), reason: "no disk") }
        let seconds = Int(try answer("/jobs").fields["Target-Ledger-Stale-Seconds"] ?? "")
        #expect(seconds.map { (90..<150).contains($0) } == true)
        fixture.publisher.update { $0.reasonsNotReady = [] }
        let readiness = try answer("/readyz")
        #expect(readiness.status == 200)
        #expect(readiness.body.hasPrefix("ready; nothing new has been recorded for "))
        #expect(readiness.body.hasSuffix(" s: no disk\n"))
    }

    // MARK: Pages and metrics

    @Test func pagesEscapeNames() throws {
        var request = StandardRequest("/jobs")
        request.acceptsHTML = true
        let jobs = try answer(request)
        #expect(jobs.body.contains(#"<a href="/debug/job?job_id=100%25+%3Ca%3E%2Bb">"#))
        #expect(jobs.body.contains(#"<a href="/jobs/100%25+%3Ca%3E%2Bb/targets">JSON</a>"#))
        #expect(jobs.body.contains(">100% &lt;a&gt;+b</span></a></th><td class=\"n\">1</td>"))
        let index = try answer("/")
        #expect(index.fields["Content-Type"] == "text/html; charset=utf-8")
        #expect(index.body.contains(">col-0</span></a></th><td class=\"n\">1</td><td class=\"n\">2</td>"))
        #expect(index.body.contains(">Targets</a></th><td class=\"n\">4</td>"))
    }

    @Test func metricsAreReadFromTheSnapshot() throws {
        fixture.metrics.add(AllocatorMetrics(publisher: fixture.publisher))
        let answer = try answer("/metrics")
        #expect(answer.fields["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8")
        let scope = #"otel_scope_name="targetallocator",otel_scope_schema_url="",otel_scope_version="""#
        for line in [
            #"opentelemetry_allocator_targets{job_name="job1",\#(scope)} 2"#,
            #"opentelemetry_allocator_targets_per_collector{collector_name="col-1",\#(scope),strategy="consistent-hashing"} 1"#,
            #"opentelemetry_allocator_targets_unassigned{\#(scope)} 1"#,
            #"opentelemetry_allocator_targets_remaining{\#(scope)} 4"#,
            #"opentelemetry_allocator_collectors_allocatable{\#(scope),strategy="consistent-hashing"} 2"#,
            #"opentelemetry_allocator_collectors_discovered{\#(scope)} 2"#, "target_ledger_served_revision 42",
        ] {
            #expect(answer.body.contains(line + "\n"), "\(line)")
        }
        fixture.publish(SnapshotFixture.snapshot([], collectors: ["col-0"], revision: 43))
        let after = try self.answer("/metrics").body
        #expect(!after.contains("job_name=") && !after.contains("col-1"))
        #expect(after.contains("opentelemetry_allocator_targets_unassigned{\(scope)} 0\n"))
    }
}

extension String {
    /// How often `part` occurs.
    fileprivate func components(of part: String) -> Int { ranges(of: part).count }
}
