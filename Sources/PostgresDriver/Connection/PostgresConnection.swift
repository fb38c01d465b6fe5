//
// PostgresConnection.swift: one session: who uses it, how it waits, and how it ends.
//
// Statements are in PostgresConnection+Query.swift, and so on. The rules of turns, deadlines and cancelling are in
// README.md.
//

import CLibpq
import Glibc
import Logging

/// One session with the server. All libpq calls run on one poll thread; none blocks a thread of the shared pool.
///
/// Calls from several tasks take turns in order of arrival. Every call has a deadline: its own, else
/// ``PostgresConfiguration/statementTimeout``. When it passes, the session is closed, because what the server does with
/// the statement is then unknown.
package actor PostgresConnection {
    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
    package nonisolated let backendPID: Int32
    package nonisolated let configuration: PostgresConfiguration

    let executor: PollExecutor
    let logger: Logger
    /// nil once closed or lost.
    var session: Session?
    /// Why there is no session.
    private(set) var end: PostgresError?

    var statements = StatementCache()
    var usesPreparedStatements: Bool
    /// Whether something in between may hand each transaction to another session of the server. Then nothing is prepared
    /// under a name, and settings are made for one transaction each.
    package internal(set) var isPooled = false
    /// Whether that is known by now. Before, nothing may be set.
    var isPrepared = false
    /// What the server's statement_timeout is set to.
    var serverTimeout: Duration
    var notifications: [PostgresNotification] = []
    var notificationWait: PollExecutor.WaitID?

    /// The call that uses the wire.
    var operation: Operation?
    var transactionTurn = Turnstile()
    var wireTurn = Turnstile()
    /// The transaction that has `transactionTurn`.
    var openTransaction: TransactionID?
    var transactionDeadline: ContinuousClock.Instant?

    /// The transaction whose body the current task runs.
    @TaskLocal static var bodyOf: TransactionID?

    struct TransactionID: Hashable, Sendable { let id = PollExecutor.WaitID() }

    /// A call that is under way.
    struct Operation {
        var deadline: ContinuousClock.Instant
        /// False where the outcome must be learned although the task is cancelled.
        var heedsCancellation: Bool
        var cancellation: Cancellation?
        /// What the call waits for, so that cancelling can interrupt it.
        var wait: PollExecutor.WaitID?
        let turn: Turn
    }

    /// How long a server has to answer a request to cancel before the session is given up.
    static let cancelGrace = Duration.seconds(5)

    private init(_ session: Session, _ configuration: PostgresConfiguration, _ executor: PollExecutor, _ logger: Logger)
    {
        self.session = session
        self.configuration = configuration
        self.executor = executor
        self.logger = logger
        usesPreparedStatements = configuration.usesPreparedStatements
        serverTimeout = configuration.statementTimeout
        backendPID = PQbackendPID(session.connection)
        PQsetnonblocking(session.connection, 1)
    }

    /// Opens a session.
    ///
    /// - Parameters:
    ///   - deadline: For everything; nil leaves ``PostgresConfiguration/connectTimeout`` for each address alone.
    ///   - executor: The thread it runs on. One of its own keeps a heartbeat from waiting behind others' work.
    /// - Throws: `.server` with the code when a server refused (28P01: the password; 57P03: not yet; 25006: a
    ///   read-only server where a read-write one is needed), `.connectionFailed`, `.deadlineExceeded`.
    package static func connect(
        _ configuration: PostgresConfiguration, deadline: ContinuousClock.Instant? = nil, logger: Logger,
        executor: PollExecutor = .shared, file: String = #fileID, line: Int = #line
    ) async throws(PostgresError) -> PostgresConnection {
        let site = PostgresError.CallSite(file: file, line: line)
        do throws(PostgresError) {
            let rounds = max(1, configuration.endpoints.count)
            let deadline = deadline ?? .now + configuration.connectTimeout * (2 * rounds) + .seconds(5)
            let session = try await Dialer(executor: executor).dial(configuration, deadline: deadline)
            let connection = PostgresConnection(session, configuration, executor, logger)
            try await connection.prepareSession(deadline: deadline)
            logger.debug("opened a session with \(configuration.redactedDescription)")
            return connection
        } catch {
            throw error.locating(statement: nil, site: site)
        }
    }

    /// Whether the session is there as far as is known without asking the server.
    package var isUsable: Bool {
        guard let session else { return false }
        return PQstatus(session.connection) == CONNECTION_OK
    }

    /// Whether no transaction is open and no COPY under way.
    package var isIdle: Bool {
        guard let session else { return false }
        return operation == nil && PQtransactionStatus(session.connection) == PQTRANS_IDLE
    }

    /// Takes in what has arrived without waiting, and tells whether the session is usable: a server that has ended it
    /// meanwhile is noticed.
    package func checkUsable() -> Bool {
        guard operation == nil else { return isUsable }
        // Bounded: a server that talks without end is not waited for. The end may come behind some last words.
        for _ in 0..<16 {
            guard let session else { return false }
            var polled = pollfd(fd: PQsocket(session.connection), events: Int16(POLLIN), revents: 0)
            guard poll(&polled, 1, 0) != 0 else { break }
            let isOpen = PQconsumeInput(session.connection) == 1
            collectNotifications()
            if !isOpen || session.lastWords != nil {
                _ = lose("the server closed the session while it was idle")
                return false
            }
        }
        return isUsable
    }

    /// Ends the session. What runs on it fails with `.connectionLost`.
    package func close() {
        guard session != nil else { return }
        endSession(PostgresError(.connectionLost, "the session was closed"))
    }

    /// Asks the server to cancel what runs now, if anything does. The call that runs it throws `.cancelled`.
    package func cancelRunning() {
        guard operation != nil else { return }
        requestCancel()
        if let wait = operation?.wait { executor.signal(wait) }
    }

    /// Closes the session for good; what waits on it is woken and finds it gone.
    func endSession(_ why: PostgresError) {
        guard session != nil else { return }
        end = why
        session = nil
        if let wait = operation?.wait { executor.signal(wait) }
        if let notificationWait { executor.signal(notificationWait) }
    }

    /// What a call on an ended session throws.
    var endedError: PostgresError {
        PostgresError(.connectionLost, end?.message ?? "the session was closed", sqlState: end?.sqlState)
    }
}
