//
// PostgresPool.swift: a bounded number of sessions, opened when they are needed and again when they are lost.
//
// It opens nothing by itself: the request that needs a session opens it, within its own deadline and task. So there is
// no background work to stop, and a pool that nobody uses costs the server nothing.
//

import Glibc
import Logging

/// Sessions shared by many tasks.
package actor PostgresPool {
    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
    package nonisolated let configuration: PostgresConfiguration

    private let executor = PollExecutor.shared
    private let logger: Logger
    private var state: PoolState
    private var connections: [PoolState.Slot: PostgresConnection] = [:]
    private var granted: [PoolState.RequestID: PoolState.Step] = [:]
    /// Why the last attempt to connect failed, as long as none has succeeded since.
    private var connectError: PostgresError?

    /// - Parameter size: Sessions at most.
    package init(_ configuration: PostgresConfiguration, size: Int, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
        state = PoolState(size: size)
    }

    /// Runs `body` with a connection that is its own meanwhile. A session found lost is opened again, after a backoff
    /// where that fails, until the deadline.
    ///
    /// - Parameter deadline: For getting the connection; nil leaves ``PostgresConfiguration/statementTimeout``.
    /// - Throws: `.poolExhausted` when none came free in time; what the last attempt to connect said, when none could
    ///   be opened in time, at once where waiting does not help (28P01); and what `body` throws.
    nonisolated(nonsending) package func withConnection<T>(
        deadline: ContinuousClock.Instant? = nil, file: String = #fileID, line: Int = #line,
        _ body: (PostgresConnection) async throws -> T
    ) async throws -> T {
        let lease: Lease
        do {
            lease = try await self.lease(deadline: deadline ?? .now + configuration.statementTimeout)
        } catch {
            throw error.locating(statement: nil, site: .init(file: file, line: line))
        }
        do {
            let value = try await body(lease.connection)
            await release(lease, after: nil)
            return value
        } catch {
            await release(lease, after: error as? PostgresError)
            throw error
        }
    }

    /// Closes the idle sessions now and the others when they come back. Waiting and later requests fail.
    package func close() async {
        let (idle, grants) = state.close()
        hand(out: grants)
        for slot in idle { await connections.removeValue(forKey: slot)?.close() }
    }

    // MARK: Leasing

    private struct Lease: Sendable {
        let slot: PoolState.Slot
        let connection: PostgresConnection
    }

    private func lease(deadline: ContinuousClock.Instant) async throws(PostgresError) -> Lease {
        while true {
            let request = PoolState.RequestID()
            var step = state.request(request)
            if step == .wait { step = try await grant(to: request, deadline: deadline) }
            switch step {
            case .use(let slot):
                // Set as long as the slot is not empty.
                let connection = connections[slot]!
                if await connection.checkUsable() { return Lease(slot: slot, connection: connection) }
                await release(Lease(slot: slot, connection: connection), after: nil)
            case .connect(let slot, let notBefore):
                return try await connect(slot, notBefore: notBefore, deadline: deadline)
            case .closed: throw PostgresError(.poolExhausted, "the connection pool is closed")
            case .refuse, .wait:
                throw PostgresError(.poolExhausted, "\(state.waitingMax) requests wait for a connection already")
            }
        }
    }

    private func grant(
        to request: PoolState.RequestID, deadline: ContinuousClock.Instant
    ) async throws(PostgresError) -> PoolState.Step {
        let ended = await executor.wait(request, descriptor: nil, until: deadline)
        if let step = granted.removeValue(forKey: request) {
            if ended == .signalled { return step }
            // Granted in the moment of giving up.
            switch step {
            // Set as long as the slot is not empty.
            case .use(let slot): await release(Lease(slot: slot, connection: connections[slot]!), after: nil)
            case .connect(let slot, _): hand(out: state.connectAbandoned(slot))
            case .closed, .refuse, .wait: break
            }
        } else {
            _ = state.withdraw(request)
        }
        if ended == .cancelled {
            throw PostgresError(.cancelled, "the task was cancelled while it waited for a connection")
        }
        throw connectError ?? PostgresError(.poolExhausted, "no connection became free within the deadline")
    }

    /// Opens the slot's connection, again and again until the deadline.
    private func connect(
        _ slot: PoolState.Slot, notBefore: ContinuousClock.Instant?, deadline: ContinuousClock.Instant
    ) async throws(PostgresError) -> Lease {
        var notBefore = notBefore
        while true {
            do throws(PostgresError) {
                try await pause(until: notBefore, deadline: deadline)
                let connection = try await PostgresConnection.connect(
                    configuration, deadline: deadline, logger: logger)
                connections[slot] = connection
                connectError = nil
                hand(out: state.connected(slot))
                return Lease(slot: slot, connection: connection)
            } catch {
                if error.kind != .cancelled { connectError = error }
                guard error.isTransient, error.kind != .deadlineExceeded, ContinuousClock.now < deadline else {
                    // The next one waits for the backoff too.
                    if error.kind != .cancelled, error.kind != .poolExhausted { noteFailure(slot) }
                    hand(out: state.connectAbandoned(slot))
                    throw error
                }
                notBefore = noteFailure(slot)
                logger.debug("cannot connect, trying again: \(error)")
            }
        }
    }

    @discardableResult
    private func noteFailure(_ slot: PoolState.Slot) -> ContinuousClock.Instant {
        var generator = SystemRandomNumberGenerator()
        return state.connectFailed(slot, now: .now, using: &generator)
    }

    private func pause(
        until instant: ContinuousClock.Instant?, deadline: ContinuousClock.Instant
    ) async throws(PostgresError) {
        guard let instant, instant > .now else { return }
        let ended = await executor.wait(descriptor: nil, until: min(instant, deadline))
        if ended == .cancelled {
            throw PostgresError(.cancelled, "the task was cancelled while it waited to connect again")
        }
        if ContinuousClock.now >= deadline {
            throw connectError ?? PostgresError(.deadlineExceeded, "no connection within the deadline")
        }
    }

    private func release(_ lease: Lease, after error: PostgresError?) async {
        // What is in the middle of something is of no use to the next, nor is a server that has become read-only.
        var isReusable = await lease.connection.isIdle
        if isReusable { isReusable = await lease.connection.isUsable }
        if error?.sqlState == .readOnlySQLTransaction { isReusable = false }
        let (isKept, grants) = state.released(lease.slot, isReusable: isReusable)
        if !isKept { connections[lease.slot] = nil }
        hand(out: grants)
        if !isKept { await lease.connection.close() }
    }

    private func hand(out grants: [PoolState.Grant]) {
        for grant in grants {
            granted[grant.request] = grant.step
            executor.signal(grant.request)
        }
    }
}
