//
// RefreshLoop.swift: the one poll loop of the mechanisms that ask at an interval.
//

/// Runs a round at once and then every interval, a little sooner or later.
struct RefreshLoop: Sendable {
    /// Measured from the start of a round; a round that takes longer delays the next one and is not made up for.
    let interval: Duration
    /// So that sections of the same interval, and allocators started together, do not ask all at once.
    static let jitter = 0.95...1.05

    /// Returns when the task is cancelled.
    func run(isolation: isolated (any Actor)? = #isolation, _ round: () async -> Void) async {
        while !Task.isCancelled {
            let next = ContinuousClock.now + interval * Double.random(in: Self.jitter)
            await round()
            do { try await Task.sleep(until: next, clock: .continuous) } catch { return }
        }
    }
}
