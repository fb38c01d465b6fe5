//
// HistoryError.swift: why a question about the past has no answer.
//

/// A question that the ledger understands and cannot answer. The first two are different answers: what was there once
/// and is gone, and what is not there yet.
package enum HistoryError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Before what retention has kept. Ask from `oldest` on.
    case compacted(oldest: RevisionPoint)
    /// A revision that nobody has written yet.
    case notYetWritten(latest: Revision)
    /// A number that the repair of a fork left out.
    case unused(Revision, next: Revision)
    /// Before the first revision of this ledger.
    case beforeFirst(RevisionPoint)
    /// The ledger is empty.
    case nothingRecorded
    /// The window ends before it begins.
    case emptyWindow
    /// No such job, target or collector was ever recorded.
    case unknown(String)
    /// Several jobs have had a target of this identity; name the job.
    case ambiguous(TargetIdentityText)

    /// A target's identity as users write it.
    package typealias TargetIdentityText = String

    package var description: String {
        switch self {
        case .compacted(let oldest):
            "retention has removed what was before revision \(oldest.revision) of \(oldest.at); ask from there on"
        case .notYetWritten(let latest): "that revision is not written yet; the latest is \(latest)"
        case .unused(let revision, let next):
            "revision \(revision) is not used: the database had lost revisions, and revision \(next) goes on behind them"
        case .beforeFirst(let first): "the ledger begins with revision \(first.revision) of \(first.at)"
        case .nothingRecorded: "the ledger holds no revision yet"
        case .emptyWindow: "the window's end is not after its beginning"
        case .unknown(let what): "the ledger has never seen \(what)"
        case .ambiguous(let identity): "several jobs have had a target \(identity); name the job"
        }
    }
}
