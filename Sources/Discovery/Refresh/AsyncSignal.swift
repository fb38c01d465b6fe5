//
// AsyncSignal.swift: a flag that one task waits for. Raised twice it is raised once, so nothing queues up behind it.
//

import Synchronization

/// A flag with one waiter. Raising it wakes the waiter or, when nobody waits, lets the next wait return at once.
final class AsyncSignal: Sendable {
    /// What the flag is doing.
    private enum State {
        /// Nobody waits and nothing happened. Can transition to: raised, waiting.
        case lowered
        /// Something happened that nobody saw yet. Can transition to: lowered.
        case raised
        /// Can transition to: lowered, by being raised or cancelled.
        case waiting(CheckedContinuation<Void, any Error>)
    }

    private let state = Mutex(State.lowered)

    func raise() {
        let waiter = state.withLock { state -> CheckedContinuation<Void, any Error>? in
            if case .waiting(let waiter) = state {
                state = .lowered
                return waiter
            }
            state = .raised
            return nil
        }
        waiter?.resume()
    }

    /// Waits until the flag is raised, and lowers it.
    ///
    /// - Throws: `CancellationError`; the flag stays as it was.
    func wait() async throws {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (waiter: CheckedContinuation<Void, any Error>) in
                let isDone = state.withLock { state -> Result<Void, any Error>? in
                    if Task.isCancelled { return .failure(CancellationError()) }
                    switch state {
                    case .raised:
                        state = .lowered
                        return .success(())
                    case .lowered:
                        state = .waiting(waiter)
                        return nil
                    case .waiting: preconditionFailure("two tasks wait for one signal")
                    }
                }
                if let isDone { waiter.resume(with: isDone) }
            }
        } onCancel: {
            let waiter = state.withLock { state -> CheckedContinuation<Void, any Error>? in
                guard case .waiting(let waiter) = state else { return nil }
                state = .lowered
                return waiter
            }
            waiter?.resume(throwing: CancellationError())
        }
    }

    /// Waits until the flag is raised or the time is over, whichever comes first.
    ///
    /// - Returns: Whether it was raised.
    /// - Throws: `CancellationError`.
    func wait(upTo duration: Duration) async throws -> Bool {
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                try await self.wait()
                return true
            }
            group.addTask {
                try await Task.sleep(for: duration)
                return false
            }
            defer { group.cancelAll() }
            return try await group.next() ?? false
        }
    }
}
