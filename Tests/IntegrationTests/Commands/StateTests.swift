import AllocationCore
import AllocationLedger
import AllocatorAPI
import ArgumentParser
import PostgresDriver
import TestSupport
import Testing

@testable import TargetLedger

/// Goal: `state` and `diff` are the states that were in force, at every revision.
///
/// Method: the state in memory is kept at each step and compared with what the commands print afterwards.
@Suite struct StateTests {
    private func state(_ fixture: LedgerFixture, _ arguments: String...) async throws -> [[String: JSONCell]] {
        let command = try State.parse(["--output", "ndjson"] + arguments)
        return try await fixture.objects { _ = try await command.write(to: $0, $1) }
    }

    private func diff(_ fixture: LedgerFixture, _ arguments: String...) async throws -> [[String: JSONCell]] {
        let command = try Diff.parse(["--output", "ndjson"] + arguments)
        return try await fixture.objects { _ = try await command.write(to: $0, $1) }
    }

    private func holders(_ rows: [[String: JSONCell]]) -> [String: String?] {
        Dictionary(uniqueKeysWithValues: rows.map { ($0["address"]?.text ?? "?", $0["collector"]?.text) })
    }

    @Test("A difference of targets with certain labels is that part of the whole, page by page")
    func selectedDifference() async throws {
        try await LedgerFixture.with { fixture in
            _ = try await fixture.recordIncident()
            let whole = try await diff(fixture, "1", "6")
            let selected = try await diff(fixture, "1", "6", "--match", #"{zone=~"zone-[01]",job="shop"}"#)
            let expected = whole.filter { row in
                // Zones go by the number of the target.
                let number = row["address"]?.text?.split(separator: ":").first?.split(separator: ".").last.flatMap {
                    Int($0)
                }
                return number.map { $0 % 3 < 2 } ?? false
            }
            #expect(!selected.isEmpty && selected == expected && selected.count < whole.count)
            #expect(try await diff(fixture, "1", "6", "--match", #"{zone="nowhere"}"#).isEmpty)
            let pages = try await LedgerDatabase.read(fixture.configuration, logger: TestPostgres.logger) {
                connection in
                let selection = try LabelSelection(
                    anyOf: [LabelMatcher.parse(#"{zone="zone-1"}"#)], regex: { _ in { _ in true } })
                var query = DiffQuery(
                    from: try await Instant.revision(Revision(1)).resolve(connection),
                    to: try await Instant.latest.resolve(connection), limit: 1)
                var pages: [[String]] = []
                repeat {
                    let page = try await query.run(selecting: selection, connection)
                    pages.append(page.items.map(\.target.address))
                    query.after = page.next
                } while query.after != nil
                return pages
            }
            let zone1 = try await diff(fixture, "1", "6", "--match", #"{zone="zone-1"}"#)
            #expect(pages.flatMap(\.self) == zone1.compactMap { $0["address"]?.text })
        }
    }

    @Test("The state at every revision is what was in force then")
    func everyRevision() async throws {
        try await LedgerFixture.with { fixture in
            let past = try await fixture.recordIncident()
            for (index, expected) in past.enumerated() {
                let rows = try await state(fixture, "--at", "\(index + 1)")
                #expect(holders(rows) == expected, "revision \(index + 1)")
                #expect(rows.allSatisfy { $0["revision"] == .number(Double(index + 1)) })
            }
            #expect(holders(try await state(fixture)) == fixture.holders)
            let moment = try await fixture.query("SELECT at FROM ledger.revision WHERE revision = 3").first
            let at = try #require(moment).decode(0, as: Timestamp.self)
            #expect(holders(try await state(fixture, "--at", "\(at)")) == past[2])
            await #expect(throws: HistoryError.notYetWritten(latest: Revision(6))) {
                _ = try await state(fixture, "--at", "7")
            }
        }
    }

    @Test("A part of the state is chosen by collector, labels and address")
    func choice() async throws {
        try await LedgerFixture.with { fixture in
            let past = try await fixture.recordIncident()
            let onC = try await state(fixture, "--at", "2", "--collector", "c")
            #expect(holders(onC) == past[1].filter { $0.value == "c" })
            #expect(try await state(fixture, "--at", "2", "--unassigned").isEmpty)
            #expect(try await state(fixture, "--job", "other").isEmpty)
            let zone = try await state(fixture, "--match", #"{generation="1"}"#, "--labels")
            #expect(zone.compactMap { $0["address"]?.text }.sorted() == ["10.0.0.0:9090", "10.0.0.1:9090"])
            guard case .object(let labels)? = zone.first?["labels"] else { return #expect(Bool(false), "no labels") }
            #expect(labels["generation"] == .text("1") && labels["env"] == .text("test"))
            #expect(try await state(fixture, "--at", "3", "--match", #"{generation="1"}"#).isEmpty)
        }
    }

    @Test("A large state comes whole, whatever its form")
    func large() async throws {
        try await LedgerFixture.with { fixture in
            try await fixture.fill(2300)
            #expect(holders(try await state(fixture)) == fixture.holders)
            for (form, lines) in [("csv", 2301), ("json", 2302)] {
                let command = try State.parse(["--output", form])
                let printed = try await fixture.printed { try await command.write(to: $0, $1) }
                #expect(printed.text.split(whereSeparator: \.isNewline).count == lines)
                #expect(!printed.value)
            }
            let table = try State.parse([])
            let printed = try await fixture.printed { try await table.write(to: $0, $1) }
            #expect(printed.text.hasPrefix("The state at revision 2 of "))
            #expect(printed.value)
        }
    }

    @Test("A difference is that of the two states, either way")
    func difference() async throws {
        try await LedgerFixture.with { fixture in
            let past = try await fixture.recordIncident()
            for (from, to) in [(2, 3), (3, 2), (1, 6), (2, 6), (4, 4)] {
                let rows = try await diff(fixture, "\(from)", "\(to)")
                let (before, after) = (past[from - 1], past[to - 1])
                // The first target's identity changed at 4: to lists of identities it left and another came.
                let expected = Set(before.keys).union(after.keys).filter { address in
                    before[address] != after[address]
                        || ["10.0.0.0:9090", "10.0.0.1:9090"].contains(address) && (from < 4) != (to < 4)
                }
                #expect(Set(rows.compactMap { $0["address"]?.text }) == expected, "from \(from) to \(to)")
                for row in rows where row["change"] == .list([.text("moved")]) {
                    let address = try #require(row["address"]?.text)
                    #expect(row["from"]?.text == before[address] ?? nil && row["to"]?.text == after[address] ?? nil)
                }
            }
            let relabelled = try await diff(fixture, "3", "4").first { $0["address"] == .text("10.0.0.1:9090") }
            #expect(relabelled?["change"] == .list([.text("relabelled")]))
            #expect(
                relabelled?["label_changes"]
                    == .list([.object(["label": .text("generation"), "before": .text("0"), "after": .text("1")])]))
            let summary = try await diff(fixture, "1", "2", "--summary")
            #expect(summary.count == 1 && summary.first?["added"] == .number(12))
        }
    }

    @Test("A table of differences says how many there are")
    func table() async throws {
        try await LedgerFixture.with { fixture in
            _ = try await fixture.recordIncident()
            let command = try Diff.parse(["4", "5"])
            let printed = try await fixture.printed { _ = try await command.write(to: $0, $1) }.text
            #expect(printed.contains(": 0 added, 1 removed, 0 moved, 0 relabelled.\n\nCHANGE "))
            #expect(printed.hasPrefix("From revision 4 of "))
        }
        #expect(throws: (any Error).self) { try Diff.parse(["1", "2", "--summary", "--job", "a"]) }
        #expect(throws: (any Error).self) { try Diff.parse(["1", "2", "--summary", "--match", "{a=\"b\"}"]) }
        #expect(throws: (any Error).self) { try State.parse(["--unassigned", "--collector", "a"]) }
    }
}
