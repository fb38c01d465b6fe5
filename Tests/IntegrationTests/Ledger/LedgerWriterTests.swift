//
// LedgerWriterTests.swift: what is appended is what is loaded, and nobody without the lease appends.
//

import AllocationCore
import PostgresDriver
import TestSupport
import Testing

@testable import AllocationLedger

/// Goal: an append is one atomic, fenced, gapless step, and loading gives the state back.
///
/// Method: real PostgreSQL, a database for each test.
@Suite struct LedgerWriterTests {
    @Test("A restart finds the state that was recorded", arguments: [3, 60, 700])
    func roundTrip(count: Int) async throws {
        try await LedgerFixture.with { ledger in
            try await ledger.fill(count)
            let committed = try await ledger.append(ledger.collectors(["b", "c", "d"]), cause: .membership)
            let other = try await LedgerFixture(ledger.configuration)
            #expect(other.state.contents == ledger.state.contents)
            #expect(other.state.targetCount == count)
            #expect(other.state.collectorNames == ["b", "c", "d"])
            #expect(try await other.writer.currentHead() == committed.head)
            await other.writer.close()
        }
    }
}
