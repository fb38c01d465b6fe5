//
// RecordingCertainty.swift: whether what this process decides gets recorded, for whoever renews its lease.
//

import Synchronization

/// Known to the walk, read by the lease.
///
/// A renewal states that its holder could record. One that holds the lease and cannot (a full disk takes the lease's row
/// and not a revision) must not state it: should it die before it has told of the gap, nobody else knows when it began.
final class RecordingCertainty: Sendable {
    private struct State {
        /// Since when something waits to be recorded.
        var waitingSince: ContinuousClock.Instant?
        var hasFailed = false
    }

    private let state = Mutex(State())

    /// Something waits no longer than this unless the database is slow.
    private static let patience = Duration.seconds(1)

    /// Takes that something is to be recorded.
    func begins(now: ContinuousClock.Instant) {
        state.withLock { $0.waitingSince = $0.waitingSince ?? now }
    }

    /// Takes that the database did not let it be.
    func failed() { state.withLock { $0.hasFailed = true } }

    /// Takes that all of it is recorded, and the gap too if there was one.
    func ended() { state.withLock { $0 = State() } }

    /// Whether nothing waits for longer than it should.
    func holds(now: ContinuousClock.Instant) -> Bool {
        state.withLock { state in
            !state.hasFailed && state.waitingSince.map { now - $0 < Self.patience } ?? true
        }
    }
}
