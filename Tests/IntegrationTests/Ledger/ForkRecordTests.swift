//
// ForkRecordTests.swift: numbers that the repair of a fork leaves out, in everything that reads the log.
//

import AllocationCore
import PostgresDriver
import TestSupport
import Testing

@testable import AllocationLedger

/// Goal: numbers that are declared unused are no holes, for verify, for proofs and for a program that shares no code; without
/// the declaration they are.
@Suite struct ForkRecordTests {
    private func repair(_ ledger: inout LedgerFixture) async throws -> LedgerHead {
        try await ledger.fill(20)
        let head = try #require(try await ledger.writer.currentHead())
        let now = try await ledger.writer.databaseTime()
        var served = ServedRevisions()
        served.take(
            LedgerHead(revision: Revision(head.revision.number + 1), epoch: 9, at: now, digest: .hash([1])))
        guard
            case .lost(let lost) = ForkRepair.compare(served, with: try await ledger.writer.found(of: served))
        else { throw LedgerError.refused("nothing is lost") }
        #expect(lost.epoch == 9)
        let number: Int64 = 100_000
        let change = ledger.discover((0..<25).map { ledger.target($0) })
        let draft = RevisionDraft(
            fork: Gap(
                from: head.at, to: now.advanced(by: .microseconds(1)), cause: .fork,
                detail: ForkRepair.statement(skipping: head.revision.number + 1...number - 1, lost: lost)),
            number: Revision(number), change: change, configuration: nil)
        let repaired = try await ledger.writer.append(draft, fencedBy: ledger.token).head
        #expect(repaired.revision.number == number)
        return try await ledger.append(ledger.discover((0..<10).map { ledger.target($0) })).head
    }

    @Test("Numbers that are declared unused are a declared gap, for the product and for a program that is none of it")
    func verified() async throws {
        try await LedgerFixture.with { ledger in
            let head = try await repair(&ledger)
            #expect(head.revision == Revision(100_001))
            let report = try await ChainVerifier.verify(ledger.configuration, logger: TestPostgres.logger)
            #expect(report.isIntact, "\(report.findings)")
            let declared = report.parts.flatMap(\.findings).filter { $0.kind == .declaredGap && $0.revision == 3 }
            #expect(declared.first?.detail.hasPrefix("revisions 3 to 99999 are not used") == true, "\(report.parts)")
            let exported = try await ledger.exported()
            #expect(try WholeExport.verify(exported).isIntact)
            let independent = try IndependentVerifier.run("--export", exported.path)
            #expect(independent.status == 0, "\(independent.output)")
            #expect(independent.output.contains("GAP (declared): revisions 3 to 99999 are not used"))
            let root = try await ledger.read { try await LogReader.tip($0) }
            #expect(root.tree.count == 100_001 && root.digest == head.digest)
            #expect(report.root == root.tree.root)
            #expect(independent.output.contains("\(root.tree.root)"))
            for revision: Int64 in [2, 3, 50_000, 100_000, 100_001] {
                let proof = try await ledger.read { try await LogReader.inclusion(of: Revision(revision), $0) }
                #expect(proof.isValid && proof.root == root.tree.root)
            }
            for size: Int64 in [1, 2, 3, 60_000, 100_000] {
                let proof = try await ledger.read { try await LogReader.consistency(first: size, $0) }
                #expect(proof.isValid)
            }
            await #expect(throws: HistoryError.unused(Revision(500), next: Revision(100_000))) {
                try await ledger.read { try await Instant.revision(Revision(500)).resolve($0) }
            }
        }
    }

    @Test("Without the declaration the numbers are missing")
    func undeclared() async throws {
        try await LedgerFixture.with { ledger in
            _ = try await repair(&ledger)
            try await ledger.script(
                """
                SET session_replication_role = replica;
                UPDATE ledger.revision SET cause = 'discovery' WHERE cause = 'fork_repaired'
                """)
            let report = try await ChainVerifier.verify(ledger.configuration, logger: TestPostgres.logger)
            #expect(report.findings.contains { $0.kind == .missing && $0.revision == 3 }, "\(report.findings)")
            #expect(!report.isIntact)
        }
    }

    @Test("On another server epochs and numbers go on far behind")
    func otherServer() async throws {
        try await LedgerFixture.with { ledger in
            try await ledger.fill(5)
            try await ledger.script(
                """
                SET session_replication_role = replica;
                UPDATE ledger.term SET timeline = timeline + 1
                """)
            let token = try await LedgerFixture.takeLease(ledger.configuration)
            #expect(token.epoch >= ledger.token.epoch + ForkRepair.epochDistance)
            #expect(try await ledger.writer.termStart(token).mayHaveLost)
            // Once something is recorded here it is the server to compare with.
            try await ledger.reload()
            let placement = ledger.state.placement
            let draft = RevisionDraft(
                try await ledger.writer.termStart(token), placement: placement)
            _ = try await ledger.writer.append(draft, fencedBy: token)
            #expect(try await !ledger.writer.termStart(token).mayHaveLost)
            #expect(try await LedgerFixture.takeLease(ledger.configuration).epoch == token.epoch + 1)
        }
    }

    @Test("So they do where nothing is recorded, and another server has given the lease before")
    func otherServerWithoutRevisions() async throws {
        try await LedgerFixture.with { ledger in
            #expect(try await !ledger.writer.termStart(ledger.token).mayHaveLost)
            try await ledger.script(
                """
                SET session_replication_role = replica;
                UPDATE ledger.term SET timeline = timeline + 1
                """)
            let token = try await LedgerFixture.takeLease(ledger.configuration)
            #expect(token.epoch >= ledger.token.epoch + ForkRepair.epochDistance)
            #expect(try await ledger.writer.termStart(token).mayHaveLost)
            // Nor does the next one know what was recorded there.
            let next = try await LedgerFixture.takeLease(ledger.configuration)
            #expect(try await ledger.writer.termStart(next).mayHaveLost)
        }
    }
}
