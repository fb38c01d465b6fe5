//
// StandardTargetTests.swift
//

import AllocatorAPI
import Testing

/// Goal: request targets reach the route that upstream's router would choose.
@Suite struct StandardTargetTests {
    @Test(arguments: [
        ("/", StandardRoute.index), ("/scrape_configs", .scrapeConfigs), ("/scrape_configs?x=1", .scrapeConfigs),
        ("/jobs", .jobs), ("/metrics", .metrics), ("/livez", .livez), ("/readyz", .readyz),
        ("http://host:8080/jobs?a=b", .jobs), ("http://host", .index),
    ])
    func routes(target: String, route: StandardRoute) {
        #expect(StandardTarget(target) == .route(route))
    }

    @Test(arguments: [
        ("job1", Result<String, QueryComponent.DecodingError>.success("job1")), ("a%2Fb", .success("a/b")),
        ("a+b", .success("a b")), ("100%25", .success("100%")), ("targets", .success("targets")),
        ("ü", .success("ü")), ("%zz", .failure(.badEscape("%zz"))), ("%FF", .failure(.notUTF8)),
    ])
    func jobsAreDecodedOnce(job: String, decoded: Result<String, QueryComponent.DecodingError>) {
        let question = TargetsQuestion(job: decoded, collector: .success("c"))
        #expect(StandardTarget("/jobs/\(job)/targets?collector_id=c") == .route(.targets(question)))
    }

    @Test(arguments: [
        ("/jobs/", "/jobs"), ("/scrape_configs/?a=b", "/scrape_configs?a=b"), ("/livez/", "/livez"),
        ("/jobs/a%2Fb/targets/?collector_id=c", "/jobs/a%2Fb/targets?collector_id=c"),
    ])
    func aSlashTooManyRedirects(target: String, location: String) {
        #expect(StandardTarget(target) == .redirect(to: location))
    }

    @Test(arguments: [
        "", "*", "//", "/jobs//targets", "/jobs/a", "/jobs/a/b/targets", "/jobs/a/targets/b", "/Jobs", "/%6Aobs",
        "/jobs//", "/favicon.ico", "jobs", "/jobs/a/targets//",
    ])
    func everythingElseIsNothing(target: String) {
        #expect(StandardTarget(target) == .nothing)
    }

    @Test(arguments: [
        ("collector_id=a", "a"), ("b=1&collector_id=a&collector_id=c", "a"), ("collector_id=", ""),
        ("collector_id", ""), ("collector%5Fid=a+b%2Fc", "a b/c"), ("collector_idx=a", nil), ("", nil), ("&&", nil),
        ("collector_id=a=b", "a=b"),
    ])
    func theFirstCollectorCounts(query: String, collector: String?) throws {
        let question = TargetsQuestion(job: .success("j"), collector: .success(collector))
        #expect(StandardTarget("/jobs/j/targets?\(query)") == .route(.targets(question)))
        if query.isEmpty { #expect(StandardTarget("/jobs/j/targets") == .route(.targets(question))) }
    }
}

/// Goal: a moment in the query makes a standard route one of the past, and nothing else does.
@Suite struct PastTargetTests {
    @Test(
        arguments: [
            "/jobs?at=1", "/jobs?x=1&revision=2", "/scrape_configs?at", "/jobs/j/targets?collector_id=c&at=3",
            "/jobs/j/targets?at=3&collector_id=c", "/jobs?%61t=1", "/jobs?rev%69sion=1", "http://h/jobs?at=1",
        ])
    func past(target: String) {
        guard case .past = StandardTarget(target) else { return #expect(Bool(false), "\(target)") }
    }

    @Test(
        arguments: [
            "/jobs", "/jobs?", "/jobs?att=1", "/jobs?a=at", "/jobs/at/targets?collector_id=at", "/metrics?at=1",
            "/?at=1",
            "/jobs/j/targets?collector_id=at=1", "/jobs?rev=1&&revisions=3", "/readyz?revision=1", "/jobs?%zz=at",
        ])
    func present(target: String) {
        guard case .route = StandardTarget(target) else { return #expect(Bool(false), "\(target)") }
    }
}
