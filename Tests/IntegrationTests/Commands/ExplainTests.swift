import AllocationCore
import AllocationLedger
import AllocatorAPI
import ArgumentParser
import Foundation
import PostgresDriver
import TestSupport
import Testing

@testable import TargetLedger

/// Goal: `explain` names the first step of a target's way that is missing, and nothing where none is.
///
/// Method: a small incident on a real ledger with a configuration, discovery results and fetches; one step taken away at a
/// time.
@Suite struct ExplainTests {
    private struct Told {
        var isWell: Bool
        var facts: [[String: JSONCell]]

        var codes: [String] { facts.compactMap { $0["code"]?.text } }
        var causes: [String] {
            facts.compactMap { $0["cause"] == .boolean(true) ? $0["code"]?.text : nil }
        }
    }

    private func explain(_ fixture: LedgerFixture, _ arguments: String...) async throws -> Told {
        let command = try Explain.parse(["--output", "ndjson"] + arguments)
        let printed = try await fixture.printed { try await command.write(to: $0, $1) }
        let facts = try printed.text.split(separator: "\n").map { line in
            try JSONDecoder().decode([String: JSONCell].self, from: Data(line.utf8))
        }
        return Told(isWell: printed.value, facts: facts)
    }

    private static let configuration = ConfigurationRecord(
        redactedText:
            #"{"allocation_strategy":"consistent-hashing","filter_strategy":"relabel-config","scrape_configs":"#
            + #"{"shop":{"job_name":"shop","relabel_configs":[{"action":"drop","regex":"no","source_labels":["scrape"]}]},"#
            + #""bank":{"job_name":"bank"}}}"#)

    private func report(
        _ job: String, targets: Int, succeeded: Bool = true, dropped: Int = 0, error: String? = nil
    ) -> DiscoveryReportDraft {
        DiscoveryReportDraft(
            job: job, provider: "file", source: "/targets/\(job).json", succeeded: succeeded, targets: targets,
            added: 0,
            removed: 0, droppedByRelabelling: dropped, error: error, durationSeconds: 0.1, at: .now())
    }

    private func fetch(_ fixture: LedgerFixture, _ collectors: String..., revision: Int64) async throws {
        let pool = PostgresPool(fixture.configuration, size: 1, logger: TestPostgres.logger)
        let appender = DeliveryAppender(replica: .random(), pool: pool)
        let notes = collectors.map { collector in
            DeliveryNote(
                collector: collector, job: "shop", revisions: revision...revision,
                at: Timestamp(microsecondsSince1970: 0), fetchedAt: .now)
        }
        let result: Result<Int, any Error>
        do {
            result = .success(try await appender.append(notes, deadline: .now + .seconds(30)))
        } catch {
            result = .failure(error)
        }
        await pool.close()
        _ = try result.get()
    }

    @Test("All is well; not fetched; without a collector; gone; never there")
    func targets() async throws {
        try await LedgerFixture.with { fixture in
            try await fixture.append(
                fixture.collectors(["a"]), cause: .bootstrap, configuration: Self.configuration)
            try await fixture.append(
                fixture.discover([fixture.target(0), fixture.target(1)]), reports: [report("shop", targets: 2)])
            var told = try await explain(fixture, "10.0.0.0:9090")
            #expect(told.causes == ["not_fetched"] && !told.isWell)
            #expect(told.codes == ["assigned", "not_fetched", "job_configured", "discovered"])

            try await fetch(fixture, "a", revision: 2)
            told = try await explain(fixture, "10.0.0.0:9090")
            #expect(told.isWell && told.codes == ["assigned", "fetched", "job_configured", "discovered"])
            #expect(try await explain(fixture, "--job", "shop").isWell)
            #expect(try await explain(fixture, "__meta_pod=pod-1").isWell)
            #expect(try await explain(fixture, "--match", #"{zone=~"zone-.*"}"#).isWell)

            // The newcomer has not asked yet.
            try await fixture.append(fixture.collectors(["b"]), cause: .membership)
            told = try await explain(fixture, "10.0.0.1:9090")
            #expect(told.causes == ["not_fetched"] && told.facts[0]["collector"] == .text("b"))
            #expect(try await explain(fixture, "10.0.0.1:9090", "--at", "2").isWell == false)
            told = try await explain(fixture, "--job", "shop")
            #expect(told.causes == ["not_fetched"])

            try await fixture.append(fixture.collectors([]), cause: .membership)
            told = try await explain(fixture, "10.0.0.1:9090")
            #expect(!told.causes.isEmpty)

            try await fixture.append(
                fixture.discover([fixture.target(0)]), reports: [report("shop", targets: 1)])
            told = try await explain(fixture, "10.0.0.1:9090")
            #expect(told.causes == ["vanished"] && told.facts[0]["revision"] == .number(5))
            told = try await explain(fixture, "10.0.0.1:9090", "--at", "1")
            #expect(told.causes.contains("never_discovered"))
            told = try await explain(fixture, "10.9.9.9:9090", "--job", "shop")
            #expect(told.causes == ["never_discovered"])
        }
    }

    @Test("A job that is not configured, fails, was never looked at, or whose rules drop targets")
    func jobs() async throws {
        try await LedgerFixture.with { fixture in
            try await fixture.append(
                fixture.collectors(["a"]), cause: .bootstrap, configuration: Self.configuration)
            var told = try await explain(fixture, "--job", "farm")
            #expect(told.causes == ["job_not_configured"])
            told = try await explain(fixture, "--job", "bank")
            #expect(told.causes == ["discovery_never_synchronised"])
            try await fixture.append(
                fixture.discover([fixture.target(0)]),
                reports: [
                    report("shop", targets: 3, dropped: 2),
                    report("bank", targets: 0, succeeded: false, error: "no such file"),
                ])
            told = try await explain(fixture, "--job", "bank")
            #expect(told.causes == ["discovery_failed"])
            #expect(told.facts.contains { $0["evidence"] == .text("no such file") })
            told = try await explain(fixture, "10.9.9.9:9090", "--job", "shop")
            #expect(told.causes == ["never_discovered", "dropped_by_relabelling"])
            #expect(told.facts.contains { $0["evidence"] == .text("drop scrape =~ no") })
            try await fixture.append(
                fixture.discover([fixture.target(0)], job: "bank"), reports: [report("bank", targets: 2)])
            told = try await explain(fixture, "10.9.9.9:9090", "--job", "bank")
            #expect(told.causes == ["never_discovered", "duplicates"])
        }
    }

    @Test(
        "A question that names nothing, or a label twice, is refused",
        arguments: [[], ["a=b", "--match", "{c=\"d\"}"]])
    func refusals(arguments: [String]) {
        #expect(throws: (any Error).self) { try Explain.parse(arguments) }
    }
}
