//
// AccessWrite.swift: who read the history, as rows.
//

import PostgresDriver

/// One read of the history API.
package struct AccessRecord: Sendable, Hashable {
    package var at: Timestamp
    package var who: String
    package var route: String
    package var parameters: String
    /// Of the answer; 499: nobody waited for it.
    package var status: Int16

    package init(at: Timestamp, who: String, route: String, parameters: String, status: Int16) {
        self.at = at
        self.who = who
        self.route = route
        self.parameters = parameters
        self.status = status
    }
}

extension HistoryReader {
    /// Appends these. Reading the audit log is itself audited, so this is the one thing that reading writes.
    ///
    /// - Throws: ``LedgerError``; nothing is appended then.
    package static func append(_ records: [AccessRecord], to pool: PostgresPool) async throws {
        try await LedgerError.translating {
            try await pool.withConnection(deadline: .now + .seconds(10)) { connection in
                _ = try await connection.query(
                    """
                    INSERT INTO ledger.access (at, who, route, parameters, status) SELECT * FROM unnest(\(records.map(\.at)), \
                    \(records.map { StorableText.mended($0.who) }), \(records.map { StorableText.mended($0.route) }), \
                    \(records.map { StorableText.mended($0.parameters) }), \(records.map(\.status)))
                    """)
            }
        }
    }
}
