import Testing

@testable import AllocationLedger

/// Goal: in doubt, this process does not write.
///
/// Method: replies and moments are handed to the value; nothing waits.
@Suite struct LeaderLeaseTests {
    private let start = ContinuousClock.now
    private var lease = LeaderLease(timeToLive: .seconds(10))

    private func at(_ seconds: Double) -> ContinuousClock.Instant { start + .milliseconds(Int(seconds * 1000)) }

    @Test("Trust counts from when it was asked, less the margin")
    mutating func trustCountsFromTheRequest() throws {
        let action = lease.granted(epoch: 4, askedAt: at(0), repliedAt: at(3))
        let term = try #require(lease.trusted(now: at(8.99)))
        #expect(action == .startLeading(term))
        #expect(term.epoch == 4)
        #expect(term.trustedUntil == at(9))
        #expect(lease.trusted(now: at(9)) == nil)
    }

    @Test("A reply slower than the trust it grants grants nothing")
    mutating func tooSlow() {
        #expect(lease.granted(epoch: 4, askedAt: at(0), repliedAt: at(9)) == .wait)
        #expect(lease.heldEpoch == nil)
    }

    @Test("A renewal goes on without a new beginning, and a renewal that is too slow ends the term")
    mutating func renewal() {
        _ = lease.granted(epoch: 4, askedAt: at(0), repliedAt: at(0.1))
        #expect(lease.granted(epoch: 4, askedAt: at(3), repliedAt: at(3.1)) == .wait)
        #expect(lease.trusted(now: at(11.9))?.epoch == 4)
        #expect(lease.granted(epoch: 4, askedAt: at(6), repliedAt: at(15)) == .stopLeading(epoch: 4))
        #expect(lease.trusted(now: at(6.1)) == nil)
    }

    @Test("A process that slept through its term stops before it writes")
    mutating func slept() {
        _ = lease.granted(epoch: 4, askedAt: at(0), repliedAt: at(0.1))
        // The clock has gone on; nothing was heard. The question alone says no, before any tick.
        #expect(lease.trusted(now: at(60)) == nil)
        #expect(lease.tick(now: at(60)) == .stopLeading(epoch: 4))
        #expect(lease.tick(now: at(61)) == .wait)
    }

    @Test("A refusal ends the term at once; refused again there is nothing to end")
    mutating func refused() {
        #expect(lease.refused() == .wait)
        _ = lease.granted(epoch: 4, askedAt: at(0), repliedAt: at(0.1))
        #expect(lease.refused() == .stopLeading(epoch: 4))
        #expect(lease.trusted(now: at(0.2)) == nil)
        #expect(lease.refused() == .wait)
    }

    @Test("A term that the fence refused is over, whatever is heard of it later; an older one's refusal ends nothing")
    mutating func fenced() {
        _ = lease.granted(epoch: 4, askedAt: at(0), repliedAt: at(0.1))
        #expect(lease.fenced(epoch: 3) == .wait)
        #expect(lease.fenced(epoch: 4) == .stopLeading(epoch: 4))
        #expect(lease.heldEpoch == nil)
        // A renewal that was on its way.
        #expect(lease.renewed(epoch: 4, askedAt: at(0), repliedAt: at(0.3)) == .wait)
        #expect(lease.heldEpoch == nil)
        let action = lease.granted(epoch: 5, askedAt: at(0.4), repliedAt: at(0.5))
        #expect(action == .startLeading(.init(epoch: 5, trustedUntil: at(9.4))))
    }

    @Test("Another epoch begins another term")
    mutating func anotherEpoch() {
        _ = lease.granted(epoch: 4, askedAt: at(0), repliedAt: at(0.1))
        let action = lease.granted(epoch: 5, askedAt: at(1), repliedAt: at(1.1))
        #expect(action == .startLeading(.init(epoch: 5, trustedUntil: at(10))))
    }
}
