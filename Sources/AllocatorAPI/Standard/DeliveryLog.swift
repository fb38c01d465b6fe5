//
// DeliveryLog.swift: notes which collector was first answered with which changed list, beside the request's way.
//
// A list is an object of its own from one change to the next, so whether it was fetched is one flag upon it: an answer
// that was fetched before costs one load. Only the first fetch of a list takes the lock of a bounded queue, which a
// service empties into the ledger.
//

import AllocationLedger
import AllocatorRuntime
import Metrics
import Synchronization

/// First fetches on their way into the ledger. Shared by all listeners of the process.
package final class DeliveryLog: Sendable {
    private struct Queue {
        var waiting: [DeliveryNote] = []
        /// Taken and not finished.
        var taken = 0
    }

    private let queue = Mutex(Queue())
    private let waitingMax: Int
    /// Since the writer last asked.
    private let lost = Atomic(0)
    private let lostTotal = Counter(label: "target_ledger_deliveries_lost_total")

    /// - Parameter waitingMax: A quarter of a million are about 30 MB: each changed list of an allocation with a thousand
    ///   collectors and jobs in several outages of the database.
    package init(waitingMax: Int = 262_144) { self.waitingMax = waitingMax }

    /// Takes that a collector was answered with this list, with its content or with a 304.
    @inline(__always)
    func note(_ list: TargetList, job: String, collector: String) {
        if !list.wasFetched.load(ordering: .relaxed) { noteFirst(list, job, collector) }
    }

    @inline(never)
    private func noteFirst(_ list: TargetList, _ job: String, _ collector: String) {
        guard !list.wasFetched.exchange(true, ordering: .relaxed) else { return }
        let note = DeliveryNote(
            collector: collector, job: job, revisions: list.change.revisions, at: list.change.at, fetchedAt: .now)
        let hasRoom = queue.withLock { queue in
            guard queue.waiting.count + queue.taken < waitingMax else { return false }
            queue.waiting.append(note)
            return true
        }
        guard !hasRoom else { return }
        if note.isExact { lose(1) } else { list.wasFetched.store(false, ordering: .relaxed) }
    }

    /// Counts what will not be recorded.
    func lose(_ count: Int) {
        lost.add(count, ordering: .relaxed)
        lostTotal.increment(by: count)
    }

    /// How many were lost that nobody has told of yet.
    package var lostCount: Int { lost.load(ordering: .relaxed) }

    /// How many were lost since this was last asked.
    func takeLost() -> Int { lost.exchange(0, ordering: .relaxed) }

    /// All that wait. Each counts for the bound until it is finished.
    package func take() -> [DeliveryNote] {
        queue.withLock { queue in
            defer { queue.waiting = [] }
            queue.taken += queue.waiting.count
            return queue.waiting
        }
    }

    /// So many of those that were taken are recorded, or lost.
    package func finish(_ count: Int) { queue.withLock { $0.taken -= count } }
}
