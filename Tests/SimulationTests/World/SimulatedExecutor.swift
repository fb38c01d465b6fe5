//
// SimulatedExecutor.swift: runs the tasks of one simulation, one job at a time, in the order in which they became ready.
//
// With it the replicas of a simulation are written as the real ones are, as tasks that wait, and yet a seed decides
// everything: no other thread runs any of it, and the only thing that time means is the order of events.
//

import Synchronization

/// The tasks of one simulation run here and nowhere else.
final class SimulatedExecutor: TaskExecutor {
    private struct Jobs {
        var ready: [UnownedJob] = []
        var next = 0
    }
    private let jobs = Mutex(Jobs())

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        jobs.withLock { $0.ready.append(job) }
    }

    /// Runs until every task waits for an event.
    func drain() {
        while let job = takeNext() { job.runSynchronously(on: asUnownedTaskExecutor()) }
    }

    private func takeNext() -> UnownedJob? {
        jobs.withLock { jobs in
            guard jobs.next < jobs.ready.count else {
                jobs.ready.removeAll(keepingCapacity: true)
                jobs.next = 0
                return nil
            }
            defer { jobs.next += 1 }
            return jobs.ready[jobs.next]
        }
    }
}
