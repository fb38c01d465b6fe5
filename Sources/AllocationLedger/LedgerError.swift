//
// LedgerError.swift: what can go wrong with the ledger, and what to do about it.
//

import PostgresDriver

/// A fault of the ledger. Its description is safe to show and says what to do.
package enum LedgerError: Error, Sendable, CustomStringConvertible {
    /// The database has no ledger yet.
    case notMigrated
    /// The database was migrated by a newer version of this program.
    case schemaNewer(found: Int, known: Int)
    /// This process no longer holds the lease of that epoch; nothing was written.
    case fenced(FencingToken)
    /// Another revision than expected is the tip; nothing was written. Load the state again.
    case headMoved(expected: Revision, found: Revision)
    /// The server takes no writes.
    case readOnly(PostgresError)
    case diskFull(PostgresError)
    /// The role may not do what is needed.
    case insufficientPrivilege(PostgresError)
    case authenticationFailed(PostgresError)
    /// The server has no database of that name.
    case noDatabase(PostgresError)
    /// No answer, or a session lost; what was not committed is undone.
    case unreachable(PostgresError)
    /// What an operator asked for must not be done; nothing was written.
    case refused(String)
    /// A name that PostgreSQL cannot hold. Rename it.
    case unstorable(String)
    /// What is stored contradicts itself.
    case corrupted(String)
    /// This process serves a revision that the database does not hold.
    case forked(String)
    /// Any other refusal of the server.
    case server(PostgresError)

    /// Sorts a driver's error by its SQLSTATE.
    package init(_ error: PostgresError) {
        switch error.sqlState {
        case .undefinedTable?, .invalidSchemaName?: self = .notMigrated
        case .readOnlySQLTransaction?: self = .readOnly(error)
        case .diskFull?: self = .diskFull(error)
        case .insufficientPrivilege?: self = .insufficientPrivilege(error)
        case .invalidPassword?, .invalidAuthorization?: self = .authenticationFailed(error)
        case .invalidCatalogName?: self = .noDatabase(error)
        case let state? where !error.isTransient && !state.rawValue.hasPrefix("57P"): self = .server(error)
        default: self = .unreachable(error)
        }
    }

    /// Runs `body` and turns the driver's errors into the ledger's.
    static func translating<T>(
        isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> T
    ) async throws -> T {
        do {
            return try await body()
        } catch let error as PostgresError {
            if case .cancelled = error.kind, Task.isCancelled { throw CancellationError() }
            throw LedgerError(error)
        }
    }

    /// Whether waiting can mend it.
    package var isRetryable: Bool {
        switch self {
        case .unreachable, .readOnly, .diskFull, .insufficientPrivilege, .authenticationFailed: true
        case .notMigrated, .schemaNewer, .fenced, .headMoved, .refused, .unstorable, .corrupted, .forked,
            .server, .noDatabase:
            false
        }
    }

    /// Whether it is the answer to what was asked, and not a fault.
    package var isRefusal: Bool { if case .refused = self { true } else { false } }

    package var description: String {
        switch self {
        case .notMigrated: "the database has no ledger; run: target-ledger migrate"
        case .schemaNewer(let found, let known):
            "the ledger has version \(found), this program knows up to \(known); use the newer program"
        case .fenced(let token): "the lease of epoch \(token.epoch) is no longer held; nothing was written"
        case .headMoved(let expected, let found):
            "the ledger is at revision \(found), not \(expected) as expected; nothing was written"
        case .readOnly(let error):
            "the database takes no writes: \(error.summary); name a read-write server, or switch "
                + "default_transaction_read_only off"
        case .diskFull(let error):
            "the database server's disk is full: \(error.summary); make room, and recording goes on by itself"
        case .insufficientPrivilege(let error):
            "the database role lacks a privilege: \(error.summary); to write it needs to be granted ledger_writer, "
                + "to read ledger_reader, to migrate CREATE on the database"
        case .authenticationFailed(let error):
            "the database refuses this user or password: \(error.summary); correct the connection string, PGPASSWORD, "
                + "~/.pgpass, or the server's pg_hba.conf"
        case .noDatabase(let error): "there is no such database: \(error.summary); create it, or name another"
        case .unreachable(let error):
            "the database cannot be reached: \(error.summary); see that it runs there and takes connections"
        case .refused(let why): why
        case .unstorable(let what): "PostgreSQL cannot store \(what); rename it"
        case .corrupted(let what): "the ledger contradicts itself: \(what); run: target-ledger verify"
        case .forked(let what): what
        case .server(let error): "the database refuses: \(error)"
        }
    }
}
