//
// FollowerLog.swift: decides what a replica that does not write does with what it read of the log, and when it looks again.
//
// A value that does no I/O and has no clock: whoever drives it (LedgerTail against PostgreSQL, a simulation against a model
// of it) hands in what was read and what time it is. Rules: design of the ledger, "Replicas". A notification is a hint to
// look and nothing else; what counts is what one snapshot of the database showed: the head, and the revisions behind the
// one that is applied here.
//

/// One replica's place in the log.
///
///     empty ──loaded──▶ following ──read: continues──▶ following
///                          │  ▲
///                          │  └──loaded── (asked to load) ◀──read: cannot be continued revision by revision
///                          └──read: the database holds another past──▶ forked ──the log is longer again──▶ (asked to load)
///
/// Invariant: ``applied`` only ever grows, and by ``applied(through:)`` only along links whose previous digest is its own.
package struct FollowerLog: Sendable {
    /// A place in the log and everything before it. Revision 0 and a digest of zeros: nothing is recorded.
    package struct Tip: Sendable, Hashable {
        package var revision: Int64
        package var digest: Digest32

        package init(revision: Int64, digest: Digest32) {
            self.revision = revision
            self.digest = digest
        }

        package static let nothing = Tip(revision: 0, digest: .zero)
    }

    /// One revision as far as the order is concerned.
    package struct Link: Sendable, Hashable {
        package var revision: Int64
        package var previousDigest: Digest32
        package var digest: Digest32
        /// How many numbers before it this revision declares never to be used.
        package var unused: Int64

        package init(revision: Int64, previousDigest: Digest32, digest: Digest32, unused: Int64 = 0) {
            self.revision = revision
            self.previousDigest = previousDigest
            self.digest = digest
            self.unused = unused
        }

        /// The number that it continues.
        var previous: Int64 { revision - unused - 1 }

        package var tip: Tip { Tip(revision: revision, digest: digest) }
    }

    /// What one snapshot of the database showed.
    package struct Reading: Sendable, Hashable {
        /// The tip of the log.
        package var head: Tip
        /// The revisions behind the applied one, in order of their numbers: all of them, or the first so many.
        package var links: [Link]
        /// Target events of all revisions behind the applied one, read or not.
        package var eventsBehind: Int64

        /// Numbers that the links leave out.
        var unused: Int64 { links.reduce(0) { $0 + $1.unused } }

        package init(head: Tip, links: [Link], eventsBehind: Int64 = 0) {
            self.head = head
            self.links = links
            self.eventsBehind = eventsBehind
        }
    }

    /// Why the whole state is to be loaded instead of revisions one by one.
    package enum ReloadReason: Sendable, Hashable {
        /// Nothing has been loaded yet.
        case nothingLoaded
        /// So much has happened that loading is less work.
        case tooFarBehind(revisions: Int64, events: Int64)
        /// The next revision is not kept any more.
        case beyondRetention(next: Int64, oldest: Int64)
        /// The log is longer than what is applied here, and another revision than the applied one is in its past.
        case chainDoesNotContinue(at: Int64)
        /// What was read is not what its digest says, or does not fit the state.
        case contradiction(at: Int64)
    }

    /// The database does not hold what this replica has applied, and is not beyond it either: commits were lost. What is
    /// applied stays served; who leads next repairs it.
    package struct Fork: Sendable, Hashable {
        package var applied: Tip
        package var head: Tip

        package init(applied: Tip, head: Tip) {
            self.applied = applied
            self.head = head
        }
    }

    /// What is to be done with a reading.
    package enum Decision: Sendable, Hashable {
        /// Nothing new.
        case upToDate
        /// Apply the first so many of the links, each whole and in order, telling ``applied(through:)`` of each; then look
        /// again if `readMore`.
        case apply(count: Int, readMore: Bool)
        case reload(ReloadReason)
        case forked(Fork)
    }

    /// What is due at an instant.
    package enum Work: Sendable, Hashable {
        /// Read the head and what is behind ``applied``.
        case read
        /// Notify oneself on the listening session.
        case heartbeat
        /// The listening session is dead, whatever it says: end it, open another, and read at once.
        case replaceSession
    }

    package struct Limits: Sendable, Hashable {
        /// Between two looks at the head when nothing is heard.
        package var pollInterval: Duration = .seconds(1)
        /// Between two notifications to oneself.
        package var heartbeatInterval: Duration = .seconds(3)
        /// How long one may be under way.
        package var heartbeatPatience: Duration = .seconds(3)
        /// More revisions than this are not read one by one.
        package var revisionsBehindMax: Int64 = 20_000
        /// Events that are always read one by one; beyond, only when they are fewer than half the targets.
        package var eventsBehindMax: Int64 = 50_000

        package init() {}
    }

    private enum State: Sendable {
        /// Nothing is loaded. Can transition to: following.
        case empty
        /// The state here is that of the tip. Can transition to: following, forked.
        case following(Tip)
        /// The database holds another past and is not longer. Can transition to: following.
        case forked(Fork)
    }

    package let limits: Limits
    private var state = State.empty
    /// The newest head that was read, and when.
    private var seen: (head: Tip, at: ContinuousClock.Instant)?
    /// Numbers between what is applied and what was seen that are known not to be used.
    private var unusedAhead: Int64 = 0
    /// Since when it is known that there is more than what is applied.
    private var behindSince: ContinuousClock.Instant?
    /// Somebody said that there is something to look at.
    private var isTold = true
    private var lastReadAt: ContinuousClock.Instant?
    private var session = Session()

    /// The session that listens.
    private struct Session: Sendable {
        var isListening = false
        var lastHeardAt: ContinuousClock.Instant?
        /// A notification to oneself is under way since.
        var heartbeatSentAt: ContinuousClock.Instant?
    }

    package init(limits: Limits = Limits()) { self.limits = limits }

    // MARK: What is known

    /// The revision whose content the state here has; nil before anything is loaded.
    package var applied: Tip? {
        switch state {
        case .empty: nil
        case .following(let tip): tip
        case .forked(let fork): fork.applied
        }
    }

    package var fork: Fork? { if case .forked(let fork) = state { fork } else { nil } }

    /// Revisions that are known to be recorded and are not applied.
    package var revisionsBehind: Int64 {
        guard let seen, let applied else { return 0 }
        return max(0, seen.head.revision - applied.revision - unusedAhead)
    }

    /// How long something has been known that is not applied; nil when there is nothing.
    package func timeBehind(now: ContinuousClock.Instant) -> Duration? { behindSince.map { $0.duration(to: now) } }

    /// How long ago the state here was last found to be the newest; nil when it never was.
    package private(set) var confirmedAt: ContinuousClock.Instant?

    // MARK: Events

    /// The whole state was loaded, or this replica wrote this revision itself.
    package mutating func loaded(_ tip: Tip, now: ContinuousClock.Instant) {
        state = .following(tip)
        unusedAhead = 0
        behindSince = nil
        confirmedAt = now
        if let seen, seen.head.revision < tip.revision { self.seen = (tip, now) }
    }

    /// The state has been advanced to the end of this link.
    package mutating func applied(through link: Link, now: ContinuousClock.Instant) {
        guard case .following(let tip) = state else { preconditionFailure("revision \(link.revision) without a state") }
        precondition(
            link.previous == tip.revision && link.previousDigest == tip.digest,
            "revision \(link.revision) applied to \(tip.revision)")
        state = .following(link.tip)
        unusedAhead = max(0, unusedAhead - link.unused)
        if seen?.head == link.tip {
            behindSince = nil
            confirmedAt = now
        }
    }

    /// Somebody said that this revision is recorded, or that one should look.
    package mutating func told(of revision: Int64?) {
        if let revision, let applied, revision <= applied.revision, fork == nil { return }
        isTold = true
    }

    /// Takes what one snapshot of the database showed.
    ///
    /// - Parameter targets: How many the state here has; what loading would cost.
    package mutating func read(_ reading: Reading, targets: Int, now: ContinuousClock.Instant) -> Decision {
        lastReadAt = now
        seen = (reading.head, now)
        unusedAhead = reading.unused
        guard let applied else { return .reload(.nothingLoaded) }
        if reading.head == applied {
            state = .following(applied)
            behindSince = nil
            confirmedAt = now
            return .upToDate
        }
        guard reading.head.revision > applied.revision else {
            let fork = Fork(applied: applied, head: reading.head)
            state = .forked(fork)
            return .forked(fork)
        }
        behindSince = behindSince ?? now
        let decision = follow(reading, applied, targets)
        if case .apply = decision { state = .following(applied) }
        return decision
    }

    /// Looking has begun, or the database did not answer. The next look is at the usual time, or when told meanwhile.
    package mutating func looked(now: ContinuousClock.Instant) {
        isTold = false
        lastReadAt = now
    }

    private func follow(_ reading: Reading, _ applied: Tip, _ targets: Int) -> Decision {
        guard let first = reading.links.first else { return .reload(.contradiction(at: applied.revision + 1)) }
        guard first.previous <= applied.revision else {
            return .reload(.beyondRetention(next: applied.revision + 1, oldest: first.revision))
        }
        guard first.previous == applied.revision, first.previousDigest == applied.digest else {
            return .reload(.chainDoesNotContinue(at: first.revision))
        }
        let behind = reading.head.revision - applied.revision - reading.unused
        let eventsMax = max(limits.eventsBehindMax, Int64(targets) / 2)
        if behind > limits.revisionsBehindMax || reading.eventsBehind > eventsMax {
            return .reload(.tooFarBehind(revisions: behind, events: reading.eventsBehind))
        }
        var tip = applied
        for (count, link) in reading.links.enumerated() {
            guard link.previous == tip.revision, link.previousDigest == tip.digest else {
                // What is whole is applied; the rest is looked at again from there.
                return count > 0 ? .apply(count: count, readMore: true) : .reload(.contradiction(at: link.revision))
            }
            tip = link.tip
        }
        let isWhole = tip.revision == reading.head.revision
        guard !isWhole || tip == reading.head else { return .reload(.contradiction(at: tip.revision)) }
        return .apply(count: reading.links.count, readMore: !isWhole)
    }

    // MARK: Time

    /// A new session listens.
    package mutating func listening(now: ContinuousClock.Instant) {
        session = Session(isListening: true, lastHeardAt: now)
        // What was notified before it listened was not heard.
        isTold = true
    }

    /// No session listens: either none can, or it was lost.
    package mutating func notListening() { session = Session() }

    package mutating func heartbeatSent(now: ContinuousClock.Instant) { session.heartbeatSentAt = now }

    /// One's own notification has come back.
    package mutating func heartbeatHeard(now: ContinuousClock.Instant) {
        session.lastHeardAt = now
        session.heartbeatSentAt = nil
    }

    /// What is due now; nil: nothing before ``nextDue(now:)``.
    package func due(now: ContinuousClock.Instant) -> Work? {
        let ofSession = sessionDue(now: now)
        if ofSession == .replaceSession { return ofSession }
        return isLookDue(now: now) ? .read : ofSession
    }

    /// When something is due if nothing happens before.
    package func nextDue(now: ContinuousClock.Instant) -> ContinuousClock.Instant {
        min(nextLook(now: now), nextSessionDue(now: now) ?? nextLook(now: now))
    }

    package func isLookDue(now: ContinuousClock.Instant) -> Bool {
        isTold || lastReadAt.map { now >= $0 + limits.pollInterval } ?? true
    }

    package func nextLook(now: ContinuousClock.Instant) -> ContinuousClock.Instant {
        isLookDue(now: now) ? now : lastReadAt.map { $0 + limits.pollInterval } ?? now
    }

    /// What the listening session is due for.
    package func sessionDue(now: ContinuousClock.Instant) -> Work? {
        guard session.isListening else { return nil }
        if let sentAt = session.heartbeatSentAt {
            return now >= sentAt + limits.heartbeatPatience ? .replaceSession : nil
        }
        return session.lastHeardAt.map { now >= $0 + limits.heartbeatInterval } ?? true ? .heartbeat : nil
    }

    /// When the listening session is due for something; nil without one.
    package func nextSessionDue(now: ContinuousClock.Instant) -> ContinuousClock.Instant? {
        guard session.isListening else { return nil }
        if let sentAt = session.heartbeatSentAt { return max(now, sentAt + limits.heartbeatPatience) }
        return session.lastHeardAt.map { max(now, $0 + limits.heartbeatInterval) } ?? now
    }
}

extension FollowerLog.Tip {
    package init(_ head: LedgerHead?) {
        self = head.map { Self(revision: $0.revision.number, digest: $0.digest) } ?? .nothing
    }
}

extension FollowerLog.ReloadReason: CustomStringConvertible {
    package var description: String {
        switch self {
        case .nothingLoaded: "nothing has been loaded yet"
        case .tooFarBehind(let revisions, let events):
            "\(revisions) revisions with \(events) target events are missing, more than loading costs"
        case .beyondRetention(let next, let oldest):
            "revision \(next) is not kept any more; the oldest that follows is \(oldest)"
        case .chainDoesNotContinue(let revision):
            "revision \(revision) does not continue what is applied here: the log has another past"
        case .contradiction(let revision): "revision \(revision) is not what its digest says, or does not fit the state"
        }
    }
}

extension FollowerLog.Fork: CustomStringConvertible {
    package var description: String {
        "revision \(applied.revision) (\(applied.digest.shortText)) is served here, and the database is at "
            + "\(head.revision) (\(head.digest.shortText)): it has lost commits"
    }
}
