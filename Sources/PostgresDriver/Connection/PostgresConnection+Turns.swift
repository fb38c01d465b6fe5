//
// PostgresConnection+Turns.swift: one call at a time on the wire, and none between a transaction's statements.
//
// There are two turnstiles. A call outside a transaction, and a transaction as a whole, take the transaction's turn; a
// call inside a transaction's body takes the wire's turn, so that child tasks of one body do not mix either.
//

import CLibpq
import Glibc

extension PostgresConnection {
    enum Turn {
        case transaction
        case wire
    }

    /// Runs `body` with the wire to itself.
    func perform<T>(
        _ statement: String?, deadline: ContinuousClock.Instant?, heedsCancellation: Bool = true,
        site: PostgresError.CallSite, _ body: () async throws(PostgresError) -> T
    ) async throws(PostgresError) -> T {
        do throws(PostgresError) {
            try await begin(deadline: deadline, heedsCancellation: heedsCancellation)
        } catch {
            throw error.locating(statement: statement, site: site)
        }
        do throws(PostgresError) {
            let value = try await body()
            await finish()
            return value
        } catch {
            await finish()
            throw error.locating(statement: statement, site: site)
        }
    }

    /// Takes the wire for a call; unless it throws, `finish` must follow.
    func begin(deadline: ContinuousClock.Instant?, heedsCancellation: Bool = true) async throws(PostgresError) {
        let isInTransaction = openTransaction != nil && Self.bodyOf == openTransaction
        var deadline = deadline ?? .now + configuration.statementTimeout + configuration.answerPatience
        if isInTransaction, let transactionDeadline { deadline = min(deadline, transactionDeadline) }
        let turn = isInTransaction ? Turn.wire : .transaction
        try await take(turn, deadline: deadline, heedsCancellation: heedsCancellation)
        do throws(PostgresError) {
            guard session != nil else { throw endedError }
            if heedsCancellation && Task.isCancelled {
                throw PostgresError(.cancelled, "the task was cancelled before its statement was sent")
            }
            guard ContinuousClock.now < deadline else {
                throw PostgresError(.deadlineExceeded, "the deadline passed before the statement was sent")
            }
            operation = Operation(deadline: deadline, heedsCancellation: heedsCancellation, turn: turn)
            if heedsCancellation { try await matchServerTimeout(to: deadline) }
        } catch {
            operation = nil
            leave(turn)
            throw error
        }
    }

    /// Gives the wire back, once a request to cancel has been taken in: it must not hit the next statement.
    func finish() async {
        guard let turn = operation?.turn else { return }
        if let cancellation = operation?.cancellation, !cancellation.isDone, session != nil {
            let ended = await executor.wait(
                cancellation.wait, descriptor: nil, until: .now + Self.cancelGrace, heedsCancellation: false)
            if ended == .deadlinePassed {
                endSession(PostgresError(.connectionLost, "the server did not take in a request to cancel"))
            }
        }
        collectNotifications()
        operation = nil
        if let notificationWait { executor.signal(notificationWait) }
        leave(turn)
    }

    func take(
        _ turn: Turn, deadline: ContinuousClock.Instant, heedsCancellation: Bool = true
    ) async throws(PostgresError) {
        let wait = PollExecutor.WaitID()
        let isTaken = turn == .wire ? wireTurn.enter(wait) : transactionTurn.enter(wait)
        guard !isTaken else { return }
        let ended = await executor.wait(
            wait, descriptor: nil, until: deadline, heedsCancellation: heedsCancellation)
        guard ended != .signalled else { return }
        let wasWaiting = turn == .wire ? wireTurn.giveUp(wait) : transactionTurn.giveUp(wait)
        // The turn came in the same moment.
        if !wasWaiting { leave(turn) }
        throw ended == .cancelled
            ? PostgresError(.cancelled, "the task was cancelled while it waited for the connection")
            : PostgresError(.deadlineExceeded, "the deadline passed while the connection was in use")
    }

    func leave(_ turn: Turn) {
        let next = turn == .wire ? wireTurn.leave() : transactionTurn.leave()
        if let next { executor.signal(next) }
    }

    /// Lets the server's own timeout cover the call: longer calls raise it, and the next short one lowers it again.
    ///
    /// In powers of two times the configured one, so that a series of long calls sets it once.
    private func matchServerTimeout(to deadline: ContinuousClock.Instant) async throws(PostgresError) {
        guard isPrepared, !isPooled else { return }
        let left = deadline - .now - configuration.answerPatience
        var needed = configuration.statementTimeout
        while needed < left { needed *= 2 }
        // In a failed transaction only ROLLBACK is heard.
        guard needed != serverTimeout, let session, PQtransactionStatus(session.connection) != PQTRANS_INERROR else {
            return
        }
        _ = try await run("SELECT set_config('statement_timeout', \(needed.postgresMilliseconds), false)")
        serverTimeout = needed
    }

    /// The settings that every session of ours begins with, in one round trip; none where they might be another's.
    func prepareSession(deadline: ContinuousClock.Instant) async throws(PostgresError) {
        let settings = settings(statementTimeout: configuration.statementTimeout, isLocal: false)
        try await perform(nil, deadline: deadline, site: .init(file: #fileID, line: #line)) {
            () async throws(PostgresError) in
            // Before anything is set. A pooler makes up the process that it names to a client.
            let process = try await runUnprepared("SELECT pg_backend_pid()").first?.decode(0, as: Int32.self)
            isPooled = process != backendPID
            guard !isPooled else {
                usesPreparedStatements = false
                return
            }
            _ = try await run(settings)
        }
        serverTimeout = configuration.statementTimeout
        isPrepared = true
    }

    /// What a transaction begins with where the session's own settings are another's.
    func prepareTransaction(deadline: ContinuousClock.Instant) async throws(PostgresError) {
        guard isPooled else { return }
        let settings = settings(
            statementTimeout: max(configuration.statementTimeout, deadline - .now), isLocal: true)
        try await perform(nil, deadline: nil, site: .init(file: #fileID, line: #line)) {
            () async throws(PostgresError) in _ = try await runUnprepared(settings)
        }
    }

    private func settings(statementTimeout: Duration, isLocal: Bool) -> SQL {
        let sql: SQL = """
            SELECT set_config('statement_timeout', \(statementTimeout.postgresMilliseconds), \(isLocal)), \
            set_config('idle_in_transaction_session_timeout', \
            \(configuration.idleInTransactionTimeout.postgresMilliseconds), \(isLocal)), \
            set_config('TimeZone', 'UTC', \(isLocal)), set_config('client_min_messages', 'warning', \(isLocal))
            """
        guard let searchPath = configuration.searchPath else { return sql }
        return sql + ", set_config('search_path', \(searchPath), \(isLocal))"
    }
}

extension Duration {
    /// As statement_timeout takes it: whole milliseconds within its range, and never 0, which means no limit.
    fileprivate var postgresMilliseconds: String {
        let (seconds, attoseconds) = components
        let milliseconds = min(seconds, 2_000_000) * 1000 + attoseconds / 1_000_000_000_000_000
        return "\(max(1, milliseconds))ms"
    }
}
