//
// OutagePolicy.swift: decides whether a process that cannot record goes on by itself, and from when on.
//
// A value without a clock and without I/O. The walk tells it what became of its lease and of its appends, and asks before
// each change whether it may go to the journal.
//

/// Whether changes that cannot be recorded go to the journal of this process.
///
///     recording ──fault──▶ waiting ──grace over──▶ journalling ──recorded──▶ recording
///         ▲                   │ another leads,          │
///         └────recorded──── holding ◀──journal full─────┘
///
/// Invariant: in `journalling` this process was the last leader that it knows of, and for the whole grace period, which
/// is longer than the lease lasts, nothing it could ask said that another leads.
package struct OutagePolicy: Sendable {
    /// `ledger.on_database_outage`.
    package enum Mode: String, Sendable, CaseIterable {
        /// The last committed revision is served until the database is back.
        case hold
        /// The last leader goes on and keeps a journal.
        case proceed = "continue"
    }

    private enum State: Hashable, Sendable {
        /// What happens is recorded, or another process records it. Can transition to: waiting, holding.
        case recording
        /// Nothing can be recorded since that instant. Can transition to: recording, journalling, holding.
        case waiting(since: ContinuousClock.Instant)
        /// The grace period is over: changes go to the journal. Can transition to: recording, holding.
        case journalling
        /// Nothing changes until something can be recorded again. Can transition to: recording.
        case holding(String)
    }

    package let mode: Mode
    /// From the first fault to the first change in the journal.
    package let grace: Duration
    private var state = State.recording
    /// The term that this process led last, with nobody known to have led after it.
    private var lastTerm: Int64?

    /// - Parameter leaseTimeToLive: The grace period is twice that: within one a successor can have taken the lease, and
    ///   within the other it is seen wherever the database can be asked at all.
    package init(mode: Mode, leaseTimeToLive: Duration) {
        self.mode = mode
        grace = leaseTimeToLive * 2
    }

    // MARK: Events

    /// Takes that this process holds the lease of that epoch, which is the database's word.
    package mutating func leads(epoch: Int64) { lastTerm = epoch }

    /// Takes that something was recorded by this process, or that there is nothing that waits to be.
    package mutating func recorded() { state = .recording }

    /// Takes that another process leads in that epoch. It is not this process's turn until it leads again.
    package mutating func otherLeads(epoch: Int64?) {
        if let lastTerm, let epoch, epoch <= lastTerm { return }
        lastTerm = nil
        state = .recording
    }

    /// Takes a fault: an append that time could mend, or a lease that could not be renewed.
    package mutating func failed(now: ContinuousClock.Instant) {
        guard lastTerm != nil, state == .recording else { return }
        state = .waiting(since: now)
    }

    /// Takes that this process was started anew and cannot reach the database, and that what it keeps on disk says that
    /// it led in that term when it was last written. The grace period begins again: a successor may have come meanwhile.
    package mutating func resumed(epoch: Int64, now: ContinuousClock.Instant) {
        guard state == .recording else { return }
        lastTerm = epoch
        state = .waiting(since: now)
    }

    /// Takes that the journal takes no more: nothing changes until something can be recorded.
    package mutating func journalFailed(because reason: String) {
        switch state {
        case .waiting, .journalling: state = .holding(reason)
        case .recording, .holding: break
        }
    }

    // MARK: Questions

    /// Whether a change may go to the journal now. The first time it may is the end of the grace period.
    package mutating func mayJournal(now: ContinuousClock.Instant) -> Bool {
        if mode == .proceed, case .waiting(let since) = state, now >= since + grace { state = .journalling }
        return state == .journalling
    }

    /// When to ask again, while the grace period runs.
    package var journalsFrom: ContinuousClock.Instant? {
        guard mode == .proceed, case .waiting(let since) = state else { return nil }
        return since + grace
    }

    package var isJournalling: Bool { state == .journalling }

    /// Why the journal is not used although it was meant to be; nil otherwise.
    package var holdsBecause: String? {
        if case .holding(let reason) = state { reason } else { nil }
    }
}
