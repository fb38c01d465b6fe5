//
// StandardTargetTests.swift
//

import AllocatorAPI
import Testing

/// Goal: request targets reach the route that upstream's router would choose.
@Suite struct StandardTargetTests {
    private func targets(_ job: String) -> StandardTarget.Match { .route(.targets(job: Substring(job).utf8)) }

    @Test(arguments: [
        ("/", StandardRoute.index), ("/scrape_configs", .scrapeConfigs), ("/scrape_configs?x=1", .scrapeConfigs),
        ("/jobs", .jobs), ("/metrics", .metrics), ("/livez", .livez), ("/readyz", .readyz),
        ("http://host:8080/jobs?a=b", .jobs), ("http://host", .index),
    ])
    func routes(target: String, route: StandardRoute) {
        #expect(StandardTarget(target).match == .route(route))
    }

    @Test(arguments: ["job1", "a%2Fb", "a+b", "100%25", "%zz", "targets", "ü"])
    func jobSegmentStaysEncoded(job: String) {
        #expect(StandardTarget("/jobs/\(job)/targets?collector_id=c").match == targets(job))
    }

    @Test(arguments: [
        ("/jobs/", "/jobs"), ("/scrape_configs/?a=b", "/scrape_configs?a=b"), ("/livez/", "/livez"),
        ("/jobs/a%2Fb/targets/?collector_id=c", "/jobs/a%2Fb/targets?collector_id=c"),
    ])
    func aSlashTooManyRedirects(target: String, location: String) {
        #expect(StandardTarget(target).match == .redirect(to: location))
    }

    @Test(arguments: [
        "", "*", "//", "/jobs//targets", "/jobs/a", "/jobs/a/b/targets", "/jobs/a/targets/b", "/Jobs", "/%6Aobs",
        "/jobs//", "/favicon.ico", "jobs", "/jobs/a/targets//",
    ])
    func everythingElseIsNothing(target: String) {
        #expect(StandardTarget(target).match == .nothing)
    }

    @Test(arguments: [
        ("/x?collector_id=a", "a"), ("/x?b=1&collector_id=a&collector_id=c", "a"), ("/x?collector_id=", ""),
        ("/x?collector_id", ""), ("/x?collector%5Fid=a+b%2Fc", "a b/c"), ("/x?collector_idx=a", nil), ("/x", nil),
        ("/x?", nil), ("/x?collector_id=a=b", "a=b"),
    ])
    func parameters(target: String, value: String?) throws {
        #expect(try StandardTarget(target).parameter("collector_id") == value)
    }
}
