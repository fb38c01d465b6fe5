//
// AppendProtocol.swift: decides, from the replies alone, what follows in the append of one change.
//
// Values that do no I/O and know no clock. LedgerWriter does the I/O of an attempt, the walk the pauses between attempts;
// the simulation drives the same values against a database that loses, delays and forgets.
//
// The rule that everything else serves: a change whose COMMIT was not heard of is looked up by its change id before it is
// written again, and the look-up takes the head's row first, because the old session may still be at it.
//

/// One change on its way into the ledger, through as many attempts as it takes.
///
///     idle ──begin──▶ writing ──committed──▶ settled
///                     │    ▲
///       outcome unknown    └──────not found──────┐
///                     ▼                          │
///                   uncertain ──begin──▶ looking up ──found──▶ settled
///
/// Invariant: ``Action/write(makingPartitions:)`` is never returned while an earlier COMMIT of the same change may yet have taken effect.
package struct AppendProtocol: Sendable, Hashable {
    /// What the database said, or that it said nothing.
    package enum Reply: Sendable, Hashable {
        /// The transaction is committed; this is the tip now.
        case committed(LedgerHead)
        /// The fence found no lease of this term.
        case fenced
        /// The head is another than expected.
        case headMoved
        /// COMMIT was sent and its end was not heard.
        case outcomeUnknown
        /// No partition takes the revision's time.
        case noPartition
        /// A session was lost, or a statement was refused; what was begun is undone.
        case failed
        /// The look-up's answer. The head's row was taken before it, so it is the last word.
        case found(LedgerHead?)
    }

    /// What the driver does next.
    package enum Action: Sendable, Hashable {
        /// Write the revision, fenced, on the head that is expected; before it, where asked for, make the partitions of the
        /// days to come.
        case write(makingPartitions: Bool)
        /// In one transaction take the head's row, then look for the change id; take what is found.
        case lookUp
        /// It is recorded. This is its head.
        case conclude(LedgerHead)
        /// This attempt is over. ``AppendRetry`` says whether there is another.
        case endAttempt
    }

    private enum State: Hashable {
        /// Nothing of it can be in the database. Can transition to: writing.
        case idle
        /// A transaction is under way. Can transition to: idle (undone), uncertain, settled.
        case writing(hasMadePartitions: Bool)
        /// It may be in the database. Can transition to: looking up.
        case uncertain
        /// Can transition to: writing (an attempt's first question was answered by no), idle, uncertain, settled.
        case lookingUp(thenWrite: Bool)
        /// It is recorded. The end.
        case settled
    }

    private var state = State.idle

    package init() {}

    /// Whether a COMMIT of this change was sent whose end is not known.
    package var isUncertain: Bool {
        switch state {
        case .uncertain, .lookingUp: true
        case .idle, .writing, .settled: false
        }
    }

    /// Begins an attempt.
    package mutating func begin() -> Action {
        switch state {
        case .writing, .uncertain, .lookingUp:
            // An attempt that was broken off may have got as far as COMMIT.
            state = .lookingUp(thenWrite: true)
            return .lookUp
        case .idle:
            state = .writing(hasMadePartitions: false)
            return .write(makingPartitions: false)
        case .settled: preconditionFailure("a change that is recorded is begun again")
        }
    }

    /// Takes what came of the last action.
    package mutating func take(_ reply: Reply) -> Action {
        switch (state, reply) {
        case (.writing, .committed(let head)), (.lookingUp, .found(let head?)):
            state = .settled
            return .conclude(head)
        case (.writing, .outcomeUnknown):
            state = .lookingUp(thenWrite: false)
            return .lookUp
        case (.writing(hasMadePartitions: false), .noPartition):
            // Days have passed since they were made ahead.
            state = .writing(hasMadePartitions: true)
            return .write(makingPartitions: true)
        case (.writing, .fenced), (.writing, .headMoved), (.writing, .noPartition), (.writing, .failed):
            state = .idle
            return .endAttempt
        case (.lookingUp(thenWrite: true), .found(nil)):
            state = .writing(hasMadePartitions: false)
            return .write(makingPartitions: false)
        case (.lookingUp(thenWrite: false), .found(nil)):
            // It was rolled back: whatever ended the session is best given a moment.
            state = .idle
            return .endAttempt
        case (.lookingUp, .failed), (.lookingUp, .outcomeUnknown), (.lookingUp, .fenced), (.lookingUp, .headMoved),
            (.lookingUp, .noPartition):
            // Whatever it was, it is no answer.
            state = .uncertain
            return .endAttempt
        case (.idle, _), (.uncertain, _), (.settled, _), (.writing, .found), (.lookingUp, .committed):
            preconditionFailure("\(reply) cannot follow in \(state)")
        }
    }
}

/// Whether a change is attempted again, and when.
package struct AppendRetry: Sendable, Hashable {
    /// How an attempt ended that recorded nothing, or is not known to have.
    package enum Failure: Sendable, Hashable {
        /// The term is over.
        case fenced
        /// Waiting can mend it.
        case passing
        /// Another has written, or the change cannot be written as it is.
        case lasting

        package init(_ error: LedgerError) {
            self = if case .fenced = error { .fenced } else { error.isRetryable ? .passing : .lasting }
        }
    }

    /// What the driver does next.
    package enum Action: Sendable, Hashable {
        /// The same change with the same id, after this pause.
        case again(after: Duration)
        /// Give the change up and load the state before anything else is recorded: what it was made from may not be the
        /// ledger's any more.
        case reload
        /// The same, and write nothing more in this term.
        case stepDown
    }

    private static let longest = Duration.seconds(1)
    private var pause = Duration.milliseconds(50)

    package init() {}

    /// Takes the end of an attempt.
    ///
    /// - Parameter isTrusted: Whether the lease may still be relied upon. Without it a change is given up even when its
    ///   outcome is unknown: the state is loaded anew, and the head tells whether it was recorded.
    package mutating func next(after failure: Failure, isTrusted: Bool) -> Action {
        switch failure {
        case .fenced: return .stepDown
        case .lasting: return .reload
        case .passing:
            guard isTrusted else { return .reload }
            defer { pause = min(pause * 2, Self.longest) }
            return .again(after: pause)
        }
    }
}
