//
// PoolStateTests.swift
//

import Testing

@testable import PostgresDriver

/// Goal: the pool's rules: never more than its size, in order of arrival, one probe while the server is down.
///
/// Method: events by hand, with made-up instants and no server.
@Suite struct PoolStateTests {
    private typealias ID = PollExecutor.WaitID
    private let now = ContinuousClock.now

    private struct Most: RandomNumberGenerator {
        /// An empty value has no address, and the thread sanitizer reads what it is handed as one.
        private var asked = 0

        mutating func next() -> UInt64 {
            asked += 1
            return .max
        }
    }

    @Test("Connections are opened up to the size, then requests wait in order")
    func size() {
        var pool = PoolState(size: 2)
        #expect(pool.request(ID()) == .connect(0, notBefore: nil))
        #expect(pool.request(ID()) == .connect(1, notBefore: nil))
        let first = ID(), second = ID()
        #expect(pool.request(first) == .wait)
        #expect(pool.request(second) == .wait)
        #expect(pool.connected(0).isEmpty && pool.connected(1).isEmpty)
        #expect(pool.openCount == 2)
        let released = pool.released(1, isReusable: true)
        #expect(released.isKept && released.grants == [.init(request: first, step: .use(1))])
        #expect(
            pool.released(0, isReusable: false).grants == [.init(request: second, step: .connect(0, notBefore: nil))])
    }

    @Test("The connection used last is used next, and a newcomer does not overtake")
    func reuse() {
        var pool = PoolState(size: 2)
        for slot in 0..<2 {
            #expect(pool.request(ID()) == .connect(slot, notBefore: nil))
            _ = pool.connected(slot)
        }
        _ = pool.released(0, isReusable: true)
        _ = pool.released(1, isReusable: true)
        #expect(pool.request(ID()) == .use(1))
        #expect(pool.request(ID()) == .use(0))
        let waiting = ID()
        #expect(pool.request(waiting) == .wait)
        #expect(pool.withdraw(waiting) == true)
        #expect(pool.withdraw(waiting) == false)
        _ = pool.released(0, isReusable: true)
        #expect(pool.request(ID()) == .use(0))
    }

    @Test("While the server is down one request tries, after the backoff; the others wait for it")
    func probing() {
        var pool = PoolState(size: 3, backoff: Backoff(first: .milliseconds(100), limit: .seconds(1)))
        var most = Most()
        #expect(pool.request(ID()) == .connect(0, notBefore: nil))
        let retry = pool.connectFailed(0, now: now, using: &most)
        #expect(retry == now + .milliseconds(100))
        let next = ID(), last = ID()
        #expect(pool.request(next) == .wait)
        #expect(pool.request(last) == .wait)
        #expect(pool.connectFailed(0, now: retry, using: &most) == retry + .milliseconds(200))
        // The probing request gives up: the next takes over, and keeps to the backoff.
        #expect(
            pool.connectAbandoned(0)
                == [.init(request: next, step: .connect(0, notBefore: retry + .milliseconds(200)))])
        #expect(pool.isFailing)
        // The server is back: the others need not wait for the one that found out.
        #expect(pool.connected(0) == [.init(request: last, step: .connect(1, notBefore: nil))])
        #expect(!pool.isFailing)
    }

    @Test("Idle connections are used while new ones cannot be opened")
    func idleWhileFailing() {
        var pool = PoolState(size: 2)
        var most = Most()
        _ = pool.request(ID())
        _ = pool.connected(0)
        #expect(pool.request(ID()) == .connect(1, notBefore: nil))
        _ = pool.connectFailed(1, now: now, using: &most)
        _ = pool.released(0, isReusable: true)
        #expect(pool.request(ID()) == .use(0))
    }

    @Test("Beyond the limit of waiting requests the next is refused")
    func refusing() {
        var pool = PoolState(size: 1, waitingMax: 1)
        _ = pool.request(ID())
        #expect(pool.request(ID()) == .wait)
        #expect(pool.request(ID()) == .refuse)
    }

    @Test("Closing ends the waiting, the idle, and later the leased")
    func closing() {
        var pool = PoolState(size: 2)
        for slot in 0..<2 {
            _ = pool.request(ID())
            _ = pool.connected(slot)
        }
        _ = pool.released(0, isReusable: true)
        let closed = pool.close()
        #expect(closed.idle == [0] && closed.grants.isEmpty)
        #expect(pool.request(ID()) == .closed)
        #expect(!pool.released(1, isReusable: true).isKept)
        #expect(pool.openCount == 0)

        var busy = PoolState(size: 1)
        _ = busy.request(ID())
        let waiting = ID()
        _ = busy.request(waiting)
        #expect(busy.close().grants == [.init(request: waiting, step: .closed)])
    }

    @Test("A thousand random events keep the rules")
    func randomEvents() {
        var generator = SystemRandomNumberGenerator()
        var pool = PoolState(size: 4, waitingMax: 8)
        var leased: Set<Int> = [], connecting: Set<Int> = [], waiting: [PollExecutor.WaitID] = []
        func take(_ step: PoolState.Step) {
            switch step {
            case .use(let slot): #expect(leased.insert(slot).inserted)
            case .connect(let slot, _): #expect(connecting.insert(slot).inserted)
            case .wait, .refuse, .closed: break
            }
        }
        func take(_ grants: [PoolState.Grant]) {
            for grant in grants {
                #expect(waiting.removeFirst() == grant.request)
                take(grant.step)
            }
        }
        for _ in 0..<1000 {
            switch Int.random(in: 0..<6, using: &generator) {
            case 0, 1:
                let id = PollExecutor.WaitID()
                let step = pool.request(id)
                if step == .wait { waiting.append(id) }
                take(step)
            case 2:
                guard let slot = connecting.popFirst() else { continue }
                leased.insert(slot)
                take(pool.connected(slot))
            case 3:
                guard let slot = connecting.popFirst() else { continue }
                _ = pool.connectFailed(slot, now: now, using: &generator)
                take(pool.connectAbandoned(slot))
            case 4:
                guard let slot = leased.popFirst() else { continue }
                take(pool.released(slot, isReusable: Bool.random(using: &generator)).grants)
            default:
                guard let id = waiting.popLast() else { continue }
                #expect(pool.withdraw(id) == true)
            }
            #expect(leased.isDisjoint(with: connecting) && leased.count + connecting.count <= 4)
            #expect(pool.waitingCount == waiting.count)
            // Nobody waits while a slot is free, unless the server is down and someone probes.
            #expect(waiting.isEmpty || pool.openCount == 4 || (pool.isFailing && !connecting.isEmpty))
        }
    }
}
