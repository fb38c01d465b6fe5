//
// GrafanaViewTests.swift: what dashboards read in SQL is what the history says, for a role that may only read.
//

import AllocationCore
import Foundation
import PostgresDriver
import TestSupport
import Testing

@testable import AllocationLedger

/// Goal: each documented view is exact, can be read by `ledger_reader`, and no role can change history through SQL.
///
/// Method: a random history through the real writer with a model beside it; every view asked in a session that has set
/// the role, and compared with the model at every revision.
@Suite struct GrafanaViewTests {
    private struct Assignment: Hashable {
        let job: String
        let identity: String
    }

    @Test("Owner time line and load of each collector are what they were, at every revision")
    func views() async throws {
        try await LedgerFixture.with { ledger in
            var workload = HistoryWorkload(seed: 7)
            for _ in 0..<60 { try await workload.step(&ledger) }
            let model = workload.model
            let reader = try await PostgresConnection.connect(ledger.configuration, logger: TestPostgres.logger)
            try await reader.executeScript(unsafeSQL: "SET ROLE ledger_reader")
            do {
                try await ownerTimeLine(model, reader)
                try await loadChanges(model, reader)
                try await load(model, reader)
                try await annotations(model, reader)
            } catch {
                await reader.close()
                throw error
            }
            await reader.close()
        }
    }

    private func ownerTimeLine(_ model: HistoryModel, _ reader: PostgresConnection) async throws {
        struct Stretch {
            let key: Assignment
            let from: Timestamp
            let until: Timestamp
            let collector: String?
        }
        let stretches = try await reader.query(
            "SELECT job, identity::text, time, coalesce(timeend, 'infinity'), collector FROM ledger.owner_time_line"
        ).map { row in
            Stretch(
                key: Assignment(
                    job: try row.decode(0, as: String.self), identity: try row.decode(1, as: String.self)),
                from: try row.decode(2, as: Timestamp.self), until: try row.decode(3, as: Timestamp.self),
                collector: try row.decode(4, as: String?.self))
        }
        for revision in 1...model.latest {
            let time = model.times[revision]
            let shown = stretches.filter { $0.from <= time && time < $0.until }
            let expected = model.states[revision].map {
                (Assignment(job: $0.key.job, identity: "\($0.key.identity)"), $0.value.collector)
            }
            #expect(
                Dictionary(shown.map { ($0.key, $0.collector) }) { first, _ in first }
                    == Dictionary(uniqueKeysWithValues: expected), "revision \(revision)")
            #expect(shown.count == expected.count, "one stretch for each target at revision \(revision)")
        }
    }

    private func loadChanges(_ model: HistoryModel, _ reader: PostgresConnection) async throws {
        var load: [String: Int] = [:]
        var changes: [Int: [(collector: String, change: Int)]] = [:]
        for row in try await reader.query(
            "SELECT revision, collector, change::bigint FROM ledger.collector_load_change")
        {
            changes[try row.decode(0, as: Int.self), default: []].append(
                (try row.decode(1, as: String.self), try row.decode(2, as: Int.self)))
        }
        for revision in 1...model.latest {
            for change in changes[revision] ?? [] { load[change.collector, default: 0] += change.change }
            #expect(load.filter { $0.value != 0 } == model.load(revision), "revision \(revision)")
        }
    }

    private func load(_ model: HistoryModel, _ reader: PostgresConnection) async throws {
        let (since, until) = (model.times[3], model.times[model.latest - 5])
        let microseconds = until.microsecondsSince1970 - since.microsecondsSince1970
        let step = "\(microseconds / 40) microseconds"
        var shown: [Timestamp: [String: Int]] = [:]
        for row in try await reader.query(
            "SELECT time, collector, targets FROM ledger.collector_load(\(since), \(until), \(step)::text::interval)")
        {
            shown[try row.decode(0, as: Timestamp.self), default: [:]][try row.decode(1, as: String.self)] =
                try row.decode(2, as: Int.self)
        }
        #expect(shown.count >= 41)
        for (time, load) in shown {
            #expect(load.filter { $0.value != 0 } == model.load(model.revision(at: time)), "at \(time)")
        }
        await #expect(throws: PostgresError.self) {
            try await reader.query(
                "SELECT * FROM ledger.collector_load(\(since), \(until), '0 seconds'::interval)")
        }
    }

    private func annotations(_ model: HistoryModel, _ reader: PostgresConnection) async throws {
        var times: [Timestamp] = []
        for row in try await reader.query(
            "SELECT time, tags, text FROM ledger.annotation WHERE tags LIKE 'revision,%' ORDER BY time")
        {
            times.append(try row.decode(0, as: Timestamp.self))
            let cause = model.causes[times.count]?.rawValue ?? ""
            #expect(try row.decode(1, as: String.self) == "revision,\(cause)")
            #expect(try row.decode(2, as: String.self).hasPrefix("Revision \(times.count), \(cause): "))
        }
        #expect(times == Array(model.times.dropFirst()))
    }

    @Test("A failed discovery, a gap, a term and a note are annotations too")
    func otherAnnotations() async throws {
        try await LedgerFixture.with { ledger in
            try await ledger.fill(3)
            try await ledger.script(
                """
                INSERT INTO ledger.gap (from_at, to_at, cause, detail) VALUES ('2026-01-01 00:00Z', '2026-01-01 01:00Z', 'stopped', 'by hand');
                INSERT INTO ledger.note VALUES ('2026-01-02 00:00Z', '2026-01-02 01:00Z', 'ann', 'a drill', now());
                INSERT INTO ledger.discovery_run VALUES
                    ('2026-01-03 00:00Z', '2026-01-03 01:00Z', 'shop', 'http/0', 'x', 'failed', 0, 0, 0, 0, 'status 500', 1, 9, 1);
                """)
            let rows = try await ledger.query(
                "SELECT text, tags FROM ledger.annotation WHERE tags NOT LIKE 'revision,%' AND tags <> 'term' ORDER BY time"
            )
            let shown = try rows.map { "\(try $0.decode(0, as: String.self)) [\(try $0.decode(1, as: String.self))]" }
            #expect(
                shown == [
                    "Nothing was recorded, stopped: by hand [gap,stopped]", "ann: a drill [note]",
                    "Discovery of job shop fails, 9 times so far: status 500 [discovery_failed,shop]",
                ])
        }
    }

    @Test("README's statements run as Grafana would send them")
    func readme() async throws {
        let blocks = try ReadmeExamples().blocks.filter { $0.language == "sql" }
        let statements = blocks.map(\.text).joined().replacing(
            "$__timeFilter(time)", with: "time BETWEEN now() - interval '1h' AND now()"
        )
        .replacing("$__timeFrom()", with: "now() - interval '1h'").replacing("$__timeTo()", with: "now()")
        .replacing("$__interval", with: "1m").split(separator: ";").map {
            $0.trimmingCharacters(in: .whitespacesAndNewlines)
        }
        .filter { !$0.isEmpty }
        #expect(statements.count == 3)
        try await LedgerFixture.with { ledger in
            try await ledger.fill(3)
            let reader = try await PostgresConnection.connect(ledger.configuration, logger: TestPostgres.logger)
            try await reader.executeScript(unsafeSQL: "SET ROLE ledger_reader")
            for statement in statements {
                let rows = try? await reader.query(SQL(unsafeSQL: statement))
                #expect(rows?.isEmpty == false, "\(statement)")
            }
            await reader.close()
        }
    }

    @Test(
        "No role changes history: not the reader, not the writer, not the owner",
        arguments: ["ledger_reader", "ledger_writer", "ledger_owner"])
    func refused(role: String) async throws {
        try await LedgerFixture.with { ledger in
            try await ledger.fill(3)
            try await ledger.script(
                "INSERT INTO ledger.gap (from_at, to_at, cause, detail) VALUES (now(), now(), 'stopped', 'by hand')")
            for statement in [
                "UPDATE ledger.target_event SET reason = 2", "DELETE FROM ledger.revision",
                "TRUNCATE ledger.target_event", "UPDATE ledger.label SET value = 'x'", "DELETE FROM ledger.gap",
            ] {
                let error = await #expect(throws: PostgresError.self, "\(role): \(statement)") {
                    try await ledger.script("SET ROLE \(role); \(statement)")
                }
                #expect(error?.sqlState == .insufficientPrivilege)
            }
            // What it may do: read; to write is the writer's.
            try await ledger.script("SET ROLE \(role); SELECT * FROM ledger.current_assignment")
            let note = "INSERT INTO ledger.note VALUES (now(), now(), 'a', 'b', now())"
            if role == "ledger_reader" {
                await #expect(throws: PostgresError.self) { try await ledger.script("SET ROLE \(role); \(note)") }
            } else {
                try await ledger.script("SET ROLE \(role); \(note)")
            }
        }
    }
}

extension HistoryModel {
    /// Targets of each collector that had any.
    fileprivate func load(_ revision: Int) -> [String: Int] {
        var load: [String: Int] = [:]
        for value in states[revision].values {
            if let collector = value.collector { load[collector, default: 0] += 1 }
        }
        return load
    }
}
