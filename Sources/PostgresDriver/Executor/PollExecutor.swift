//
// PollExecutor.swift: one thread that runs the connections' actors and waits for their sockets.
//
// libpq is not to be called from two threads at once for one connection, and a wait must not hold a thread of the
// shared pool. Both follow when the thread that polls the sockets is the actors' executor: every libpq call of every
// connection happens on it, and none of them blocks.
//
// A thread lives as long as the process. Make few executors.
//

import CSys
import Glibc
import Synchronization

/// A serial executor whose thread polls descriptors and deadlines between jobs.
package final class PollExecutor: SerialExecutor {
    /// The thread that connections run on when none is named.
    package static let shared = PollExecutor(name: "postgres")

    /// What ended a wait.
    package enum Outcome: Sendable, Hashable {
        /// The descriptor is ready, or has failed, which the next call on it tells.
        case ready
        case deadlinePassed
        /// The waiting task was cancelled.
        case cancelled
        /// ``PollExecutor/signal(_:)``.
        case signalled
    }

    /// Names one wait, so that it can be ended from elsewhere. Never used twice.
    package struct WaitID: Hashable, Sendable {
        private let rawValue: UInt64
        private static let next = Atomic<UInt64>(1)

        package init() { rawValue = Self.next.wrappingAdd(1, ordering: .relaxed).oldValue }
    }

    private struct Waiter {
        let descriptor: Int32
        let events: Int16
        let deadline: ContinuousClock.Instant?
        let continuation: CheckedContinuation<Outcome, Never>
    }

    private struct Inbox {
        var jobs: [UnownedJob] = []
        var ended: [(WaitID, Outcome)] = []
        var isEmpty: Bool { jobs.isEmpty && ended.isEmpty }
    }

    private let inbox = Mutex(Inbox())
    private let wakeup: Int32
    private let thread = Atomic<UInt>(0)
    // Both are touched on the thread alone: by the loop, and by `wait`, which checks that it runs there.
    nonisolated(unsafe) private var waiters: [WaitID: Waiter] = [:]
    nonisolated(unsafe) private var runningJobs: [UnownedJob] = []

    /// Starts the thread.
    /// - Parameter name: At most 15 bytes, as the kernel shows it.
    package init(name: String) {
        wakeup = csys_eventfd_create()
        precondition(wakeup >= 0, "no descriptor left for the PostgreSQL poll thread (errno \(errno))")
        Threads.start(name: name) { self.run() }
    }

    package var isOnThread: Bool { thread.load(ordering: .relaxed) == UInt(pthread_self()) }

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let wasEmpty = inbox.withLock { inbox in
            defer { inbox.jobs.append(job) }
            return inbox.isEmpty
        }
        if wasEmpty && !isOnThread { csys_eventfd_signal(wakeup) }
    }

    package func checkIsolated() {
        precondition(isOnThread, "not on the PostgreSQL poll thread")
    }

    package func isIsolatingCurrentContext() -> Bool? { isOnThread }

    /// Waits until the descriptor is ready, the deadline passes, the task is cancelled or the wait is signalled.
    ///
    /// - Parameters:
    ///   - descriptor: nil waits for the time or a signal alone.
    ///   - events: `POLLIN`, `POLLOUT` or both.
    ///   - heedsCancellation: false where the answer must be awaited even by a cancelled task.
    ///   - isolation: An actor that runs on this executor.
    package func wait(
        _ id: WaitID = WaitID(), descriptor: Int32?, events: Int32 = 0, until deadline: ContinuousClock.Instant?,
        heedsCancellation: Bool = true, isolation: isolated (any Actor)? = #isolation
    ) async -> Outcome {
        checkIsolated()
        guard heedsCancellation else {
            return await register(id, descriptor: descriptor, events: events, deadline: deadline, isolation: isolation)
        }
        // The isolation is named, since a closure runs in it only when it captures it.
        return await withTaskCancellationHandler {
            await register(id, descriptor: descriptor, events: events, deadline: deadline, isolation: isolation)
        } onCancel: {
            end(id, .cancelled)
        }
    }

    /// Ends a wait from any thread. Nothing happens when it is not under way (any more).
    ///
    /// Taken in after the job that is running, so a wait which that job is about to begin is found.
    package func signal(_ id: WaitID) { end(id, .signalled) }

    private func register(
        _ id: WaitID, descriptor: Int32?, events: Int32, deadline: ContinuousClock.Instant?,
        isolation: isolated (any Actor)?
    ) async -> Outcome {
        await withCheckedContinuation(isolation: isolation) { continuation in
            checkIsolated()
            waiters[id] = Waiter(
                descriptor: descriptor ?? -1, events: Int16(truncatingIfNeeded: events), deadline: deadline,
                continuation: continuation
            )
        }
    }

    private func end(_ id: WaitID, _ outcome: Outcome) {
        let wasEmpty = inbox.withLock { inbox in
            defer { inbox.ended.append((id, outcome)) }
            return inbox.isEmpty
        }
        if wasEmpty && !isOnThread { csys_eventfd_signal(wakeup) }
    }

    // MARK: The thread

    private func run() -> Never {
        thread.store(UInt(pthread_self()), ordering: .relaxed)
        var polled: [pollfd] = []
        var polledIDs: [WaitID] = []
        while true {
            runJobs()
            poll(&polled, &polledIDs)
        }
    }

    private func runJobs() {
        let ended = inbox.withLock { inbox in
            swap(&inbox.jobs, &runningJobs)
            defer { inbox.ended.removeAll() }
            return inbox.ended
        }
        for job in runningJobs { job.runSynchronously(on: asUnownedSerialExecutor()) }
        runningJobs.removeAll(keepingCapacity: true)
        for (id, outcome) in ended {
            waiters.removeValue(forKey: id)?.continuation.resume(returning: outcome)
        }
    }

    private func poll(_ polled: inout [pollfd], _ ids: inout [WaitID]) {
        polled.removeAll(keepingCapacity: true)
        ids.removeAll(keepingCapacity: true)
        polled.append(pollfd(fd: wakeup, events: Int16(POLLIN), revents: 0))
        var nearest: ContinuousClock.Instant?
        for (id, waiter) in waiters {
            if waiter.descriptor >= 0 {
                polled.append(pollfd(fd: waiter.descriptor, events: waiter.events, revents: 0))
                ids.append(id)
            }
            if let deadline = waiter.deadline { nearest = min(nearest ?? deadline, deadline) }
        }
        // Work that arrived meanwhile still lets the sockets be looked at, so that no chain of jobs starves them.
        let isIdle = inbox.withLock { $0.isEmpty }
        let milliseconds = isIdle ? Self.milliseconds(until: nearest) : 0
        let count = Glibc.poll(&polled, nfds_t(polled.count), milliseconds)
        if count > 0 {
            if polled[0].revents != 0 { csys_eventfd_drain(wakeup) }
            for (index, id) in ids.enumerated() where polled[index + 1].revents != 0 {
                waiters.removeValue(forKey: id)?.continuation.resume(returning: .ready)
            }
        }
        guard let nearest, nearest <= .now else { return }
        let now = ContinuousClock.now
        for (id, waiter) in waiters where waiter.deadline.map({ $0 <= now }) ?? false {
            waiters.removeValue(forKey: id)
            waiter.continuation.resume(returning: .deadlinePassed)
        }
    }

    /// poll's timeout: rounded up, so that the deadline has passed when it ends; -1 for none.
    private static func milliseconds(until deadline: ContinuousClock.Instant?) -> Int32 {
        guard let deadline else { return -1 }
        let left = deadline - .now
        guard left > .zero else { return 0 }
        let (seconds, attoseconds) = left.components
        guard seconds < 86_400 else { return 86_400_000 }
        return Int32(seconds) * 1000 + Int32(attoseconds / 1_000_000_000_000_000) + 1
    }
}
