//
// LostRequestTests.swift: a request to whoever leads, in a database that loses it.
//

import PostgresDriver
import TestSupport
import Testing

@testable import AllocationLedger

/// Goal: who has asked for something to be stated knows when to ask again.
@Suite struct LostRequestTests {
    @Test("A request that the database has lost is told from one that is open, and from one that is done")
    func fate() async throws {
        try await LedgerFixture.with { ledger in
            let now = try await ledger.writer.databaseTime()
            let gap = Gap(from: now.advanced(by: .seconds(-1)), to: now, cause: .journal, detail: "served")
            let request = try await ledger.writer.ask(toState: gap, by: "replica 1")
            #expect(try await ledger.writer.fate(of: request) == .open)
            try await ledger.script(
                "UPDATE ledger.operator_request SET taken_epoch = 1, taken_at = clock_timestamp(), "
                    + "done_at = clock_timestamp(), succeeded = true, outcome = ''")
            #expect(try await ledger.writer.fate(of: request) == .done)
            try await ledger.script("SET session_replication_role = replica; DELETE FROM ledger.operator_request")
            #expect(try await ledger.writer.fate(of: request) == .gone)
        }
    }
}
