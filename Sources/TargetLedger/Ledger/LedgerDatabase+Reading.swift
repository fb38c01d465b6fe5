//
// LedgerDatabase+Reading.swift: one snapshot of the ledger for the time of one command, and lists that are read in pages.
//

import AllocationLedger
import AllocatorRuntime
import Logging
import PostgresDriver

extension LedgerDatabase {
    /// Runs `body` in one read-only snapshot of the ledger that the flags name.
    static func read<Value: Sendable>(
        _ flags: DatabaseFlags, _ body: @Sendable (isolated PostgresConnection) async throws -> Value
    ) async throws -> Value {
        let logger = Logger.forCommand()
        return try await open(try .load(flags), logger: logger) { configuration in
            try await read(configuration, logger: logger, body)
        }
    }

    static func read<Value: Sendable>(
        _ configuration: PostgresConfiguration, logger: Logger,
        _ body: @Sendable (isolated PostgresConnection) async throws -> Value
    ) async throws -> Value {
        var patient = configuration
        patient.statementTimeout = .seconds(3600)
        // Somebody may be reading the first screen in a pager.
        patient.idleInTransactionTimeout = .seconds(3600)
        return try await HistoryReader(patient, logger: logger).read(deadline: .now + .seconds(86_400), body)
    }
}

/// Reads a list page by page.
enum Paging {
    /// The first page is small, so that something is seen soon.
    private static let firstPageRows = 1000

    /// Hands on page after page until the list ends or `rowsMax` items are handed on.
    ///
    /// - Parameter fetch: A page of so many items, behind a cursor.
    /// - Returns: Whether there are more.
    static func read<Item, Cursor: HistoryCursor>(
        rowsMax: Int?, isolation: isolated (any Actor)? = #isolation,
        _ fetch: (_ limit: Int, _ after: Cursor?) async throws -> HistoryPage<Item, Cursor>,
        _ take: ([Item]) throws -> Void
    ) async throws -> Bool {
        var rest = rowsMax ?? .max
        var after: Cursor?
        var limit = firstPageRows
        while rest > 0 {
            let page = try await fetch(min(limit, rest), after)
            // Pages of whole revisions may hold more than was asked for.
            let items = page.items.count > rest ? Array(page.items.prefix(rest)) : page.items
            try take(items)
            rest -= items.count
            guard let next = page.next else { return items.count < page.items.count }
            after = next
            limit = PageLimit.rowsMax
        }
        return true
    }
}
