//
// SimulatedProcess.swift: a process that can be stopped, continued and killed at any instant, and its clocks.
//

import PostgresDriver

/// How a wait ends that does not end well.
enum Fault: Error, Sendable, Hashable {
    /// The process was killed: whatever runs in it ends here and does nothing more.
    case died
    /// No session could be opened.
    case unreachable
    /// The session is gone; what it had not committed is undone.
    case lost
    /// The call's deadline passed; the session was given up with it.
    case deadline
    /// The server refused.
    case refused(Refusal)

    enum Refusal: Sendable, Hashable {
        case lockNotAvailable, readOnly, diskFull, startingUp, aborted
    }
}

/// One life of a process.
final class SimulatedProcess {
    let simulation: Simulation
    let name: String
    private(set) var isAlive = true
    private(set) var isStopped = false
    /// What came in while it was stopped.
    private var held: [() -> Void] = []
    private var waits: [Int: any Completable] = [:]
    private var waitCount = 0
    private var sessions: [ClientSession] = []
    /// How fast its monotonic clock runs.
    let clockRate: Double
    private let bornAt: SimulatedTime
    /// What a suspended machine adds to the monotonic clock.
    private var clockJump: SimulatedTime = 0
    /// Of the wall clock, against the true time.
    var wallOffset: SimulatedTime = 0

    private static let origin = ContinuousClock.now
    /// 2026-01-01.
    static let wallOrigin: Int64 = 1_767_225_600_000_000

    init(_ simulation: Simulation, name: String, clockRate: Double) {
        self.simulation = simulation
        self.name = name
        self.clockRate = clockRate
        bornAt = simulation.now
    }

    // MARK: Clocks

    /// The monotonic clock.
    var now: ContinuousClock.Instant {
        let own = Int64(Double(simulation.now - bornAt) * clockRate) + clockJump
        return Self.origin + .microseconds(own)
    }

    var wallTime: Timestamp { Timestamp(microsecondsSince1970: Self.wallOrigin + simulation.now + wallOffset) }

    /// The machine was suspended for so long that its clocks tell.
    func jump(_ by: SimulatedTime) { clockJump += by }

    /// How long a time of this process's clock takes. A timer never fires early.
    func trueTime(_ duration: Duration) -> SimulatedTime {
        SimulatedTime((Double(duration.microseconds) / clockRate).rounded(.up)) + 1
    }

    // MARK: Waiting

    /// Waits until what `register` is given is completed.
    func wait<Value: Sendable>(_ register: (Completion<Value>) -> Void) async throws(Fault) -> Value {
        guard isAlive else { throw .died }
        let result: Result<Value, Fault> = await withUnsafeContinuation { continuation in
            waitCount += 1
            let completion = Completion(self, waitCount, continuation)
            waits[waitCount] = completion
            register(completion)
        }
        return try result.get()
    }

    /// - Parameter duration: By this process's clock.
    func sleep(_ duration: Duration) async throws(Fault) {
        try await pause(trueTime(duration))
    }

    /// - Parameter time: True time.
    func pause(_ time: SimulatedTime) async throws(Fault) {
        try await wait { (completion: Completion<Void>) in
            simulation.after(time) { [self] in deliver { completion.succeed(()) } }
        }
    }

    /// Lets something happen in this process: at once, or when it goes on.
    func deliver(_ action: @escaping () -> Void) {
        guard isAlive else { return }
        if isStopped { held.append(action) } else { action() }
    }

    fileprivate func ended(_ wait: Int) { waits[wait] = nil }

    // MARK: Life

    func add(_ session: ClientSession) {
        sessions.removeAll { !$0.isUsable }
        sessions.append(session)
    }

    /// SIGSTOP.
    func stop() { isStopped = true }

    /// SIGCONT.
    func resume() {
        guard isStopped, isAlive else { return }
        isStopped = false
        let actions = held
        held = []
        for action in actions { deliver(action) }
    }

    /// kill -9. Its kernel closes what it had open.
    func kill() {
        guard isAlive else { return }
        isAlive = false
        held = []
        for session in sessions { session.close() }
        for wait in waits.keys.sorted() { waits[wait]?.fail(.died) }
    }
}

private protocol Completable {
    func fail(_ fault: Fault)
}

/// The end of one wait; the first word counts.
final class Completion<Value: Sendable>: Completable {
    private let process: SimulatedProcess
    private let number: Int
    private var continuation: UnsafeContinuation<Result<Value, Fault>, Never>?

    fileprivate init(
        _ process: SimulatedProcess, _ number: Int, _ continuation: UnsafeContinuation<Result<Value, Fault>, Never>
    ) {
        self.process = process
        self.number = number
        self.continuation = continuation
    }

    var isOpen: Bool { continuation != nil }

    func succeed(_ value: Value) { end(.success(value)) }

    func fail(_ fault: Fault) { end(.failure(fault)) }

    private func end(_ result: Result<Value, Fault>) {
        guard let continuation else { return }
        self.continuation = nil
        process.ended(number)
        continuation.resume(returning: result)
    }
}

extension Duration {
    var microseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1_000_000 + attoseconds / 1_000_000_000_000
    }
}
