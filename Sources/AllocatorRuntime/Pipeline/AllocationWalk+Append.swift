//
// AllocationWalk+Append.swift: what becomes of a change: a revision in the ledger, or an entry of the journal.
//
// One change at a time. Whatever ends an append early leaves `needsLoad` set.
//

import AllocationCore
import AllocationLedger
import Logging
import PostgresDriver

extension AllocationWalk {
    func append(
        _ change: AllocationChange, _ cause: Cause, detail: String, configuration: ConfigurationRecord? = nil,
        _ token: FencingToken
    ) async throws {
        let draft = RevisionDraft(
            changeID: .random(), change: change, cause: cause, causeDetail: detail, configuration: configuration,
            reports: reports)
        let committed = try await commit(draft, token)
        reports = []
        reportsSentAt = .now
        if let configuration { recordedConfiguration = configuration }
        recordedPlacement = change.placement
        guard committed.head != head else { return publishJournalled(change) }
        head = committed.head
        publish(change)
        logger.info(
            "revision recorded",
            metadata: [
                "revision": "\(committed.head.revision.number)", "cause": "\(cause.rawValue)", "detail": "\(detail)",
                "targets": "\(change.targets.count)", "collectors": "\(change.collectors.count)",
            ])
    }

    /// Appends, again and again while the fault is one that passes and the lease can still be trusted. The change id
    /// stays the same, so a commit whose outcome was unknown is found instead of repeated.
    func commit(_ draft: RevisionDraft, _ token: FencingToken) async throws -> CommittedRevision {
        var retry = AppendRetry()
        // What states something about the ledger waits until it is there, and until what is served is in it.
        let isChange = draft.attachments.isEmpty && draft.cause != .termStart
        guard isChange || publisher.current?.journal == nil else {
            throw LedgerError.refused("what the journal holds is recorded first")
        }
        // Set before the attempt: whatever ends it early leaves the state ahead of the ledger.
        needsLoad = true
        certainty.begins(now: .now)
        if isChange { outage.pending = draft }
        while true {
            if isChange, journalsNow() {
                do { return try await journal(draft) } catch let error as OutageFolderError { hold(because: error) }
            }
            // The journal took no more: a revision now would leave its entries out.
            guard publisher.current?.journal == nil else {
                throw LedgerError.refused("what the journal holds is recorded first")
            }
            do {
                let committed = try await appendWhole(draft, token)
                needsLoad = false
                outage.pending = nil
                outage.policy.recorded()
                return committed
            } catch let error as LedgerError {
                let failure = AppendRetry.Failure(error)
                guard case .again(let pause) = retry.next(after: failure, isTrusted: isTrusted(token)) else {
                    throw error
                }
                note(error, "a change cannot be recorded and is tried again; the last revision stays served")
                // The grace period may be over.
                if isChange, outage.policy.mayJournal(now: .now), journalsNow() { continue }
                try await Task.sleep(for: pause)
            }
        }
    }

    /// How long a process that is asked to stop goes on with an append that has begun.
    private static let appendPatience = Duration.seconds(5)

    /// A process that is asked to stop finishes the append that it is at: what it has decided is recorded, and whoever
    /// leads next does not find it out again.
    private func appendWhole(_ draft: RevisionDraft, _ token: FencingToken) async throws -> CommittedRevision {
        // Unstructured: cancelling the walk must not cancel the append.
        let append = Task { [writer] in try await writer.append(draft, fencedBy: token) }
        return try await withTaskCancellationHandler {
            try await append.value
        } onCancel: {
            // Unstructured: a handler cannot wait.
            Task {
                try? await Task.sleep(for: Self.appendPatience)
                append.cancel()
            }
        }
    }
}
