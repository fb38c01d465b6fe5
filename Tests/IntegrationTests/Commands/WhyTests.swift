import AllocationCore
import AllocationLedger
import AllocatorAPI
import ArgumentParser
import PostgresDriver
import Testing

@testable import TargetLedger

/// Goal: `why` names the decision that was in force, and its sentence says what the facts say.
@Suite struct WhyTests {
    private func why(_ fixture: LedgerFixture, _ arguments: String...) async throws -> [String: JSONCell] {
        let command = try Why.parse(["--output", "ndjson"] + arguments)
        let rows = try await fixture.objects {
            let isReproduced = try await command.write(to: $0, $1)
            #expect(isReproduced)
        }
        return try #require(rows.first)
    }

    @Test("Found, left behind, gone")
    func decisions() async throws {
        try await LedgerFixture.with { fixture in
            let past = try await fixture.recordIncident()
            let address = try #require(past[1].filter { $0.value == "c" && $0.key != "10.0.0.2:9090" }.keys.min())
            let first = try await why(fixture, address, "--at", "2")
            #expect(first["collector"] == .text("c") && first["reason"] == .text("discovered"))
            #expect(first["until_revision"] == .number(3) && first["present"] == .boolean(true))
            #expect(first["members"] == .list([.text("a"), .text("b"), .text("c")]))
            #expect(first["partition"]?.number == ConsistentHashRing.partition(of: address))
            #expect(first["owner"] == .text("c") && first["reproduced"] == .boolean(true))
            let sentence = try #require(first["summary"]?.text)
            #expect(sentence.hasPrefix("c had \(address) of job shop since revision 2 of "))
            #expect(
                sentence.contains("because it was discovered then.") && sentence.contains("That held until revision 3"))

            let second = try await why(fixture, address, "--at", "3")
            #expect(second["collector"]?.text == past[2][address] ?? nil)
            #expect(second["previous_collector"] == .text("c") && second["kind"] == .text("direct"))
            #expect(second["summary"]?.text?.contains("because c, which had it, left.") == true)
            guard case .object(let event)? = second["collector_events"]?.list.first else {
                return #expect(Bool(false), "no event")
            }
            #expect(event["collector"] == .text("c") && event["event"] == .text("left"))

            let gone = try await why(fixture, "10.0.0.2:9090")
            #expect(gone["present"] == .boolean(false) && gone["since_revision"] == .number(5))
            #expect(gone["summary"]?.text?.contains("is gone, because its discovery no longer had it") == true)
            let early = try await why(fixture, "10.0.0.2:9090", "--at", "1")
            #expect(early["summary"]?.text?.contains("had not been found yet at revision 1") == true)
            #expect(early["until_revision"] == .number(2))
        }
    }

    @Test("An identity that is gone is found by the address of its successor")
    func successor() async throws {
        try await LedgerFixture.with { fixture in
            _ = try await fixture.recordIncident()
            #expect(try await why(fixture, "10.0.0.0:9090")["identity"] == .text("4242"))
            let before = "\(fixture.target(0).identity.rawValue)"
            #expect(try await why(fixture, "10.0.0.0:9090", "--at", "3")["identity"] == .text(before))
            #expect(try await why(fixture, before)["present"] == .boolean(false))
        }
    }

    @Test("Several targets are named, to choose from")
    func ambiguous() async throws {
        try await LedgerFixture.with { fixture in
            _ = try await fixture.recordIncident()
            let command = try Why.parse(["10.0.0.1"])
            do {
                _ = try await fixture.printed { try await command.write(to: $0, $1) }
                Issue.record("answered")
            } catch let failure as CommandFailure {
                #expect(failure.status == .wrongUse)
                #expect(failure.message.contains("\(fixture.target(10).identity.rawValue)  10.0.0.10:9090  job shop"))
            }
            await #expect(throws: HistoryError.self) { _ = try await why(fixture, "10.9.9.9") }
        }
    }

    @Test("People read a fact a line, then the sentence")
    func facts() async throws {
        try await LedgerFixture.with { fixture in
            _ = try await fixture.recordIncident()
            let command = try Why.parse(["10.0.0.5:9090", "--at", "2"])
            let lines = try await fixture.printed { _ = try await command.write(to: $0, $1) }.text
                .split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
            #expect(lines.first == "Target              10.0.0.5:9090")
            #expect(lines.contains { $0.hasPrefix("Partition           ") })
            #expect(lines.contains("Members             3: a, b, c"))
            #expect(lines.contains("Computed again      yes"))
            #expect(lines[lines.count - 3].isEmpty && lines[lines.count - 2].hasSuffix("."))
        }
    }

    @Test("A decision by load names the loads that it left")
    func byLoad() async throws {
        try await LedgerFixture.with { fixture in
            let past = try await fixture.recordIncident()
            try await fixture.append(fixture.state.apply(strategy: .sticky()), cause: .strategy)
            try await fixture.append(fixture.collectors(["a", "b", "d", "e"]), cause: .membership)
            let taken = try #require(fixture.holders.first { $0.value == "e" }?.key)
            let decision = try await why(fixture, taken)
            #expect(decision["strategy"] == .text("sticky") && decision["partition"] == .null)
            #expect(decision["reason"] == .text("collector_joined") && decision["collector"] == .text("e"))
            #expect(decision["collectors_then"] == .number(4) && decision["targets_then"] == .number(11))
            #expect(decision["targets_of_collector_then"] == .number(2))
            #expect(decision["fewest_then"] == .number(2) && decision["most_then"] == .number(3))
            let sentence = try #require(decision["summary"]?.text)
            #expect(sentence.contains("because e joined and took it from "))
            #expect(
                sentence.hasSuffix(
                    "The strategy sticky keeps every collector within one target of the others by the fewest moves: after "
                        + "that revision e had 2 of 11 targets, and 4 collectors had 2 to 3 each."))
            // What moved when the strategy changed says so; what was even already still has its ring.
            let unmoved = try #require(past[5].first { $0.value == fixture.holders[$0.key] }?.key)
            #expect(try await why(fixture, unmoved)["strategy"] == .text("consistent-hashing"))
        }
    }

    @Test("A decision of the load bound names who was full")
    func loadBound() async throws {
        try await LedgerFixture.with { fixture in
            try await fixture.append(fixture.collectors((0..<9).map { "otelcol-\($0)" }), cause: .membership)
            try await fixture.append(fixture.discover((0..<400).map { fixture.target($0) }))
            let ring = ConsistentHashRing(members: (0..<9).map { "otelcol-\($0)" }, version: .v1)
            let addresses = fixture.holders.keys.sorted()
            let pushed = try #require(
                addresses.first {
                    ring.explain(partition: ConsistentHashRing.partition(of: $0))?.passed.isEmpty == false
                })
            let decision = try await why(fixture, pushed)
            let walk = try #require(ring.explain(partition: ConsistentHashRing.partition(of: pushed)))
            #expect(decision["natural_owner"] == .text(walk.naturalOwner) && decision["steps"]?.number == walk.steps)
            #expect(decision["passed"]?.list.count == walk.passed.count)
            #expect(
                decision["summary"]?.text?.contains("\(walk.naturalOwner), was full with \(walk.loadMax) partitions")
                    == true)
        }
    }
}
