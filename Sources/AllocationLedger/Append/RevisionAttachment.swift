//
// RevisionAttachment.swift: rows that are written together with a revision and bound by what its cause_detail says.
//

import PostgresDriver

/// What an append does in its transaction beside the allocation's change.
package struct RevisionAttachment: Sendable {
    /// A query that finds a row when the revision must not be written; its one column says why. Asked while the head is
    /// locked, so that nothing that is recorded can come in between.
    var refusal: SQL?
    /// The statements, given the revision's number and time.
    var statements: @Sendable (_ revision: Int64, _ at: Timestamp) -> [SQL]

    init(
        refusedBy refusal: SQL? = nil,
        _ statements: @escaping @Sendable (_ revision: Int64, _ at: Timestamp) -> [SQL]
    ) {
        self.refusal = refusal
        self.statements = statements
    }

    /// - Throws: ``LedgerError/refused(_:)``; the caller's transaction is to be given up.
    func check(_ connection: isolated PostgresConnection) async throws {
        guard let refusal, let row = try await connection.query(refusal).first else { return }
        throw LedgerError.refused(try row.decode(0, as: String.self))
    }
}
