//
// RetentionCommandTests.swift: what the commands print about days, and the files that days are exported to.
//

import AllocationLedger
import AllocatorAPI
import ArgumentParser
import Foundation
import PostgresDriver
import TestSupport
import Testing

@testable import TargetLedger

/// Goal: people and programs see how far each day has come; a file holds every row of its day, and the record its digest.
///
/// Method: three days written with a clock of the test's; the commands' own code on that database.
@Suite struct RetentionCommandTests {
    private let first = PastLedger.firstDay

    @Test("Status names size, seal, holds and when a day is due")
    func status() async throws {
        try await PastLedger.with { past in
            _ = try await past.write(days: 3)
            _ = try await past.run(.seal)
            _ = try await past.run(.hold(from: first.start, to: first.end, reason: "case 7"))
            let command = try RetentionStatus.parse(["--output", "ndjson"])
            let rows = try await past.ledger.objects {
                try await command.write(to: $0, keeping: .seconds(86_400), $1)
            }
            let days = rows.map { $0["day"]?.text ?? "" }
            #expect(days == days.sorted(by: >))
            let row = try #require(rows.first { $0["day"] == .text("\(first)") })
            #expect(row["state"] == .text("sealed"))
            #expect(row["rows"]?.number == 26)
            #expect(row["sealed_by"]?.number == 8)
            #expect(row["held_by"] == .list([.number(11)]))
            #expect(row["drop_due"] == .text("\(first.next.end)"))
            #expect((row["bytes"]?.number ?? 0) > 0)
            let today = try #require(rows.first { $0["day"] == .text("\(first.next.next.next)") })
            #expect(today["state"] == .text("open"))
            #expect(today["sealed_by"] == .null)

            let table = try await past.ledger.printed { console, connection in
                try await RetentionStatus.parse([]).write(to: console, keeping: nil, connection)
            }.text
            #expect(table.contains("DAY"))
            #expect(table.contains("\(first)  "))
            let plan = try await past.catalogue()
            let preview = try await past.ledger.objects { console, _ in
                try RetentionDrop.preview(plan, before: first.next.next.start, as: .ndjson, to: console)
            }
            #expect(preview.map { $0["would_drop"] } == [.boolean(true), .boolean(false), .boolean(false)])
            #expect(preview[1]["obstacle"] == .text("hold 11 keeps it"))
            #expect(preview[2]["obstacle"] == .text("\(first) before it is kept"))
        }
    }

    @Test("A day is written whole, and the revision that drops it names the file's digest")
    func export() async throws {
        try await PastLedger.with { past in
            _ = try await past.write(days: 2)
            _ = try await past.run(.seal)
            let folder = FileManager.default.temporaryDirectory.appending(path: "days-\(UUID().uuidString)")
            defer { try? FileManager.default.removeItem(at: folder) }
            let digests = try await DayFiles(folder: folder.path()).write(
                [first.previous, first], past.ledger.configuration, logger: TestPostgres.logger)
            let digest = try #require(digests[first])
            _ = try await past.run(.drop(before: first.end, exports: digests))
            let detail = try await past.ledger.query(
                "SELECT cause_detail FROM ledger.revision ORDER BY revision DESC LIMIT 1"
            ).first?.decode(0, as: String.self)
            #expect(detail?.hasSuffix("; exported, sha256 \(digest)") == true)
            let kept = try await past.ledger.query(
                "SELECT export_sha256 FROM ledger.partition_drop ORDER BY revision DESC LIMIT 1"
            ).first
            #expect(try kept?.decode(0, as: [UInt8].self) == digest.bytes)

            let files = try FileManager.default.contentsOfDirectory(atPath: folder.path()).sorted()
            #expect(files == ["ledger-\(first.previous).ndjson", "ledger-\(first).ndjson"])
            let text = try String(contentsOf: folder.appending(path: files[1]), encoding: .utf8)
            #expect(Digest32.hash(Array(text.utf8)) == digest)
            let rows = try text.split(separator: "\n").map {
                try JSONDecoder().decode([String: JSONCell].self, from: Data($0.utf8))
            }
            let tables = Dictionary(grouping: rows) { $0["table"]?.text ?? "" }.mapValues(\.count)
            #expect(tables == ["revision": 2, "target_event": 20, "collector_event": 3, "discovery_report": 1])
            let event = try #require(rows.first { $0["table"] == .text("target_event") })
            #expect(event["job"] == .text("shop"))
            #expect(event["collector_after_name"]?.text != nil)
        }
    }

    @Test("Without --export days go where retention exports them to")
    func exportDirectory() throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "config-\(UUID().uuidString).yaml")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data("ledger: {retention_export_directory: /srv/days}\n".utf8).write(to: file)
        let database = try DatabaseFlags.parse(["--config-file", file.path()])
        #expect(try RetentionFlags.parse([]).exportDirectory(database) == "/srv/days")
        try Data("ledger: {}\n".utf8).write(to: file)
        #expect(try RetentionFlags.parse([]).exportDirectory(database) == nil)
    }

    @Test("A request waits for the leader; where nobody leads it is done at once")
    func requests() async throws {
        try await PastLedger.with { past in
            _ = try await past.write(days: 2)
            let client = OperatorClient(past.ledger.configuration, who: "auditor@desk", logger: TestPostgres.logger)
            // The test holds the lease and does not look at requests yet.
            #expect(try await client.run(.seal, patience: .milliseconds(300)) == nil)
            let served = try await past.executing { try await $0.serveRequests(in: past.ledger.token.epoch, $1) }
            #expect(served == 1)
            #expect(try await past.ledger.number("SELECT count(*) FROM ledger.seal") == 15)

            try await past.endLease()
            let outcome = try await client.run(
                .hold(from: first.start, to: first.end, reason: "case 7"), patience: .seconds(60))
            #expect(outcome?.succeeded == true)
            #expect(outcome?.text.hasPrefix("hold 9 keeps") == true, "\(outcome?.text ?? "none")")
            let row = try await past.ledger.query(
                """
                SELECT v.cause, v.cause_detail, t.end_reason, h.placed_by FROM ledger.revision v \
                JOIN ledger.term t USING (epoch), ledger.legal_hold h WHERE v.revision = 8
                """
            ).first
            #expect(try row?.decode(0, as: String.self) == "term_start")
            #expect(try row?.decode(1, as: String.self).contains("; gap 2026-03-") == true)
            #expect(try row?.decode(2, as: String.self) == "stopped")
            #expect(try row?.decode(3, as: String.self) == "auditor@desk")
            let refused = try await client.run(.release(hold: 99, reason: "none"), patience: .seconds(60))
            #expect(refused?.succeeded == false)
        }
    }
}
