//
// PollExecutorTests.swift
//

import Glibc
import Testing

@testable import PostgresDriver

/// Goal: a wait ends for the reason that came first, and jobs run on the one thread.
///
/// Method: pipes for descriptors; the signals themselves are what is waited for.
@Suite struct PollExecutorTests {
    private actor Waiter {
        let executor: PollExecutor
        nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
        private(set) var jobs = 0

        init(_ executor: PollExecutor) { self.executor = executor }

        func wait(
            _ id: PollExecutor.WaitID = .init(), _ descriptor: Int32?, until deadline: ContinuousClock.Instant? = nil,
            heedsCancellation: Bool = true
        ) async -> PollExecutor.Outcome {
            await executor.wait(
                id, descriptor: descriptor, events: POLLIN, until: deadline, heedsCancellation: heedsCancellation)
        }

        func count() -> Bool {
            jobs += 1
            return executor.isOnThread
        }
    }

    private static let executor = PollExecutor(name: "test-poll")
    private let waiter = Waiter(Self.executor)

    private func withPipe<T>(_ body: (_ reader: Int32, _ writer: Int32) async throws -> T) async throws -> T {
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        defer { for end in ends { close(end) } }
        return try await body(ends[0], ends[1])
    }

    @Test("A readable descriptor ends the wait")
    func ready() async throws {
        try await withPipe { reader, writer in
            async let outcome = waiter.wait(.init(), reader)
            #expect(write(writer, "x", 1) == 1)
            #expect(await outcome == .ready)
        }
    }

    @Test("A deadline ends the wait, not before it has passed")
    func deadline() async throws {
        try await withPipe { reader, _ in
            let deadline = ContinuousClock.now + .milliseconds(20)
            #expect(await waiter.wait(.init(), reader, until: deadline) == .deadlinePassed)
            #expect(ContinuousClock.now >= deadline)
        }
        #expect(await waiter.wait(.init(), nil, until: .now - .seconds(1)) == .deadlinePassed)
    }

    @Test("A signal ends the wait, also one that comes first to the thread")
    func signal() async {
        for _ in 0..<100 {
            let id = PollExecutor.WaitID()
            async let outcome = waiter.wait(id, nil, until: .now + .seconds(10))
            // Until the wait is registered a signal is lost, by design; so again until it is heard.
            let signals = Task { while !Task.isCancelled { Self.executor.signal(id); await Task.yield() } }
            #expect(await outcome == .signalled)
            signals.cancel()
        }
    }

    @Test("Cancelling the task ends the wait, also before it began")
    func cancellation() async {
        for delay in [false, true] {
            let task = Task { [waiter] in
                if delay { while !Task.isCancelled { await Task.yield() } }
                return await waiter.wait(.init(), nil, until: .now + .seconds(60))
            }
            task.cancel()
            #expect(await task.value == .cancelled)
        }
    }

    @Test("A shielded wait goes on in a cancelled task")
    func shielded() async {
        let task = Task { [waiter] in
            while !Task.isCancelled { await Task.yield() }
            return await waiter.wait(.init(), nil, until: .now + .milliseconds(20), heedsCancellation: false)
        }
        task.cancel()
        #expect(await task.value == .deadlinePassed)
    }

    @Test("Ten thousand jobs from many tasks run on the thread, none lost")
    func jobs() async {
        let waiter = Waiter(Self.executor)
        await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<100 {
                group.addTask {
                    for _ in 0..<100 where await !waiter.count() { return false }
                    return true
                }
            }
            for await isOnThread in group { #expect(isOnThread) }
        }
        #expect(await waiter.jobs == 10_000)
    }
}
