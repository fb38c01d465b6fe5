import Testing

@testable import AllocationLedger

/// Goal: a follower applies whole revisions in order along the chain, and tells apart what cannot be applied.
///
/// Method: readings made up by the test, instants counted from one; no database, no task.
@Suite struct FollowerLogTests {
    private let start = ContinuousClock.now
    private typealias Tip = FollowerLog.Tip
    private typealias Link = FollowerLog.Link

    private func digest(_ number: Int64, _ past: UInt8 = 0) -> Digest32 { Digest32.hash([UInt8(number & 255), past]) }

    private func tip(_ number: Int64, _ past: UInt8 = 0) -> Tip { Tip(revision: number, digest: digest(number, past)) }

    private func links(_ numbers: ClosedRange<Int64>, _ past: UInt8 = 0) -> [Link] {
        numbers.map { Link(revision: $0, previousDigest: digest($0 - 1, past), digest: digest($0, past)) }
    }

    private func following(_ number: Int64) -> FollowerLog {
        var log = FollowerLog()
        log.loaded(tip(number), now: start)
        return log
    }

    @Test("Before anything is loaded, loading is all there is")
    func nothing() {
        var log = FollowerLog()
        #expect(log.applied == nil)
        #expect(
            log.read(.init(head: tip(3), links: links(1...3)), targets: 0, now: start) == .reload(.nothingLoaded))
    }

    @Test("Revisions that continue the chain are applied, and more are read until the head is reached")
    func continues() {
        var log = following(5)
        let reading = FollowerLog.Reading(head: tip(8), links: links(6...7))
        #expect(log.read(reading, targets: 10, now: start) == .apply(count: 2, readMore: true))
        #expect(log.revisionsBehind == 3)
        for link in reading.links { log.applied(through: link, now: start) }
        #expect(log.applied == tip(7))
        #expect(log.timeBehind(now: start + .seconds(1)) == .seconds(1))
        let rest = FollowerLog.Reading(head: tip(8), links: links(8...8))
        #expect(log.read(rest, targets: 10, now: start + .seconds(2)) == .apply(count: 1, readMore: false))
        log.applied(through: rest.links[0], now: start + .seconds(2))
        #expect(log.revisionsBehind == 0)
        #expect(log.timeBehind(now: start + .seconds(3)) == nil)
        #expect(log.confirmedAt == start + .seconds(2))
        #expect(log.read(.init(head: tip(8), links: []), targets: 10, now: start + .seconds(3)) == .upToDate)
    }

    @Test("A first revision is applied to nothing")
    func first() {
        var log = FollowerLog()
        log.loaded(.nothing, now: start)
        let link = Link(revision: 1, previousDigest: .zero, digest: digest(1))
        let decision = log.read(.init(head: link.tip, links: [link]), targets: 0, now: start)
        #expect(decision == .apply(count: 1, readMore: false))
    }

    @Test("A revision that is no longer kept asks for the whole state, and so does another past that is longer")
    func cannotContinue() {
        var log = following(5)
        #expect(
            log.read(.init(head: tip(9), links: links(8...9)), targets: 0, now: start)
                == .reload(.beyondRetention(next: 6, oldest: 8)))
        #expect(
            log.read(.init(head: tip(7, 1), links: links(6...7, 1)), targets: 0, now: start)
                == .reload(.chainDoesNotContinue(at: 6)))
        #expect(log.read(.init(head: tip(7), links: []), targets: 0, now: start) == .reload(.contradiction(at: 6)))
        #expect(log.applied == tip(5))
    }

    @Test("Numbers that are declared unused are not missing, unless what is applied here is among them")
    func unusedNumbers() {
        let far: Int64 = 600_000
        let repairing = Link(revision: far, previousDigest: digest(6), digest: digest(far), unused: far - 7)
        let later = Link(revision: far + 1, previousDigest: digest(far), digest: digest(far + 1))
        let reading = FollowerLog.Reading(head: later.tip, links: links(6...6) + [repairing, later])
        var log = following(5)
        #expect(log.read(reading, targets: 0, now: start) == .apply(count: 3, readMore: false))
        #expect(log.revisionsBehind == 3)
        for link in reading.links { log.applied(through: link, now: start) }
        #expect(log.applied == later.tip && log.revisionsBehind == 0)
        // Revision 8 was lost.
        log = following(8)
        let rest = FollowerLog.Reading(head: later.tip, links: [repairing, later])
        #expect(log.read(rest, targets: 0, now: start) == .reload(.chainDoesNotContinue(at: far)))
        // Revision 6 is not kept any more.
        log = following(5)
        #expect(log.read(rest, targets: 0, now: start) == .reload(.beyondRetention(next: 6, oldest: far)))
    }

    @Test("A database that is behind, or holds another revision under the same number, is a fork and nothing to load")
    func forks() {
        for head in [tip(4), tip(5, 1)] {
            var log = following(5)
            let fork = FollowerLog.Fork(applied: tip(5), head: head)
            #expect(log.read(.init(head: head, links: []), targets: 0, now: start) == .forked(fork))
            #expect(log.fork == fork)
            #expect(log.applied == tip(5))
            // Beyond it again, with another past: only then there is something newer to load.
            #expect(
                log.read(.init(head: tip(7, 1), links: links(6...7, 1)), targets: 0, now: start)
                    == .reload(.chainDoesNotContinue(at: 6)))
            log.loaded(tip(7, 1), now: start)
            #expect(log.fork == nil)
        }
    }

    @Test("A fork that was a passing lag of the server ends by itself")
    func forkEnds() {
        var log = following(5)
        _ = log.read(.init(head: tip(4), links: []), targets: 0, now: start)
        #expect(log.read(.init(head: tip(5), links: []), targets: 0, now: start) == .upToDate)
        #expect(log.fork == nil)
    }

    @Test("What is more than loading costs is loaded")
    func tooFar() {
        var log = following(5)
        let far = FollowerLog.Reading(head: tip(5 + 20_001), links: links(6...9))
        #expect(
            log.read(far, targets: 0, now: start) == .reload(.tooFarBehind(revisions: 20_001, events: 0)))
        let much = FollowerLog.Reading(head: tip(6), links: links(6...6), eventsBehind: 60_000)
        #expect(log.read(much, targets: 100, now: start) == .reload(.tooFarBehind(revisions: 1, events: 60_000)))
        #expect(log.read(much, targets: 1_000_000, now: start) == .apply(count: 1, readMore: false))
    }

    @Test("A break in the middle of what was read lets the whole part before it be applied")
    func breakInTheMiddle() {
        var log = following(5)
        let reading = FollowerLog.Reading(head: tip(9), links: links(6...7) + links(9...9))
        #expect(log.read(reading, targets: 0, now: start) == .apply(count: 2, readMore: true))
    }

    @Test("It looks at once when told, and otherwise every second")
    func polls() {
        var log = following(5)
        #expect(log.due(now: start) == .read)
        log.looked(now: start)
        _ = log.read(.init(head: tip(5), links: []), targets: 0, now: start)
        #expect(log.due(now: start + .milliseconds(999)) == nil)
        #expect(log.nextDue(now: start) == start + .seconds(1))
        #expect(log.due(now: start + .seconds(1)) == .read)
        log.told(of: 5)
        #expect(log.due(now: start) == nil, "that one is applied")
        log.told(of: 6)
        #expect(log.due(now: start) == .read)
        log.looked(now: start)
        #expect(log.due(now: start + .milliseconds(10)) == nil, "a database that does not answer is not pressed")
        log.told(of: 6)
        _ = log.read(.init(head: tip(5), links: []), targets: 0, now: start + .milliseconds(20))
        #expect(log.due(now: start + .milliseconds(20)) == .read, "what came while it looked may not have been seen")
    }

    @Test("A listening session whose own notification does not come back is dead")
    func heartbeat() {
        var log = following(5)
        log.listening(now: start)
        #expect(log.due(now: start) == .read, "what was notified before was not heard")
        log.looked(now: start)
        _ = log.read(.init(head: tip(5), links: []), targets: 0, now: start + .seconds(3))
        #expect(log.due(now: start + .seconds(3)) == .heartbeat)
        log.heartbeatSent(now: start + .seconds(3))
        #expect(log.due(now: start + .seconds(3)) == nil)
        log.heartbeatHeard(now: start + .seconds(4))
        #expect(log.due(now: start + .milliseconds(3_999)) == nil)
        log.heartbeatSent(now: start + .seconds(7))
        _ = log.read(.init(head: tip(5), links: []), targets: 0, now: start + .milliseconds(9_999))
        #expect(log.due(now: start + .milliseconds(9_999)) == nil)
        #expect(log.nextDue(now: start + .milliseconds(9_999)) == start + .seconds(10))
        #expect(log.due(now: start + .seconds(10)) == .replaceSession)
        log.notListening()
        #expect(log.due(now: start + .seconds(10)) == nil, "without a session there is only polling")
    }
}
