//
// BackoffTests.swift
//

import Testing

@testable import PostgresDriver

/// Goal: waits double up to the limit, are spread over the whole range, and begin anew after a success.
@Suite struct BackoffTests {
    /// Draws the most of every range.
    private struct Most: RandomNumberGenerator {
        func next() -> UInt64 { .max }
    }

    @Test("The bound doubles up to the limit")
    func bounds() {
        var backoff = Backoff(first: .milliseconds(100), limit: .milliseconds(500))
        var most = Most()
        let waits = (0..<5).map { _ in backoff.next(using: &most) }
        #expect(
            waits == [
                .milliseconds(100), .milliseconds(200), .milliseconds(400), .milliseconds(500), .milliseconds(500),
            ])
        backoff.reset()
        #expect(backoff.next(using: &most) == .milliseconds(100))
    }

    @Test("Waits are spread over the whole range")
    func jitter() {
        let waits = (0..<1000).map { _ in
            var backoff = Backoff(first: .seconds(1), limit: .seconds(1))
            return backoff.next()
        }
        // Each misses by chance once in 10^45.
        #expect(waits.contains { $0 < .milliseconds(100) })
        #expect(waits.contains { $0 > .milliseconds(900) })
    }

    @Test("A thousand failures do not overflow")
    func many() {
        var backoff = Backoff(limit: .seconds(10))
        for _ in 0..<1000 { #expect(backoff.next() <= .seconds(10)) }
        #expect(backoff.failures == 1000)
    }
}
