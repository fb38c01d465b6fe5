//
// OperatorRequest.swift: what an operator asked for, on its way to whoever may write.
//
// A command cannot append: one fenced writer does. So it leaves a request, and the process that holds the lease does it,
// records it as a revision and says how it went. A value that does no I/O decides who may take it; the rows are read and
// written by OperatorQueries.
//

import PostgresDriver

/// Something that is done once, as a revision, because a person asked for it.
package enum OperatorOperation: Sendable, Hashable {
    /// Seal every day that is over.
    case seal
    /// Give up and drop the days that end before then. Days that were exported name the file's SHA-256.
    case drop(before: Timestamp, exports: [RetentionDay: Digest32] = [:])
    /// Keep the days of a period whatever comes.
    case hold(from: Timestamp, to: Timestamp, reason: String)
    /// Let a hold go.
    case release(hold: Int64, reason: String)
    /// State what another replica served and the ledger does not have.
    case state(Gap)

    /// As `ledger.operator_request.kind` has it.
    package var kind: String {
        switch self {
        case .seal: "retention_seal"
        case .drop: "retention_drop"
        case .hold: "retention_hold"
        case .release: "retention_release"
        case .state: "state_gap"
        }
    }
}

/// One request.
package struct OperatorRequest: Sendable, Hashable {
    /// How it went.
    package struct Outcome: Sendable, Hashable {
        package var succeeded: Bool
        /// For people.
        package var text: String

        package init(succeeded: Bool, text: String) {
            self.succeeded = succeeded
            self.text = text
        }
    }

    package enum State: Sendable, Hashable {
        /// Nobody has looked at it. Can transition to: taken.
        case asked
        /// Somebody is doing it, or died while at it. Can transition to: taken in a later term, done.
        case taken(epoch: Int64)
        case done(Outcome)

        /// Whether whoever leads in this term is to do it. Every operation can be begun anew where it was left, so one that
        /// was taken before is taken again.
        func mayBeTaken(in epoch: Int64) -> Bool {
            switch self {
            case .asked: true
            case .taken(let other): other <= epoch
            case .done: false
            }
        }
    }

    package var id: UUID128
    /// Nil: asked by a newer version, for something that this one does not know.
    package var operation: OperatorOperation?
    package var kind: String
    package var askedBy: String
    package var state: State
}
