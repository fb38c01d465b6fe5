//
// ProcessTests.swift: where tests run that start processes and wait for them.
//

import Dispatch

/// One thread for all tests that drive real processes.
///
/// They block while they wait, which must not hold a thread of the shared pool; and one after the other they leave the
/// machine to the process they measure.
@globalActor actor ProcessTests {
    static let shared = ProcessTests()
    private nonisolated let executor = QueueExecutor(label: "process-tests")

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
}

/// A serial executor on a dispatch queue.
private final class QueueExecutor: SerialExecutor {
    private let queue: DispatchQueue

    init(label: String) { queue = DispatchQueue(label: label) }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }
}
