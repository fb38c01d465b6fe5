//
// PostgresConnection+Transaction.swift: BEGIN, a body, COMMIT; and what is known when the end is not heard.
//

import CLibpq
import Glibc
import Logging

/// How much of other transactions a transaction sees.
package enum IsolationLevel: String, Sendable {
    case readCommitted = "READ COMMITTED"
    case repeatableRead = "REPEATABLE READ"
    case serializable = "SERIALIZABLE"
}

extension PostgresConnection {
    /// Runs `body` between BEGIN and COMMIT. Its calls on this connection are the transaction; calls of other tasks
    /// wait until it has ended.
    ///
    /// An error of `body` rolls back and is thrown on. A task cancelled before COMMIT is sent rolls back; COMMIT itself
    /// is not cancelled.
    ///
    /// - Parameter deadline: For the whole; each call in `body` may have an earlier one.
    /// - Throws: What `body` throws, or a ``PostgresError``. `.commitOutcomeUnknown` when the session was lost between
    ///   sending COMMIT and hearing of it: look up whether it took effect.
    @discardableResult
    package func transaction<T: Sendable>(
        isolation: IsolationLevel = .readCommitted, readOnly: Bool = false,
        deadline: ContinuousClock.Instant? = nil, file: String = #fileID, line: Int = #line,
        _ body: @Sendable (isolated PostgresConnection) async throws -> T
    ) async throws -> T {
        let site = PostgresError.CallSite(file: file, line: line)
        guard openTransaction == nil || Self.bodyOf != openTransaction else {
            throw PostgresError(.misuse, "a transaction cannot begin inside another").locating(
                statement: nil, site: site)
        }
        let deadline = deadline ?? .now + configuration.statementTimeout + configuration.answerPatience
        do throws(PostgresError) {
            try await take(.transaction, deadline: deadline)
        } catch {
            throw error.locating(statement: "BEGIN", site: site)
        }
        let transaction = TransactionID()
        openTransaction = transaction
        transactionDeadline = deadline
        let timeoutBefore = serverTimeout
        defer {
            openTransaction = nil
            transactionDeadline = nil
            leave(.transaction)
        }
        return try await Self.$bodyOf.withValue(transaction) {
            try await control("BEGIN ISOLATION LEVEL \(isolation.rawValue)\(readOnly ? " READ ONLY" : "")", site)
            let value: T
            do {
                try await prepareTransaction(deadline: deadline)
                value = try await body(self)
                if Task.isCancelled {
                    throw PostgresError(.cancelled, "the task was cancelled before COMMIT").locating(
                        statement: nil, site: site)
                }
                try await commit(site)
            } catch {
                await rollBack(site)
                // The server undid the setting with the rest.
                serverTimeout = timeoutBefore
                throw error
            }
            return value
        }
    }

    private func control(_ text: String, _ site: PostgresError.CallSite) async throws(PostgresError) {
        _ = try await perform(text, deadline: nil, site: site) { () async throws(PostgresError) in
            try await runUnprepared(SQL(unsafeSQL: text))
        }
    }

    private func commit(_ site: PostgresError.CallSite) async throws(PostgresError) {
        var isSent = false
        do throws(PostgresError) {
            let rows = try await perform("COMMIT", deadline: nil, heedsCancellation: false, site: site) {
                () async throws(PostgresError) in
                isSent = true
                return try await runUnprepared("COMMIT")
            }
            // The body went on after a failed statement: the server answers COMMIT by rolling back.
            let tag = withExtendedLifetime(rows) { String(cString: PQcmdStatus(rows.result.pointer)) }
            guard tag == "COMMIT" else {
                throw PostgresError(
                    .server(.inFailedSQLTransaction), "the transaction was rolled back because a statement had failed"
                ).locating(statement: "COMMIT", site: site)
            }
        } catch {
            throw isSent ? Self.outcomeOfCommit(after: error) : error
        }
    }

    /// A server that refuses a COMMIT has rolled back; one that is not heard may have done either.
    private static func outcomeOfCommit(after error: PostgresError) -> PostgresError {
        switch error.kind {
        case .connectionLost, .deadlineExceeded, .server(.transactionResolutionUnknown),
            .server(.statementCompletionUnknown):
            var unknown = error
            unknown.kind = .commitOutcomeUnknown
            unknown.message = "whether COMMIT took effect is unknown: \(error.message)"
            return unknown
        default: return error
        }
    }

    /// A session that cannot even roll back is of no further use.
    private func rollBack(_ site: PostgresError.CallSite) async {
        guard let connection = session?.connection, PQtransactionStatus(connection) != PQTRANS_IDLE else { return }
        // The transaction's own may have passed.
        transactionDeadline = nil
        do throws(PostgresError) {
            _ = try await perform("ROLLBACK", deadline: .now + Self.cancelGrace, heedsCancellation: false, site: site) {
                () async throws(PostgresError) in try await runUnprepared("ROLLBACK")
            }
        } catch {
            logger.debug("cannot roll back: \(error)")
            endSession(PostgresError(.connectionLost, "the session was closed because ROLLBACK failed"))
        }
    }
}
