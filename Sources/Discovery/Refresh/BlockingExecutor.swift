//
// BlockingExecutor.swift: threads for calls that block (files, name service) and for long parsing, beside the shared
// pool.
//

import Dispatch
import Synchronization

/// A serial executor on a thread of its own.
final class BlockingExecutor: SerialExecutor {
    private let queue: DispatchQueue

    init(label: String) { queue = DispatchQueue(label: label) }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }
}

/// A few executors, given out in turn.
///
/// More than one, so that a file system that hangs holds up a part of the providers and not all; few, since each may
/// hold a whole document in memory.
final class BlockingExecutors: Sendable {
    private let executors: [BlockingExecutor]
    private let next = Atomic(0)

    init(count: Int = 2) {
        executors = (0..<count).map { BlockingExecutor(label: "discovery-\($0)") }
    }

    func take() -> BlockingExecutor {
        executors[next.wrappingAdd(1, ordering: .relaxed).oldValue % executors.count]
    }
}
