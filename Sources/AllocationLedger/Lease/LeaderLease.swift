//
// LeaderLease.swift: decides, from lease replies and the clock alone, whether this process may write.
//
// A value that does no I/O, so every rule of leadership is tested without a database or a sleep. LeaseKeeper does the
// I/O: it asks PostgreSQL, feeds each reply in here and acts on what is returned.
//
// Sources: trust counted from the request after riverqueue/river v0.43.0 internal/leadership/doc.go; fencing after
// Martin Kleppmann, "How to do distributed locking" (2016).
//

/// One process's view of the lease.
///
///     waiting ──granted──▶ leading ──trust ended, refused or released──▶ waiting
///
/// Invariant: ``trusted`` is nil at and after `trustedUntil`, even when PostgreSQL cannot be asked.
package struct LeaderLease: Sendable {
    /// A term that this process holds.
    package struct Term: Sendable, Hashable {
        package let epoch: Int64
        /// When the request that was granted left, plus time to live, less the margin. On this process's own clock.
        package let trustedUntil: ContinuousClock.Instant
    }

    /// What the keeper has to do now.
    package enum Action: Sendable, Hashable {
        case startLeading(Term)
        case stopLeading(epoch: Int64)
        case wait
    }

    private enum State {
        /// Somebody else holds the lease, or nobody. Can transition to: leading.
        case waiting
        /// This process holds it. Can transition to: leading (renewed), waiting.
        case leading(Term)
    }

    package let timeToLive: Duration
    /// For clocks that run at different speeds.
    package let safetyMargin: Duration
    private var state = State.waiting
    /// The last term that was refused or given up.
    private var endedEpoch: Int64?

    package init(timeToLive: Duration, safetyMargin: Duration = .seconds(1)) {
        precondition(safetyMargin < timeToLive, "margin \(safetyMargin) leaves nothing of \(timeToLive)")
        self.timeToLive = timeToLive
        self.safetyMargin = safetyMargin
    }

    /// The epoch this process holds, trusted or not.
    package var heldEpoch: Int64? {
        if case .leading(let term) = state { term.epoch } else { nil }
    }

    /// Takes PostgreSQL's word that the lease is granted or renewed.
    ///
    /// - Parameters:
    ///   - epoch: Of the term granted.
    ///   - askedAt: When the request left. Trust counts from here, so a slow reply shortens it.
    ///   - repliedAt: When the reply came. One that is slower than the trust window grants nothing.
    package mutating func granted(
        epoch: Int64, askedAt: ContinuousClock.Instant, repliedAt: ContinuousClock.Instant
    ) -> Action {
        let term = Term(epoch: epoch, trustedUntil: askedAt + (timeToLive - safetyMargin))
        guard repliedAt < term.trustedUntil else { return tick(now: repliedAt) }
        let isRenewal = heldEpoch == epoch
        state = .leading(term)
        return isRenewal ? .wait : .startLeading(term)
    }

    /// Takes PostgreSQL's word that a term was renewed. A term that has been given up or refused meanwhile stays over:
    /// the word may have been on its way for long.
    package mutating func renewed(
        epoch: Int64, askedAt: ContinuousClock.Instant, repliedAt: ContinuousClock.Instant
    ) -> Action {
        guard epoch != endedEpoch else { return .wait }
        return granted(epoch: epoch, askedAt: askedAt, repliedAt: repliedAt)
    }

    /// Takes PostgreSQL's word that this process does not hold the lease, or that it is given up.
    package mutating func refused() -> Action {
        guard let epoch = heldEpoch else { return .wait }
        endedEpoch = epoch
        state = .waiting
        return .stopLeading(epoch: epoch)
    }

    /// Takes that the fence refused what was written in that term: by the database's clock it is over, although it may be
    /// nobody else's yet. It must not be renewed, since whoever writes has ended it.
    package mutating func fenced(epoch: Int64) -> Action {
        guard heldEpoch == epoch else { return .wait }
        return refused()
    }

    /// Lets time pass.
    package mutating func tick(now: ContinuousClock.Instant) -> Action {
        guard case .leading(let term) = state, now >= term.trustedUntil else { return .wait }
        state = .waiting
        return .stopLeading(epoch: term.epoch)
    }

    /// The term that may be written in at this instant.
    package func trusted(now: ContinuousClock.Instant) -> Term? {
        guard case .leading(let term) = state, now < term.trustedUntil else { return nil }
        return term
    }
}
