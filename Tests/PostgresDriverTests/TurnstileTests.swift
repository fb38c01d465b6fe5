//
// TurnstileTests.swift
//

import Testing

@testable import PostgresDriver

/// Goal: one at a time, in order of arrival, and nobody who left is called.
@Suite struct TurnstileTests {
    @Test("Turns come in order of arrival")
    func order() {
        var turnstile = Turnstile()
        let ids = (0..<3).map { _ in PollExecutor.WaitID() }
        let taken = ids.map { turnstile.enter($0) }
        #expect(taken == [true, false, false])
        #expect(turnstile.leave() == ids[1])
        #expect(turnstile.isTaken)
        #expect(turnstile.leave() == ids[2])
        #expect(turnstile.leave() == nil)
        #expect(!turnstile.isTaken)
    }

    @Test("Who gave up is not called; who was called may not give up")
    func givingUp() {
        var turnstile = Turnstile()
        let ids = (0..<3).map { _ in PollExecutor.WaitID() }
        for id in ids { _ = turnstile.enter(id) }
        #expect(turnstile.giveUp(ids[1]) == true)
        #expect(turnstile.leave() == ids[2])
        #expect(turnstile.giveUp(ids[2]) == false)
    }
}
