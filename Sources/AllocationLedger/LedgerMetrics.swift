//
// LedgerMetrics.swift: what the ledger tells about itself.
//

import Metrics

struct LedgerMetrics: Sendable {
    /// Revisions committed.
    private let revisions = Counter(label: "target_ledger_revisions_total")
    /// Target events committed.
    private let targetEvents = Counter(label: "target_ledger_target_events_total")
    /// Appends that failed and can be tried again as they are.
    private let retryable = Counter(label: "target_ledger_append_failures_total", dimensions: [("kind", "retryable")])
    /// Appends that the fence or the head refused: another process leads.
    private let refused = Counter(label: "target_ledger_append_failures_total", dimensions: [("kind", "refused")])
    /// Appends that failed for good.
    private let final = Counter(label: "target_ledger_append_failures_total", dimensions: [("kind", "final")])
    /// From a draft to its commit, dictionaries included.
    private let appendDuration = Timer(label: "target_ledger_append_duration_seconds")
    /// The revision last committed by this process.
    private let headRevision = Gauge(label: "target_ledger_head_revision")

    func committed(_ committed: CommittedRevision, events: Int, in duration: Duration) {
        revisions.increment()
        targetEvents.increment(by: events)
        appendDuration.record(duration: duration)
        headRevision.record(committed.head.revision.number)
    }

    func failed(_ error: any Error) {
        switch error {
        case LedgerError.fenced, LedgerError.headMoved: refused.increment()
        case let error as LedgerError where error.isRetryable: retryable.increment()
        default: final.increment()
        }
    }
}
