import AllocationCore
import AllocationLedger
import AllocatorAPI
import ArgumentParser
import PostgresDriver
import Testing

@testable import TargetLedger

/// Goal: `moves` and `history` tell what happened to targets, collectors and jobs, and nothing else.
///
/// Method: a small incident on a real ledger; the commands parsed as the shell hands them over.
@Suite struct MovesTests {
    private func moves(_ fixture: LedgerFixture, _ arguments: String...) async throws -> [[String: JSONCell]] {
        let command = try Moves.parse(["--output", "ndjson"] + arguments)
        return try await fixture.objects { _ = try await command.write(to: $0, $1) }
    }

    private func history(_ fixture: LedgerFixture, _ arguments: String...) async throws -> [[String: JSONCell]] {
        let command = try History.parse(["--output", "ndjson"] + arguments)
        return try await fixture.objects { _ = try await command.write(to: $0, $1) }
    }

    @Test("Moves are chosen by window, reason, labels and identity")
    func choice() async throws {
        try await LedgerFixture.with { fixture in
            let past = try await fixture.recordIncident()
            let left = try await moves(fixture, "--reason", "collector_left")
            let hadC = past[1].filter { $0.value == "c" }.keys.sorted()
            #expect(!hadC.isEmpty)
            #expect(left.compactMap { $0["address"]?.text }.sorted() == hadC)
            #expect(left.allSatisfy { $0["kind"] == .text("direct") && $0["cause_detail"] == .text("c is gone") })

            // A revision is an instant: from it on, and before it.
            let window = try await moves(fixture, "--since", "3", "--until", "4")
            #expect(Set(window.compactMap { $0["revision"]?.number }) == [3])
            let beginning = try await moves(fixture, "--until", "3")
            #expect(beginning.count == 12)

            let zone = try await moves(
                fixture, "--until", "3", "--match", #"{zone="zone-1",__meta_pod!~"pod-1|pod-4"}"#)
            #expect(zone.compactMap { $0["address"]?.text }.sorted() == ["10.0.0.10:9090", "10.0.0.7:9090"])
            let either = try await moves(
                fixture, "--until", "3", "--match", #"{__meta_pod="pod-1"}"#, "--match", #"{__meta_pod="pod-2"}"#)
            #expect(either.count == 2)

            let identity = "\(fixture.target(3).identity.rawValue)"
            let one = try await moves(fixture, "--target", identity)
            #expect(!one.isEmpty && one.allSatisfy { $0["identity"] == .text(identity) })
            await #expect(throws: HistoryError.emptyWindow) {
                _ = try await moves(fixture, "--since", "4", "--until", "3")
            }
        }
    }

    @Test("Programs get every row, page by page; a table ends and says so")
    func pages() async throws {
        try await LedgerFixture.with { fixture in
            try await fixture.fill(2500)
            let all = try await moves(fixture)
            #expect(all.count == 2500)
            #expect(Set(all.compactMap { $0["identity"]?.text }).count == 2500)
            for (arguments, rows, more) in [
                ([], 1000, true), (["--limit", "7"], 7, true), (["--limit", "2500"], 2500, false),
            ] {
                let command = try Moves.parse(arguments)
                let printed = try await fixture.printed { try await command.write(to: $0, $1) }
                #expect(printed.text.split(separator: "\n").count == rows + 1)
                #expect(printed.value == more)
            }
        }
    }

    @Test("A target is one story across its identities")
    func targetStory() async throws {
        try await LedgerFixture.with { fixture in
            _ = try await fixture.recordIncident()
            let before = "\(fixture.target(0).identity.rawValue)"
            for name in [before, "4242", "10.0.0.0:9090"] {
                let story = try await history(fixture, name, "--oldest-first")
                #expect(story.first?["event"] == .list([.text("discovered"), .text("assigned")]))
                let born = try #require(story.first { $0["continues"] != .null })
                #expect(born["revision"] == .number(4))
                #expect(born["continues"] == .text(before) && born["identity"] == .text("4242"))
                #expect(
                    born["label_changes"]
                        == .list([
                            .object(["label": .text("generation"), "before": .text("0"), "after": .text("1")])
                        ]))
                #expect(story.contains { $0["continued_by"] == .text("4242") })
                let newestFirst = try await history(fixture, name)
                #expect(newestFirst.first?["revision"] == story.last?["revision"])
            }
            // A part of an address means all that have it; the whole address means one.
            let part = try await history(fixture, "10.0.0.1")
            #expect(
                Set(part.compactMap { $0["address"]?.text }) == ["10.0.0.1:9090", "10.0.0.10:9090", "10.0.0.11:9090"])
            let limited = try await history(fixture, "10.0.0.1", "--limit", "3", "--oldest-first")
            #expect(limited.compactMap { $0["revision"]?.number } == [2, 2, 2])
            await #expect(throws: HistoryError.self) { _ = try await history(fixture, "10.9.9.9") }
            await #expect(throws: HistoryError.self) { _ = try await history(fixture, "10.0.0.1", "--job", "other") }
        }
    }

    @Test("Too many addresses are refused instead of mixed")
    func tooMany() async throws {
        try await LedgerFixture.with { fixture in
            try await fixture.fill(120)
            await #expect(throws: CommandFailure.self) { _ = try await history(fixture, "10.0.") }
        }
    }

    @Test("A collector's story has its coming and going and its load")
    func collectorStory() async throws {
        try await LedgerFixture.with { fixture in
            let past = try await fixture.recordIncident()
            let story = try await history(fixture, "--collector", "c", "--oldest-first")
            let loads = past.map { $0.values.count { $0 == "c" } }
            #expect(story.compactMap { $0["revision"]?.number } == [1, 2, 3])
            #expect(story[0]["event"] == .list([.text("joined")]) && story[0]["targets"] == .null)
            #expect(story[1]["targets"]?.number == loads[1] && story[1]["gained"]?.number == loads[1])
            #expect(story[2]["event"] == .list([.text("left")]) && story[2]["lost"]?.number == loads[1])
            #expect(story[2]["targets"] == .number(0))
            await #expect(throws: HistoryError.self) { _ = try await history(fixture, "--collector", "nobody") }
        }
    }

    @Test("A job's story has its revisions and what discovery found")
    func jobStory() async throws {
        try await LedgerFixture.with { fixture in
            _ = try await fixture.recordIncident()
            let story = try await history(fixture, "--job", "shop", "--oldest-first")
            let changes = story.filter { $0["event"] == .text("changed") }
            #expect(changes.first?["added"] == .number(12))
            #expect(changes.first { $0["revision"] == .number(4) }?["relabelled"] == .number(1))
            #expect(changes.first { $0["revision"] == .number(5) }?["removed"] == .number(1))
            #expect(changes.first { $0["revision"] == .number(3) }?["cause_detail"] == .text("c is gone"))
        }
    }

    @Test(
        "Wrong use is told from the arguments alone",
        arguments: [
            ["--match", "job=api"], ["--match", #"{job=~"("}"#], ["--limit", "0"], ["--reason", "bad luck"],
            ["--since", "yesterdayish"],
        ])
    func wrongUse(arguments: [String]) {
        #expect(throws: (any Error).self) { try Moves.parse(arguments) }
    }

    @Test("A selector's fault is told with its place")
    func selectorFault() {
        do {
            _ = try Moves.parse(["--match", "{job api}"])
            Issue.record("accepted")
        } catch {
            #expect(Moves.message(for: error).contains("at character 6"))
            #expect(Moves.exitCode(for: error) == .validationFailure)
        }
        #expect(throws: (any Error).self) { try History.parse([]) }
        #expect(throws: (any Error).self) { try History.parse(["x", "--collector", "c"]) }
    }
}
