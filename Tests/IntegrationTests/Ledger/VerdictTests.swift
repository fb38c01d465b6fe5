//
// VerdictTests.swift: each part of a ledger gets its verdict, from the database, from an export, and by another program.
//

import AllocationCore
import PostgresDriver
import TestSupport
import Testing

@testable import AllocationLedger

/// Goal: whatever somebody with all rights does behind our back is found and named with the part it is in, and nothing
/// else; what retention drops and what a gap's row declares is no alteration.
///
/// Method: a ledger of two days. Each alteration is judged three times: online, offline from an export, and by
/// Tests/Shell/verify-ledger, which is written from the format's page alone.
@Suite struct VerdictTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let name: String
        /// `DAY1` and `DAY2` stand for the days as partitions are named.
        let sql: String
        /// The part whose verdict it is, likewise.
        let part: String
        let verdict: VerificationReport.Verdict

        var testDescription: String { name }
    }

    private static let cases: [Case] = [
        Case(
            name: "update", sql: "UPDATE ledger.target_event SET reason = 2 WHERE revision = 2 AND ordinal = 7",
            part: "target_event_DAY1", verdict: .altered),
        Case(
            name: "delete", sql: "DELETE FROM ledger.target_event WHERE revision = 2 AND ordinal = 7",
            part: "target_event_DAY1", verdict: .missing),
        Case(
            name: "delete a revision and its events",
            sql: "DELETE FROM ledger.target_event WHERE revision = 2; DELETE FROM ledger.revision WHERE revision = 2",
            part: "revision_DAY1", verdict: .missing),
        Case(
            name: "reorder",
            sql: """
                UPDATE ledger.target_event SET ordinal = 1010 WHERE revision = 2 AND ordinal = 10;
                UPDATE ledger.target_event SET ordinal = 10 WHERE revision = 2 AND ordinal = 11;
                UPDATE ledger.target_event SET ordinal = 11 WHERE revision = 2 AND ordinal = 1010
                """, part: "target_event_DAY1", verdict: .altered),
        Case(
            name: "insert",
            sql: """
                INSERT INTO ledger.target_event SELECT at, revision, 60, target, collector_before, collector_after,
                    label_set_before, label_set_after, leaf, reason, flags
                FROM ledger.target_event WHERE revision = 2 AND ordinal = 59
                """, part: "target_event_DAY1", verdict: .altered),
        Case(
            name: "truncated tail",
            sql: """
                DELETE FROM ledger.revision WHERE revision > 4; DELETE FROM ledger.target_event WHERE revision > 4;
                UPDATE ledger.head h SET revision = v.revision, at = v.at, digest = v.digest
                FROM ledger.revision v WHERE v.revision = 4
                """, part: "head", verdict: .missing),
        Case(
            name: "truncated tail that a term saw",
            sql: """
                INSERT INTO ledger.term (epoch, holder, address, acquired_at, first_revision, first_digest)
                SELECT 99, gen_random_uuid(), 'x', clock_timestamp(), revision, digest FROM ledger.head;
                DELETE FROM ledger.revision WHERE revision = 6;
                UPDATE ledger.head h SET revision = v.revision, at = v.at, digest = v.digest
                FROM ledger.revision v WHERE v.revision = 5
                """, part: "term", verdict: .missing),
        Case(
            name: "truncated tail that a collector was told",
            sql: """
                INSERT INTO ledger.delivery SELECT clock_timestamp(), 'a', 'shop', 6, gen_random_uuid();
                DELETE FROM ledger.revision WHERE revision = 6;
                UPDATE ledger.head h SET revision = v.revision, at = v.at, digest = v.digest
                FROM ledger.revision v WHERE v.revision = 5
                """, part: "head", verdict: .missing),
        Case(
            name: "swapped label sets of two events",
            sql: """
                UPDATE ledger.target_event e SET label_set_after = o.label_set_after FROM ledger.target_event o
                WHERE e.revision = 2 AND o.revision = 2 AND e.ordinal + o.ordinal = 7 AND e.ordinal IN (3, 4)
                """, part: "target_event_DAY1", verdict: .altered),
        Case(
            name: "swapped contents of two label sets",
            sql: """
                UPDATE ledger.label_set s SET labels = o.labels FROM ledger.label_set o
                WHERE s.id + o.id = 7 AND s.id IN (3, 4)
                """, part: "label_set", verdict: .altered),
        Case(
            name: "swapped rows of two label sets",
            sql: """
                UPDATE ledger.label_set s SET labels = o.labels, digest = o.digest FROM ledger.label_set o
                WHERE s.id + o.id = 7 AND s.id IN (3, 4)
                """, part: "target_event_DAY1", verdict: .altered),
        Case(
            name: "changed dictionary row", sql: "UPDATE ledger.label SET value = 'prod' WHERE name = 'env'",
            part: "label_set", verdict: .altered),
        Case(
            name: "deleted dictionary row", sql: "DELETE FROM ledger.target WHERE id = 4", part: "target",
            verdict: .missing),
        Case(
            name: "dropped partition of events", sql: "DROP TABLE ledger.target_event_DAY1", part: "target_event_DAY1",
            verdict: .missing),
        Case(
            name: "dropped partition of revisions", sql: "DROP TABLE ledger.revision_DAY1", part: "revision_DAY1",
            verdict: .missing),
        Case(
            name: "dropped day",
            sql:
                "DROP TABLE ledger.revision_DAY1; DROP TABLE ledger.target_event_DAY1; DROP TABLE ledger.collector_event_DAY1",
            part: "revision_DAY1", verdict: .missing),
        Case(
            name: "dropped day with a seal that no revision records",
            sql: """
                INSERT INTO ledger.seal (partition, from_at, to_at, rows, first_revision, last_revision, digest, tree, sealed_at)
                SELECT 'revision_DAY1', date_trunc('day', at, 'UTC'), date_trunc('day', at, 'UTC') + interval '1 day', 4, 1, 4,
                    digest, sha256('') , at FROM ledger.revision WHERE revision = 4;
                DROP TABLE ledger.revision_DAY1; DROP TABLE ledger.target_event_DAY1; DROP TABLE ledger.collector_event_DAY1
                """, part: "revision_DAY1", verdict: .missing),
        Case(
            name: "current state", sql: "UPDATE ledger.current_target SET collector = NULL WHERE target = 9",
            part: "current_target", verdict: .altered),
        Case(
            name: "current collectors", sql: "DELETE FROM ledger.current_collector WHERE collector = 2",
            part: "current_collector", verdict: .altered),
        Case(
            name: "rule in force",
            sql: "UPDATE ledger.current_rule SET ring = (SELECT min(id) FROM ledger.ring)", part: "current_rule",
            verdict: .altered),
        Case(
            name: "deleted term", sql: "DELETE FROM ledger.term WHERE epoch = (SELECT max(epoch) FROM ledger.revision)",
            part: "term", verdict: .missing),
        Case(
            name: "gap that no row declares",
            sql: """
                INSERT INTO ledger.term (epoch, holder, address, acquired_at, ended_at, first_revision, first_digest)
                SELECT epoch - 1, gen_random_uuid(), 'x', acquired_at - interval '3 hours', acquired_at - interval '61 s',
                    0, decode(repeat('00', 32), 'hex') FROM ledger.term ORDER BY epoch LIMIT 1
                """, part: "revision_DAY1", verdict: .undeclaredGap),
        Case(
            name: "gap that somebody made up",
            sql: "INSERT INTO ledger.gap (from_at, to_at, cause, detail) SELECT at, at, 'stopped', '' FROM ledger.head",
            part: "gap", verdict: .altered),
    ]

    @Test("What was done to the ledger is found three times", arguments: cases)
    func alteration(_ alteration: Case) async throws {
        let judged = try await LedgerFixture.with { ledger in
            let days = try await Self.fill(&ledger)
            try await ledger.script("SET session_replication_role = replica; \(days.named(alteration.sql))")
            let online = try await ChainVerifier.verify(ledger.configuration, logger: TestPostgres.logger)
            let export = try await ledger.exported()
            return Judged(days: days, online: online, export: export)
        }
        try Self.check(judged, alteration)
    }

    private static let dictionaries: Set<String> = [
        "target", "label_set", "label", "job", "collector", "ring", "configuration",
    ]

    private struct Judged: Sendable {
        var days: Days
        var online: VerificationReport
        var export: ScratchFile
    }

    private static func check(_ judged: Judged, _ alteration: Case) throws {
        let (days, online) = (judged.days, judged.online)
        let part = try #require(online.parts.first { $0.name == days.named(alteration.part) }, "\(online.parts)")
        #expect(part.verdict == alteration.verdict, "\(part)")
        #expect(!online.isIntact && !part.findings.isEmpty)
        // Days that nobody touched are OK. A row of a dictionary may be named by any day.
        if !alteration.name.hasPrefix("truncated"), !Self.dictionaries.contains(alteration.part) {
            let other = online.parts.filter { $0.name.hasSuffix(days.second) }
            #expect(other.allSatisfy { $0.verdict == .ok } && !other.isEmpty, "\(other)")
        }
        let offline = try WholeExport.verify(judged.export)
        #expect(offline.parts == online.parts)
        #expect(offline.findings == online.findings)
        let independent = try IndependentVerifier.run("--export", judged.export.path)
        #expect(independent.status == 1, "\(independent.output)")
        #expect(independent.output.contains(alteration.verdict.rawValue), "\(independent.output)")
    }

    @Test("Nothing is found where nothing was done")
    func untouched() async throws {
        try await LedgerFixture.with { ledger in
            let empty = try await ledger.exported()
            #expect(try WholeExport.verify(empty).isIntact)
            #expect(try IndependentVerifier.run("--export", empty.path).status == 0)
            let days = try await Self.fill(&ledger)
            let online = try await ChainVerifier.verify(ledger.configuration, logger: TestPostgres.logger)
            #expect(online.isIntact && online.parts.allSatisfy { $0.verdict == .ok }, "\(online.findings)")
            #expect(online.parts.contains { $0.name == "revision_\(days.first)" && $0.rows == 4 })
            #expect(online.parts.contains { $0.name == "revision_\(days.second)" && $0.rows == 2 })
            let export = try await ledger.exported()
            let offline = try WholeExport.verify(export)
            #expect(offline.parts == online.parts)
            #expect(offline.root == online.root && offline.head == online.head && online.root != nil)
            let independent = try IndependentVerifier.run("--export", export.path)
            #expect(independent.status == 0, "\(independent.output)")
            let (digest, root) = (try #require(online.head?.digest), try #require(online.root))
            #expect(independent.output.contains("digest \(digest); root \(root)"), "\(independent.output)")
        }
    }

    @Test("A tail that was cut off where nothing else saw it is missed by a checkpoint")
    func checkpoint() async throws {
        try await LedgerFixture.with { ledger in
            _ = try await Self.fill(&ledger)
            let key = try NoteSigner(newFor: "example.com/ledger")
            let tip = try await ledger.read { try await LogReader.tip($0) }
            let former = Checkpoint(origin: key.name, size: tip.tree.count, root: tip.tree.root)
            #expect(former.size == 6)
            let file = try ScratchFile(Array("\(try former.signed(by: key))".utf8))
            // Continued, it is as it should be.
            try await ledger.append(ledger.discover((0..<50).map { ledger.target($0) }))
            #expect(
                try await ChainVerifier.verify(
                    ledger.configuration, checkpoints: [former], logger: TestPostgres.logger
                ).isIntact)
            let longer = try await ledger.exported()
            #expect(try WholeExport.verify(longer, checkpoints: [former]).isIntact)
            let independent = try IndependentVerifier.run(
                "--export", longer.path, "--checkpoint", file.path, "--key", "\(key)")
            #expect(independent.status == 0, "\(independent.output)")
            let stranger = try NoteSigner(newFor: "example.com/ledger")
            #expect(
                try IndependentVerifier.run(
                    "--export", longer.path, "--checkpoint", file.path, "--key", "\(stranger)"
                ).status == 1)
            let other = Checkpoint(origin: "x", size: 3, root: former.root)
            let altered = try WholeExport.verify(longer, checkpoints: [other])
            #expect(altered.parts.first { $0.name == "checkpoint" }?.verdict == .altered)
        }
        try await LedgerFixture.with { ledger in
            _ = try await Self.fill(&ledger)
            let tip = try await ledger.read { try await LogReader.tip($0) }
            let former = Checkpoint(origin: "example.com/ledger", size: tip.tree.count, root: tip.tree.root)
            // Revision 6 changed no target: nothing in the database tells that it was there.
            try await ledger.script(
                """
                SET session_replication_role = replica; DELETE FROM ledger.revision WHERE revision = 6;
                UPDATE ledger.head h SET revision = v.revision, at = v.at, digest = v.digest
                FROM ledger.revision v WHERE v.revision = 5
                """)
            #expect(try await ChainVerifier.verify(ledger.configuration, logger: TestPostgres.logger).isIntact)
            let online = try await ChainVerifier.verify(
                ledger.configuration, checkpoints: [former], logger: TestPostgres.logger)
            #expect(online.parts.first { $0.name == "checkpoint" }?.verdict == .missing, "\(online.findings)")
            let export = try await ledger.exported()
            #expect(try WholeExport.verify(export, checkpoints: [former]).findings == online.findings)
            let key = try NoteSigner(newFor: "example.com/ledger")
            let file = try ScratchFile(Array("\(try former.signed(by: key))".utf8))
            let independent = try IndependentVerifier.run("--export", export.path, "--checkpoint", file.path)
            #expect(independent.status == 1 && independent.output.contains("MISSING"), "\(independent.output)")
        }
    }

    @Test("A day that was sealed and dropped by a revision is a declared gap, and what is kept can still be proven")
    func droppedDay() async throws {
        try await LedgerFixture.with { ledger in
            let days = try await Self.fill(&ledger)
            let before = try await ledger.read { try await LogReader.tip($0) }
            let seals = try await Self.seal(&ledger, days)
            try await ledger.append(
                ledger.collectors(["b", "c", "d"]), cause: .operator,
                detail: "dropped \(days.first): " + seals.map(\.mention).joined(separator: ", "))
            try await ledger.script(
                """
                SET session_replication_role = replica; DROP TABLE ledger.revision_\(days.first);
                DROP TABLE ledger.target_event_\(days.first); DROP TABLE ledger.collector_event_\(days.first)
                """)
            let online = try await ChainVerifier.verify(ledger.configuration, logger: TestPostgres.logger)
            #expect(online.isIntact, "\(online.findings)")
            for table in ["revision", "target_event", "collector_event"] {
                let part = online.parts.first { $0.name == "\(table)_\(days.first)" }
                #expect(part?.verdict == .declaredGap, "\(online.parts)")
            }
            let export = try await ledger.exported()
            #expect(try WholeExport.verify(export).parts == online.parts)
            let independent = try IndependentVerifier.run("--export", export.path)
            #expect(independent.status == 0, "\(independent.output)")

            // Roots go on over what was dropped.
            let after = try await ledger.read { try await LogReader.tip($0) }
            #expect(online.root == after.tree.root && after.tree.count == 7)
            let proof = try await ledger.read { try await LogReader.consistency(first: 6, $0) }
            #expect(proof.isValid && proof.firstRoot == before.tree.root && proof.secondRoot == after.tree.root)
            for number in 5...7 as ClosedRange<Int64> {
                let proof = try await ledger.read { try await LogReader.inclusion(of: Revision(number), $0) }
                #expect(proof.isValid && proof.root == after.tree.root)
            }
            await #expect(throws: HistoryError.self) {
                _ = try await ledger.read { try await LogReader.inclusion(of: Revision(4), $0) }
            }
            let former = Checkpoint(origin: "x", size: 6, root: before.tree.root)
            let older = Checkpoint(origin: "x", size: 2, root: .zero)
            let compared = try await ChainVerifier.verify(
                ledger.configuration, checkpoints: [former, older], logger: TestPostgres.logger)
            #expect(compared.isIntact, "\(compared.findings)")

            // A seal that says otherwise is none.
            try await ledger.script("SET session_replication_role = replica; UPDATE ledger.seal SET rows = rows + 1")
            let altered = try await ChainVerifier.verify(ledger.configuration, logger: TestPostgres.logger)
            #expect(altered.parts.first { $0.name == "revision_\(days.first)" }?.verdict == .missing)
            #expect(try IndependentVerifier.run("--export", try await ledger.exported().path).status == 1)
        }
    }

    @Test("A day that is sealed and not dropped may not be empty")
    func sealedDay() async throws {
        try await LedgerFixture.with { ledger in
            let days = try await Self.fill(&ledger)
            let seals = try await Self.seal(&ledger, days)
            try await ledger.append(
                ledger.collectors(["b", "c", "d"]), cause: .operator,
                detail: "sealed \(days.first): " + seals.map(\.mention).joined(separator: ", "))
            #expect(try await ChainVerifier.verify(ledger.configuration, logger: TestPostgres.logger).isIntact)
            for alteration in ["DELETE FROM ledger.revision_DAY1", "DROP TABLE ledger.revision_DAY1"] {
                try await ledger.script("SET session_replication_role = replica; \(days.named(alteration))")
                let online = try await ChainVerifier.verify(ledger.configuration, logger: TestPostgres.logger)
                let part = online.parts.first { $0.name == "revision_\(days.first)" }
                #expect(part?.verdict == .missing, "\(alteration): \(online.parts)")
                let export = try await ledger.exported()
                #expect(try WholeExport.verify(export).parts == online.parts)
                #expect(try IndependentVerifier.run("--export", export.path).status == 1)
            }
        }
    }

    @Test("Proofs hold for every revision and size, and another program takes them")
    func proofs() async throws {
        try await LedgerFixture.with { ledger in
            _ = try await Self.fill(&ledger)
            for size in 1...6 as ClosedRange<Int64> {
                let tip = try await ledger.read { try await LogReader.tip(upTo: size, $0) }
                for number in 1...size {
                    let inclusion = try await ledger.read {
                        try await LogReader.inclusion(of: Revision(number), size: size, $0)
                    }
                    #expect(inclusion.isValid && inclusion.root == tip.tree.root)
                    let consistency = try await ledger.read {
                        try await LogReader.consistency(first: number, second: size, $0)
                    }
                    #expect(consistency.isValid && consistency.secondRoot == tip.tree.root)
                }
            }
            await #expect(throws: HistoryError.self) {
                _ = try await ledger.read { try await LogReader.inclusion(of: Revision(7), $0) }
            }
            // What a process has read before has to be what is still there.
            let known = try await ledger.read { try await LogReader.tip(upTo: 4, $0) }
            #expect(try await ledger.read { try await LogReader.tip(from: known, $0) }.tree.count == 6)
            try await ledger.script(
                "SET session_replication_role = replica; UPDATE ledger.revision SET digest = sha256('') WHERE revision = 4"
            )
            await #expect(throws: LedgerError.self) {
                _ = try await ledger.read { try await LogReader.tip(from: known, $0) }
            }
        }
    }

    @Test("Some revisions are verified by themselves")
    func bounded() async throws {
        try await LedgerFixture.with { ledger in
            _ = try await Self.fill(&ledger)
            let report = try await ledger.read { try await ChainVerifier.verify(revisions: 3...5, $0) }
            #expect(report.isIntact && report.revisions == 3, "\(report.findings)")
            #expect(report.labelSets > 0)
            try await ledger.script(
                """
                SET session_replication_role = replica;
                UPDATE ledger.target_event SET reason = 2 WHERE revision = 2 AND ordinal = 1;
                UPDATE ledger.revision SET cause_detail = 'x' WHERE revision = 4
                """)
            #expect(try await ledger.read { try await ChainVerifier.verify(revisions: 5...6, $0) }.isIntact)
            let altered = try await ledger.read { try await ChainVerifier.verify(revisions: 3...5, $0) }
            #expect(altered.findings.map(\.revision) == [4], "\(altered.findings)")
            await #expect(throws: HistoryError.self) {
                _ = try await ledger.read { try await ChainVerifier.verify(revisions: 5...7, $0) }
            }
        }
    }

    // MARK: A ledger of two days

    struct Days: Sendable {
        var first: String
        var second: String

        func named(_ text: String) -> String {
            text.replacing("DAY1", with: first).replacing("DAY2", with: second)
        }
    }

    /// Revisions 1 to 4 today, 5 and 6 tomorrow; the last one changes nothing.
    private static func fill(_ ledger: inout LedgerFixture) async throws -> Days {
        try await ledger.append(
            ledger.collectors(["a", "b", "c"]), cause: .membership,
            configuration: ConfigurationRecord(redactedText: "a: 1"))
        try await ledger.append(ledger.discover((0..<60).map { ledger.target($0) }))
        try await ledger.append(ledger.collectors(["b", "c", "d"]), cause: .membership, detail: "static list")
        try await ledger.append(ledger.discover((0..<55).map { ledger.target($0, generation: $0 % 7 == 0 ? 1 : 0) }))
        try await nextDay(&ledger)
        try await ledger.append(ledger.discover((0..<50).map { ledger.target($0, generation: $0 % 5 == 0 ? 1 : 0) }))
        try await ledger.append(ledger.collectors(["b", "c", "d"]), cause: .configuration)
        let rows = try await ledger.query(
            "SELECT to_char(at AT TIME ZONE 'UTC', 'YYYYMMDD') FROM ledger.revision WHERE revision IN (4, 5) ORDER BY revision"
        )
        return Days(first: try rows[0].decode(0), second: try rows[1].decode(0))
    }

    /// Times of revisions follow the tip's.
    private static func nextDay(_ ledger: inout LedgerFixture) async throws {
        try await ledger.script(
            "UPDATE ledger.head SET at = date_trunc('day', at, 'UTC') + interval '1 day' WHERE name = 'allocator'")
    }

    /// The seals of the first day, as retention writes them.
    private static func seal(_ ledger: inout LedgerFixture, _ days: Days) async throws -> [SealRecord] {
        let tip = try await ledger.read { try await LogReader.tip(upTo: 4, $0) }
        let at = try await ledger.query("SELECT date_trunc('day', at, 'UTC') FROM ledger.revision WHERE revision = 4")
        let start = try #require(try at.first?.decode(0, as: Timestamp.self))
        var seals: [SealRecord] = []
        for table in ["revision", "target_event", "collector_event"] {
            let partition = "\(table)_\(days.first)"
            let seal = SealRecord(
                partition: partition, from: start, to: start.advanced(by: .seconds(86_400)),
                rows: try await ledger.number("SELECT count(*) FROM ledger.\(unsafeSQL: partition)"), firstRevision: 1,
                lastRevision: 4, digest: table == "revision" ? tip.digest : tip.tree.root,
                tree: table == "revision" ? tip.tree.edge : nil)
            seals.append(seal)
            _ = try await ledger.query(
                """
                INSERT INTO ledger.seal (partition, from_at, to_at, rows, first_revision, last_revision, digest, tree, \
                sealed_at) VALUES (\(seal.partition), \(seal.from), \(seal.to), \(seal.rows), \(seal.firstRevision), \
                \(seal.lastRevision), \(seal.digest.bytes), \(seal.tree), clock_timestamp())
                """)
        }
        return seals
    }
}
