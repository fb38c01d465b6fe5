//
// HistoryGateway.swift: what the history is read from, once there is something to read.
//
// Listeners answer from the start of the process, the ledger's database may come later.
//

import AllocationLedger
import Synchronization

/// What the history API answers from.
package struct HistoryContext: Sendable {
    let source: HistorySource
    let access: AccessLog?
    let events: RevisionFeed?

    /// - Parameters:
    ///   - timeout: For one question.
    ///   - proofs: Signs checkpoints, where there is a key.
    package init(
        reader: HistoryReader, timeout: Duration = .seconds(10), access: AccessLog? = nil, events: RevisionFeed? = nil,
        proofs: LogProofs = LogProofs()
    ) {
        source = HistorySource(reader: reader, timeout: timeout, proofs: proofs)
        self.access = access
        self.events = events
    }
}

/// Shared by the process's listeners of the history API.
package final class HistoryGateway: Sendable {
    /// Nil: whoever reaches the listener may read.
    let tokens: BearerTokens?
    private let context = Mutex<HistoryContext?>(nil)

    package init(tokens: BearerTokens? = nil) { self.tokens = tokens }

    /// From here on questions are answered.
    package func open(_ context: HistoryContext) { self.context.withLock { $0 = context } }

    /// - Throws: ``ProblemDetails`` while the ledger is not open yet.
    func current() throws(ProblemDetails) -> HistoryContext {
        guard let context = context.withLock({ $0 }) else {
            throw ProblemDetails(
                status: 503, title: "Service Unavailable", detail: "The ledger is not open yet. Ask again.")
        }
        return context
    }
}
