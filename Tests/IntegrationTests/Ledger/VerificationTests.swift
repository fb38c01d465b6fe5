//
// VerificationTests.swift: whatever a superuser does to the tables, verify names the row.
//

import AllocationCore
import PostgresDriver
import TestSupport
import Testing

@testable import AllocationLedger

/// Goal: no row of history or of a dictionary can be altered, removed or moved without verify naming it; nothing else is
/// found.
///
/// Method: a ledger of four revisions; each case alters it as a superuser who switches the triggers off.
@Suite struct VerificationTests {
    /// One alteration and the first thing that verify has to say.
    struct Case: CustomTestStringConvertible {
        let sql: String
        let kind: VerificationReport.Finding.Kind
        var revision: Int64?
        var ordinal: Int32?
        /// What the finding must mention.
        var mentions = ""

        var testDescription: String { sql }
    }

    static let cases: [Case] = [
        // Target events of revision 2.
        Case(
            sql:
                "UPDATE ledger.target_event SET collector_after = 1 + collector_after % 3 WHERE revision = 2 AND ordinal = 7",
            kind: .altered, revision: 2, ordinal: 7),
        Case(
            sql:
                "UPDATE ledger.target_event SET label_set_after = label_set_after + 1 WHERE revision = 2 AND ordinal = 0",
            kind: .altered, revision: 2, ordinal: 0),
        Case(
            sql: "UPDATE ledger.target_event SET reason = 2 WHERE revision = 2 AND ordinal = 59",
            kind: .altered, revision: 2, ordinal: 59),
        Case(
            sql: "UPDATE ledger.target_event SET flags = 0 WHERE revision = 2 AND ordinal = 3",
            kind: .altered, revision: 2, ordinal: 3),
        Case(
            sql: "UPDATE ledger.target_event SET leaf = leaf + 1 WHERE revision = 2 AND ordinal = 4",
            kind: .altered, revision: 2, ordinal: 4),
        Case(
            sql: "UPDATE ledger.target_event SET at = at + interval '1 microsecond' WHERE revision = 2 AND ordinal = 5",
            kind: .altered, revision: 2, ordinal: 5, mentions: "time"),
        Case(
            sql: "DELETE FROM ledger.target_event WHERE revision = 2 AND ordinal = 0",
            kind: .missing, revision: 2, ordinal: 0),
        Case(
            sql: "DELETE FROM ledger.target_event WHERE revision = 2 AND ordinal = 33",
            kind: .missing, revision: 2, ordinal: 33),
        Case(
            sql: "DELETE FROM ledger.target_event WHERE revision = 2 AND ordinal = 59",
            kind: .missing, revision: 2, ordinal: 59),
        Case(sql: "DELETE FROM ledger.target_event WHERE revision = 2", kind: .missing, revision: 2, ordinal: 0),
        Case(
            sql: """
                UPDATE ledger.target_event SET ordinal = 1010 WHERE revision = 2 AND ordinal = 10;
                UPDATE ledger.target_event SET ordinal = 10 WHERE revision = 2 AND ordinal = 11;
                UPDATE ledger.target_event SET ordinal = 11 WHERE revision = 2 AND ordinal = 1010
                """, kind: .reordered, revision: 2, ordinal: 10, mentions: "was event 11"),
        Case(
            sql: """
                INSERT INTO ledger.target_event SELECT at, revision, 60, target, collector_before, collector_after,
                    label_set_before, label_set_after, leaf, reason, flags
                FROM ledger.target_event WHERE revision = 2 AND ordinal = 59
                """, kind: .altered, revision: 2, ordinal: 60),
        Case(
            sql: """
                INSERT INTO ledger.target_event SELECT at, 99, 0, target, collector_before, collector_after,
                    label_set_before, label_set_after, leaf, reason, flags
                FROM ledger.target_event WHERE revision = 2 AND ordinal = 59
                """, kind: .altered, revision: 99, ordinal: 0),
        // Collector events of revision 1.
        Case(
            sql: "UPDATE ledger.collector_event SET evidence = 'nobody knows' WHERE revision = 1 AND ordinal = 1",
            kind: .altered, revision: 1, ordinal: 1),
        Case(
            sql: "UPDATE ledger.collector_event SET node = NULL WHERE revision = 1 AND ordinal = 2",
            kind: .altered, revision: 1, ordinal: 2),
        Case(
            sql: "DELETE FROM ledger.collector_event WHERE revision = 1 AND ordinal = 1",
            kind: .missing, revision: 1, ordinal: 1),
        // Dictionaries.
        Case(
            sql: "UPDATE ledger.label SET value = 'prod' WHERE name = 'env'", kind: .altered,
            mentions: "label_set row 1,"),
        Case(sql: "DELETE FROM ledger.label WHERE name = 'env'", kind: .missing, mentions: "ledger.label row"),
        Case(
            sql: "UPDATE ledger.label_set SET labels = labels[1:4] WHERE id = 17", kind: .altered,
            mentions: "label_set row 17"),
        Case(
            sql: "UPDATE ledger.label_set SET digest = sha256('x') WHERE id = 17", kind: .altered,
            mentions: "label_set row 17"),
        Case(
            sql: "UPDATE ledger.target SET address = '10.9.9.9:1' WHERE id = 6", kind: .altered, revision: 2, ordinal: 5
        ),
        Case(
            sql: "UPDATE ledger.target SET identity = identity + 1 WHERE id = 6", kind: .altered, revision: 2,
            ordinal: 5),
        Case(sql: "DELETE FROM ledger.target WHERE id = 6", kind: .altered, revision: 2, ordinal: 5),
        Case(sql: "UPDATE ledger.job SET name = 'other'", kind: .altered, revision: 2, ordinal: 0),
        Case(sql: "UPDATE ledger.collector SET name = 'x' WHERE name = 'b'", kind: .altered, revision: 1, ordinal: 1),
        Case(sql: "UPDATE ledger.collector SET uid = 'x' WHERE name = 'a'", kind: .altered, revision: 1, ordinal: 0),
        Case(
            sql: "UPDATE ledger.ring SET members[1] = 'z' WHERE id = 1", kind: .altered, mentions: "ledger.ring row 1"),
        Case(
            sql: "UPDATE ledger.configuration SET text = 'a: 2'", kind: .altered, mentions: "ledger.configuration row 1"
        ),
        // Revisions.
        Case(
            sql: "UPDATE ledger.revision SET cause_detail = 'nothing' WHERE revision = 3", kind: .altered, revision: 3),
        Case(sql: "UPDATE ledger.revision SET targets_moved = 0 WHERE revision = 3", kind: .altered, revision: 3),
        Case(sql: "UPDATE ledger.revision SET occurred_at = at WHERE revision = 3", kind: .altered, revision: 3),
        Case(sql: "UPDATE ledger.revision SET configuration = NULL WHERE revision = 3", kind: .altered, revision: 3),
        Case(
            sql: "UPDATE ledger.revision SET events_digest = sha256('') WHERE revision = 4", kind: .altered, revision: 4
        ),
        Case(sql: "DELETE FROM ledger.revision WHERE revision = 2", kind: .missing, revision: 2),
        Case(sql: "DELETE FROM ledger.revision WHERE revision = 4", kind: .missing, revision: 4),
        Case(
            sql: "DELETE FROM ledger.revision WHERE revision >= 3; DELETE FROM ledger.target_event WHERE revision >= 3",
            kind: .missing, revision: 3),
        // The tip and the current state.
        Case(sql: "UPDATE ledger.head SET digest = sha256('')", kind: .altered, mentions: "tip"),
        Case(sql: "UPDATE ledger.head SET revision = 2", kind: .altered, mentions: "tip"),
        Case(sql: "UPDATE ledger.head SET revision = 6", kind: .missing, revision: 5),
        Case(
            sql: "UPDATE ledger.current_target SET collector = 1 + collector % 4 WHERE target = 9", kind: .altered,
            mentions: "target 9"),
        Case(sql: "DELETE FROM ledger.current_target WHERE target = 9", kind: .altered, mentions: "target 9"),
    ]

    @Test("An alteration is found and named", arguments: cases)
    func alteration(_ alteration: Case) async throws {
        try await LedgerFixture.with { ledger in
            try await Self.fill(&ledger)
            try await ledger.script("SET session_replication_role = replica; \(alteration.sql)")
            let report = try await ChainVerifier.verify(ledger.configuration, logger: TestPostgres.logger)
            let first = try #require(report.findings.first, "nothing found")
            #expect(first.kind == alteration.kind, "\(report.findings)")
            #expect(first.revision == alteration.revision, "\(report.findings)")
            #expect(first.ordinal == alteration.ordinal, "\(report.findings)")
            #expect(first.detail.contains(alteration.mentions), "\(report.findings)")
        }
    }

    @Test("A ledger that nobody altered is intact")
    func intact() async throws {
        try await LedgerFixture.with { ledger in
            let empty = try await ChainVerifier.verify(ledger.configuration, logger: TestPostgres.logger)
            #expect(empty.isIntact && empty.head == nil, "\(empty.findings)")
            try await Self.fill(&ledger)
            let report = try await ChainVerifier.verify(ledger.configuration, logger: TestPostgres.logger)
            #expect(report.isIntact, "\(report.findings)")
            #expect(report.revisions == 4)
            let head = try await ledger.writer.currentHead()
            #expect(report.head == head)
            let events = try await ledger.number(
                "SELECT (SELECT count(*) FROM ledger.target_event) + (SELECT count(*) FROM ledger.collector_event)")
            #expect(report.events == events)
        }
    }

    /// Collectors, 60 targets, another collector for one, and some that vanish.
    private static func fill(_ ledger: inout LedgerFixture) async throws {
        try await ledger.append(
            ledger.collectors(["a", "b", "c"]), cause: .membership,
            configuration: ConfigurationRecord(redactedText: "a: 1"))
        try await ledger.append(ledger.discover((0..<60).map { ledger.target($0) }))
        try await ledger.append(ledger.collectors(["b", "c", "d"]), cause: .membership, detail: "static list")
        try await ledger.append(ledger.discover((0..<55).map { ledger.target($0, generation: $0 % 7 == 0 ? 1 : 0) }))
    }
}
