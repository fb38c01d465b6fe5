import AllocationCore
import AllocationLedger
import AllocatorAPI
import ArgumentParser
import Foundation
import PostgresDriver
import Testing

@testable import TargetLedger

/// Goal: `export` writes every row once, in order; `report` is one page with all its lists.
@Suite struct ExportTests {
    private func export(_ fixture: LedgerFixture, _ arguments: String...) async throws -> [[String: JSONCell]] {
        let command = try Export.parse(arguments)
        return try await fixture.objects { try await command.write(to: $0, $1) }
    }

    @Test("Events come oldest first, each once")
    func events() async throws {
        try await LedgerFixture.with { fixture in
            _ = try await fixture.recordIncident()
            let rows = try await export(fixture)
            let recorded = try await fixture.query(
                """
                SELECT e.revision, t.identity FROM ledger.target_event e JOIN ledger.target t ON t.id = e.target \
                ORDER BY e.revision, e.ordinal
                """)
            let expected = try recorded.map { row in
                "\(try row.decode(0, as: Int64.self)) \(UInt64(bitPattern: try row.decode(1, as: Int64.self)))"
            }
            #expect(rows.map { "\($0["revision"]?.number ?? 0) \($0["identity"]?.text ?? "?")" } == expected)
            let window = try await export(fixture, "--since", "3", "--until", "5")
            #expect(Set(window.compactMap { $0["revision"]?.number }) == [3, 4])
            #expect(try await export(fixture, "--since", "2000-01-01", "--until", "2000-01-02").isEmpty)
            #expect(try await export(fixture, "--since", "0").isEmpty)
        }
    }

    @Test("Moves are those of the list of moves, oldest first")
    func moves() async throws {
        try await LedgerFixture.with { fixture in
            _ = try await fixture.recordIncident()
            let command = try Moves.parse(["--output", "ndjson"])
            let newestFirst = try await fixture.objects { _ = try await command.write(to: $0, $1) }
            let expected = newestFirst.enumerated().sorted { first, second in
                (first.element["revision"]?.number ?? 0, first.offset)
                    < (second.element["revision"]?.number ?? 0, second.offset)
            }.map(\.element)
            let rows = try await export(fixture, "--what", "moves")
            #expect(rows == expected && rows.count > 12)
            let revisions = rows.compactMap { $0["revision"]?.number }
            #expect(revisions == revisions.sorted() && revisions.first == 2)
        }
    }

    @Test("Events of collectors come oldest first")
    func collectors() async throws {
        try await LedgerFixture.with { fixture in
            _ = try await fixture.recordIncident()
            let rows = try await export(fixture, "--what", "collectors")
            let told = rows.map { row in
                "\(row["revision"]?.number ?? 0) \(row["event"]?.text ?? "?") \(row["collector"]?.text ?? "?")"
            }
            #expect(told == ["1 joined a", "1 joined b", "1 joined c", "3 left c", "6 joined d"])
            #expect(try await export(fixture, "--what", "collectors", "--since", "3", "--until", "6").count == 1)
        }
    }

    @Test("Revisions come oldest first with their digests, over more than a page")
    func revisions() async throws {
        try await LedgerFixture.with { fixture in
            try await fixture.append(fixture.collectors(["a"]), cause: .membership)
            for generation in 0..<1100 {
                try await fixture.append(fixture.discover([fixture.target(1, generation: generation)]))
            }
            let rows = try await export(fixture, "--what", "revisions")
            #expect(rows.compactMap { $0["revision"]?.number } == Array(1...1101))
            for (row, next) in zip(rows, rows.dropFirst()) { #expect(row["digest"] == next["previous_digest"]) }
            #expect(try await export(fixture).count == 1100)
        }
    }

    @Test("A state comes with labels, as CSV too")
    func state() async throws {
        try await LedgerFixture.with { fixture in
            let past = try await fixture.recordIncident()
            let rows = try await export(fixture, "--what", "state", "--at", "2")
            #expect(rows.count == past[1].count)
            let command = try Export.parse(["--what", "state", "--output", "csv", "--match", #"{generation="1"}"#])
            let csv = try await fixture.printed { try await command.write(to: $0, $1) }.text
            #expect(csv.hasPrefix("revision,time,job,address,collector,identity,labels\r\n6,"))
            #expect(csv.contains(#","{""__address__"":""10.0.0.0:9090"",""#))
            #expect(csv.split(whereSeparator: \.isNewline).count == 3)
        }
    }

    @Test("An empty ledger is an empty export and a state that is not there")
    func empty() async throws {
        try await LedgerFixture.with { fixture in
            let rows = try await export(fixture) + export(fixture, "--what", "revisions")
            #expect(rows.isEmpty)
            await #expect(throws: HistoryError.nothingRecorded) {
                _ = try await export(fixture, "--what", "state")
            }
        }
    }

    @Test("What does not belong together is wrong use")
    func wrongUse() {
        for arguments in [["--at", "3"], ["--what", "state", "--since", "3"], ["--output", "table"]] {
            #expect(throws: (any Error).self) { try Export.parse(arguments) }
        }
    }

    @Test("A report is one page, for people and for programs")
    func report() async throws {
        try await LedgerFixture.with { fixture in
            let past = try await fixture.recordIncident()
            let markdown = try ReportCommand.parse(["--since", "2"])
            let page = try await fixture.printed { try await markdown.write(to: $0, $1) }.text
            #expect(page.hasPrefix("# What happened from "))
            #expect(page.contains("\n## Collectors\n\n| time | revision | collector | event | node | evidence |\n"))
            #expect(page.contains("| c | left |"))
            #expect(page.contains("\n## Failed discoveries\n\nNone.\n"))
            #expect(page.contains("| collector\\_left | c |"))

            let json = try ReportCommand.parse(["--since", "2", "--until", "3", "--output", "json"])
            let object = try #require(try await fixture.objects { try await json.write(to: $0, $1) }.first)
            #expect(object["revisions"] == .number(1) && object["first_revision"] == .number(2))
            let hadC = past[1].values.count { $0 == "c" }
            #expect(object["net_moved"]?.number == object["target_events"]?.number)
            let left = object["moves"]?.list.compactMap { move -> Int? in
                guard case .object(let move) = move, move["reason"] == .text("collector_left") else { return nil }
                return move["targets"]?.number
            }
            #expect(left?.reduce(0, +) == hadC)
            #expect(object["terms"]?.list.count == 1 && object["gaps"] == .list([]))
            await #expect(throws: HistoryError.emptyWindow) {
                let backwards = try ReportCommand.parse(["--since", "3", "--until", "2"])
                _ = try await fixture.printed { try await backwards.write(to: $0, $1) }
            }
        }
    }
}
