//
// SnapshotPublisher.swift: the one place where the walk hands over and the servers read.
//

import AllocationCore
import AllocationLedger
import Synchronization

/// What this process is doing, for `/readyz`, headers, metrics and logs.
package struct ServingStatus: Sendable {
    /// Its part among the replicas.
    package enum Role: Sendable, Hashable {
        /// Has not asked for the lease yet.
        case starting
        /// Another process holds the lease, or nobody known does: serves what is recorded.
        case following(leader: String?)
        /// Holds the lease of this epoch.
        case leading(epoch: Int64)
    }

    package var role: Role
    /// Why no request should be sent here, each as one sentence; empty means ready.
    package var reasonsNotReady: [String]
    /// That the published snapshot may lag behind the world; nil while it does not.
    package var staleness: Staleness?

    /// Since when and why nothing new is recorded. What is served stays right, only old.
    package struct Staleness: Sendable, Hashable {
        package var since: ContinuousClock.Instant
        package var reason: String

        package init(since: ContinuousClock.Instant, reason: String) {
            self.since = since
            self.reason = reason
        }
    }

    package init(
        role: Role = .starting, reasonsNotReady: [String] = ["no state has been loaded from the ledger yet"],
        staleness: Staleness? = nil
    ) {
        self.role = role
        self.reasonsNotReady = reasonsNotReady
        self.staleness = staleness
    }

    /// The role in words; nil before there is one.
    package var roleDescription: String? {
        switch role {
        case .starting: nil
        case .leading(let epoch): "leading in epoch \(epoch)"
        case .following(let leader?): "following \(leader)"
        case .following(nil): "following; nobody is known to lead"
        }
    }

    /// Says why nothing new is recorded; since when is kept from the first time.
    package mutating func becomeStale(because reason: String) {
        staleness = Staleness(since: staleness?.since ?? .now, reason: reason)
    }
}

/// Holds the snapshot that is served. Reading takes a lock for the time of one retain.
package final class SnapshotPublisher: Sendable {
    private struct Published {
        var snapshot: AllocationSnapshot?
        var status = ServingStatus()
        var served = ServedRevisions()
    }

    private let published = Mutex(Published())
    private let view = Mutex<ReplicaView?>(nil)
    private let listeners = Mutex<(next: Int, streams: [Int: AsyncStream<Void>.Continuation])>((0, [:]))

    package init() {}

    /// The newest committed allocation; nil while there is no state, which is never the same as an empty one.
    package var current: AllocationSnapshot? { published.withLock { $0.snapshot } }

    /// This process among the replicas; nil before it has a database to ask.
    package var replica: ReplicaView? { view.withLock(\.self) }

    func show(_ replica: ReplicaView) { view.withLock { $0 = replica } }

    package var status: ServingStatus { published.withLock { $0.status } }

    /// Since when the snapshot may lag; every answer asks, and the rest of the status need not be copied for that.
    package var staleSince: ContinuousClock.Instant? { published.withLock { $0.status.staleness?.since } }

    /// What was published last: whatever the database says later, these numbers are taken.
    package var served: ServedRevisions { published.withLock { $0.served } }

    /// Takes a revision that this replica has served before it was started.
    package func remember(_ head: LedgerHead) { published.withLock { $0.served.take(head) } }

    /// Replaces what is served. Only the content of a committed revision may be given, or what the journal of an outage
    /// holds beyond it.
    package func publish(_ snapshot: AllocationSnapshot) {
        published.withLock { published in
            precondition(
                published.snapshot.map { $0.head.revision <= snapshot.head.revision } ?? true,
                "revision went backwards")
            published.snapshot = snapshot
            published.served.take(snapshot.head)
        }
        for listener in listeners.withLock({ Array($0.streams.values) }) { listener.yield() }
    }

    /// An element for each snapshot published from now on; several are one to a reader that is slow. Begins with one, so
    /// that nothing is missed between looking and listening.
    package func publications() -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        let number = listeners.withLock { listeners in
            listeners.next += 1
            listeners.streams[listeners.next] = continuation
            return listeners.next
        }
        continuation.onTermination = { [weak self] _ in
            _ = self?.listeners.withLock { $0.streams.removeValue(forKey: number) }
        }
        continuation.yield()
        return stream
    }

    package func update(_ change: (inout ServingStatus) -> Void) {
        published.withLock { change(&$0.status) }
    }
}
