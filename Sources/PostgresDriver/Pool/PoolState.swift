//
// PoolState.swift: decides who gets which connection, who opens a new one, and when.
//
// A value that does no I/O and knows connections by slot number only, so its rules are tested without a server.
// PostgresPool feeds events in and does what the answers say.
//
// Rules: waiting requests are served in order of arrival; there are never more than `size` sessions, those being opened
// included; after a failure one request at a time tries to connect, after the backoff, and the others wait for it.
//

struct PoolState: Sendable {
    typealias Slot = Int
    typealias RequestID = PollExecutor.WaitID

    /// What a request is to do.
    enum Step: Hashable, Sendable {
        /// Use the slot's connection.
        case use(Slot)
        /// Open a connection for the slot, not before the instant.
        case connect(Slot, notBefore: ContinuousClock.Instant?)
        /// Wait until the pool says more.
        case wait
        /// Too many requests wait already.
        case refuse
        /// The pool is closed.
        case closed
    }

    /// A waiting request and what it is to do now; never `.wait`.
    struct Grant: Hashable, Sendable {
        let request: RequestID
        let step: Step
    }

    private enum SlotState {
        /// No session. Can transition to: connecting.
        case empty
        /// A request opens one. Can transition to: leased, empty.
        case connecting
        /// A request has it. Can transition to: idle, leased (by another), empty.
        case leased
        /// Nobody has it. Can transition to: leased.
        case idle
    }

    let waitingMax: Int
    private var slots: [SlotState]
    /// Slots that are idle, the one used last at the end: the others may grow old and be noticed as such.
    private var idle: [Slot] = []
    private var waiting: [RequestID] = []
    private var backoff: Backoff
    /// Set from a failure to connect until the next success.
    private var retryAt: ContinuousClock.Instant?
    private var isClosed = false

    /// - Parameters:
    ///   - size: Sessions at most; 1 or more.
    ///   - waitingMax: Requests that may wait.
    init(size: Int, waitingMax: Int = 1024, backoff: Backoff = Backoff()) {
        precondition(size >= 1, "a pool of \(size) connections")
        slots = Array(repeating: .empty, count: size)
        self.waitingMax = waitingMax
        self.backoff = backoff
    }

    var isFailing: Bool { retryAt != nil }
    var waitingCount: Int { waiting.count }
    var openCount: Int {
        slots.count { if case .empty = $0 { false } else { true } }
    }

    mutating func request(_ id: RequestID) -> Step {
        if isClosed { return .closed }
        // No overtaking.
        if waiting.isEmpty, let step = take() { return step }
        guard waiting.count < waitingMax else { return .refuse }
        waiting.append(id)
        return .wait
    }

    /// A waiting request gives up. False: it was granted something meanwhile, which it must use or hand back.
    mutating func withdraw(_ id: RequestID) -> Bool {
        guard let index = waiting.firstIndex(of: id) else { return false }
        waiting.remove(at: index)
        return true
    }

    /// The slot's connection is open and its request uses it. Those that waited for this try now.
    mutating func connected(_ slot: Slot) -> [Grant] {
        expect(slot, .connecting)
        slots[slot] = .leased
        retryAt = nil
        backoff.reset()
        return grants()
    }

    /// No connection came to be. The request keeps the slot, and may try again at the instant given.
    mutating func connectFailed(
        _ slot: Slot, now: ContinuousClock.Instant, using generator: inout some RandomNumberGenerator
    ) -> ContinuousClock.Instant {
        expect(slot, .connecting)
        let next = now + backoff.next(using: &generator)
        retryAt = next
        return next
    }

    /// A request that was to connect gives up, whether it tried or not.
    mutating func connectAbandoned(_ slot: Slot) -> [Grant] {
        expect(slot, .connecting)
        slots[slot] = .empty
        return grants()
    }

    /// A request is done with its connection.
    /// - Returns: Whether the connection is kept; else it is to be closed.
    mutating func released(_ slot: Slot, isReusable: Bool) -> (isKept: Bool, grants: [Grant]) {
        expect(slot, .leased)
        let isKept = isReusable && !isClosed
        slots[slot] = isKept ? .idle : .empty
        if isKept { idle.append(slot) }
        return (isKept, grants())
    }

    /// No more requests. Gives the slots whose connections are to be closed now; the others are when they come back.
    mutating func close() -> (idle: [Slot], grants: [Grant]) {
        isClosed = true
        defer {
            for slot in idle { slots[slot] = .empty }
            idle = []
            waiting = []
        }
        return (idle, waiting.map { Grant(request: $0, step: .closed) })
    }

    private mutating func grants() -> [Grant] {
        var grants: [Grant] = []
        while let request = waiting.first, let step = take() {
            waiting.removeFirst()
            grants.append(Grant(request: request, step: step))
        }
        return grants
    }

    /// What the next request is to do, unless that is to wait.
    private mutating func take() -> Step? {
        if let slot = idle.popLast() {
            slots[slot] = .leased
            return .use(slot)
        }
        let isConnecting = slots.contains { if case .connecting = $0 { true } else { false } }
        if isFailing && isConnecting { return nil }
        guard let slot = slots.firstIndex(where: { if case .empty = $0 { true } else { false } }) else { return nil }
        slots[slot] = .connecting
        return .connect(slot, notBefore: retryAt)
    }

    private func expect(_ slot: Slot, _ expected: SlotState) {
        switch (slots[slot], expected) {
        case (.connecting, .connecting), (.leased, .leased): break
        default: preconditionFailure("slot \(slot) is \(slots[slot]), not \(expected)")
        }
    }
}
