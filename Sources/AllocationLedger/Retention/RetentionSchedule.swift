//
// RetentionSchedule.swift: when retention's work of the night is due. No clock of its own, so every rule is tested.
//

import PostgresDriver

/// At the beginning of a term and once after each midnight in UTC; again soon where something was left over.
package struct RetentionSchedule: Sendable {
    /// So that the replicas' databases on one server do not all do it at once. Added to the margin after midnight.
    private let jitter: Duration
    private var next = Timestamp.distantPast

    /// What somebody still reads is looked after again so often.
    private static let retryInterval = Duration.seconds(60)

    /// - Parameter jitter: At most some minutes.
    package init(jitter: Duration) { self.jitter = jitter }

    package func isDue(at now: Timestamp) -> Bool { now >= next }

    /// Takes that the work was done, or tried.
    ///
    /// - Parameter isFinished: Nothing was left over.
    package mutating func noteDone(at now: Timestamp, isFinished: Bool) {
        next =
            isFinished
            ? RetentionDay(of: now).end.advanced(by: DayCatalogue.sealMargin + jitter)
            : now.advanced(by: Self.retryInterval)
        // Just after midnight the day before may not be sealable yet.
        let today = RetentionDay(of: now).start.advanced(by: DayCatalogue.sealMargin + jitter)
        if now < today { next = min(next, today) }
    }

    /// A new term begins with the work.
    package mutating func beginTerm() { next = .distantPast }
}
