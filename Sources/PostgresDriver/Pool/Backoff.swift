//
// Backoff.swift: how long to wait before the next attempt.
//
// Doubles up to a limit, with full jitter: the wait is drawn between zero and the bound, so that a hundred clients of
// a server that comes back do not come back together.
//
// Source: Marc Brooker, "Exponential Backoff and Jitter" (AWS Architecture Blog, 2015), "full jitter".
//

package struct Backoff: Sendable {
    package let first: Duration
    package let limit: Duration
    /// Failures since the last success.
    package private(set) var failures = 0

    package init(first: Duration = .milliseconds(100), limit: Duration = .seconds(10)) {
        precondition(first > .zero && limit >= first, "backoff from \(first) to \(limit)")
        self.first = first
        self.limit = limit
    }

    /// Notes a failure and gives the wait before the next attempt.
    package mutating func next(using generator: inout some RandomNumberGenerator) -> Duration {
        // Beyond 2^32 times the first wait any limit is reached.
        let bound = min(limit, first * (1 << min(failures, 32)))
        failures += 1
        let (seconds, attoseconds) = bound.components
        let microseconds = seconds * 1_000_000 + attoseconds / 1_000_000_000_000
        return .microseconds(Int64.random(in: 0...microseconds, using: &generator))
    }

    package mutating func next() -> Duration {
        var generator = SystemRandomNumberGenerator()
        return next(using: &generator)
    }

    package mutating func reset() { failures = 0 }
}
