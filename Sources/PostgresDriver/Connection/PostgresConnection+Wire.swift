//
// PostgresConnection+Wire.swift: sending and receiving without blocking, under the deadline of the call under way.
//

import CLibpq
import Glibc
import Synchronization

/// A request to cancel that is on its way.
final class Cancellation: Sendable {
    let wait = PollExecutor.WaitID()
    private let done = Atomic<Bool>(false)

    var isDone: Bool { done.load(ordering: .acquiring) }
    func finish() { done.store(true, ordering: .releasing) }
}

extension PostgresConnection {
    /// Sends all that libpq holds back. Reads meanwhile: a server that cannot send does not receive either.
    func flush() async throws(PostgresError) {
        while true {
            guard let session else { throw endedError }
            switch PQflush(session.connection) {
            case 0: return
            case 1:
                try await waitForSocket(POLLIN | POLLOUT)
                try consumeInput()
            default: throw lose()
            }
        }
    }

    /// The next result, nil after the last one of a statement.
    func nextResult() async throws(PostgresError) -> PostgresResult? {
        while true {
            guard let connection = session?.connection else { throw endedError }
            if PQisBusy(connection) == 0 { return PQgetResult(connection).map(PostgresResult.init) }
            try await waitForSocket(POLLIN)
            try consumeInput()
        }
    }

    /// The outcome of one statement: its last result, or its first failure.
    func collect(_ statement: String?) async throws(PostgresError) -> PostgresRows {
        var last: PostgresResult?
        var failure: PostgresError?
        while let result = try await nextResult() {
            switch PQresultStatus(result.pointer) {
            case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY: last = result
            case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH:
                throw refuseCopy()
            default: failure = failure ?? self.failure(of: result, statement)
            }
        }
        if let failure { throw failure }
        guard let last else { throw lose() }
        return PostgresRows(last)
    }

    /// A COPY that nobody expected cannot be got out of without reading or writing all of it.
    func refuseCopy() -> PostgresError {
        endSession(PostgresError(.connectionLost, "the session was closed in the middle of a COPY"))
        return PostgresError(.misuse, "COPY is run with copyIn, copyOut or copyOutRaw, and not in a pipeline")
    }

    /// What a failed result says; ends the session when the server did.
    func failure(of result: PostgresResult, _ statement: String?) -> PostgresError {
        var error = withExtendedLifetime(result) { ServerMessage.error(of: result.pointer, statement: statement) }
        if error.kind == .connectionLost { endSession(error) }
        if error.sqlState == .queryCanceled, operation?.cancellation != nil {
            error.kind = .cancelled
        }
        return error
    }

    /// Takes in what has arrived.
    func consumeInput() throws(PostgresError) {
        guard let connection = session?.connection else { throw endedError }
        // What came before the end is still to be read: it may say why.
        if PQconsumeInput(connection) == 0 && PQisBusy(connection) == 1 { throw lose() }
    }

    /// Waits for the socket until the deadline of the call under way.
    func waitForSocket(_ events: Int32) async throws(PostgresError) {
        while true {
            guard let session, let operation else { throw endedError }
            let wait = PollExecutor.WaitID()
            self.operation?.wait = wait
            let ended = await executor.wait(
                wait, descriptor: PQsocket(session.connection), events: events, until: operation.deadline,
                heedsCancellation: operation.heedsCancellation && operation.cancellation == nil)
            self.operation?.wait = nil
            guard self.session != nil else { throw endedError }
            switch ended {
            case .ready: return
            case .cancelled: requestCancel()
            // The deadline was shortened by a request to cancel.
            case .signalled: continue
            case .deadlinePassed: throw giveUp()
            }
        }
    }

    /// Asks the server, off this thread, to cancel the call under way, and gives it a while to do so.
    func requestCancel() {
        guard let session, let operation, operation.cancellation == nil else { return }
        let cancellation = Cancellation()
        self.operation?.cancellation = cancellation
        self.operation?.deadline = min(operation.deadline, .now + Self.cancelGrace)
        session.canceller.send { [executor] in
            cancellation.finish()
            executor.signal(cancellation.wait)
        }
    }

    /// Closes the session because time is up. The server is still asked to stop what it does.
    private func giveUp() -> PostgresError {
        let wasCancelled = operation?.cancellation != nil
        if !wasCancelled { session?.canceller.send {} }
        endSession(PostgresError(.connectionLost, "the session was closed when a call's deadline passed"))
        return wasCancelled
            ? PostgresError(.cancelled, "cancelled; the server did not answer that, so the session was closed")
            : PostgresError(.deadlineExceeded, "the server did not answer within the deadline")
    }

    /// Closes the session because it failed.
    ///
    /// - Returns: The server's last words where it had any, with their code; else libpq's.
    func lose(_ otherwise: String? = nil) -> PostgresError {
        guard let session else { return endedError }
        let connection = session.connection
        var error = session.lastWords
        // Bounded: in the middle of a COPY libpq gives the same result again and again.
        for _ in 0..<8 where PQisBusy(connection) == 0 {
            guard let pointer = PQgetResult(connection) else { break }
            let result = PostgresResult(pointer)
            guard PQresultStatus(result.pointer) == PGRES_FATAL_ERROR else { continue }
            error = withExtendedLifetime(result) { ServerMessage.error(of: result.pointer, statement: nil) }
        }
        var lost =
            error
            ?? PostgresError(.connectionLost, otherwise ?? ServerMessage.firstLine(of: PQerrorMessage(connection)))
        lost.kind = .connectionLost
        endSession(lost)
        return lost
    }
}
