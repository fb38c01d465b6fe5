//
// WalkOperation.swift: what the walk records although no target changed: the beginning of a term, gaps, and what operators
// and retention ask for.
//

import AllocationCore
import AllocationLedger
import Logging
import PostgresDriver

/// Something to be recorded for somebody who waits.
enum WalkOperation: Sendable {
    typealias Answer<Value> = AsyncStream<Result<Value, any Error>>.Continuation

    case record(OperatorRevision, Answer<CommittedRevision>)
    case endRuns(Timestamp, Answer<Void>)

    /// Says that it was not done.
    func refuse(_ error: any Error) {
        switch self {
        case .record(_, let answer):
            answer.yield(.failure(error))
            answer.finish()
        case .endRuns(_, let answer):
            answer.yield(.failure(error))
            answer.finish()
        }
    }
}

/// Whether, and since when, nothing can be recorded within a term.
///
///     recording ──fault──▶ failing ──recorded again──▶ recording
///
/// A value without a clock: all instants are the database's.
struct RecordingGap: Sendable {
    private var from: Timestamp?
    private var reason = ""
    /// Up to here gaps are on record.
    private var statedUntil = Timestamp.distantPast

    /// Takes that something could not be recorded.
    ///
    /// - Parameter certainUntil: When recording was last certain: the last revision or the last renewal of the lease.
    mutating func failed(certainUntil: Timestamp?, because reason: String) {
        guard from == nil, let certainUntil else { return }
        from = certainUntil
        self.reason = reason
    }

    var isOpen: Bool { from != nil }

    /// Takes that something was recorded, and returns the gap that this ends, to be stated.
    mutating func ended(at now: Timestamp) -> Gap? {
        guard let from else { return nil }
        self.from = nil
        return gap(from: from, to: now, because: reason)
    }

    /// A time in which the lease could not be renewed, of which nothing recorded since may be part.
    mutating func gap(from: Timestamp, to: Timestamp, because reason: String) -> Gap? {
        let from = max(from, statedUntil)
        guard from < to else { return nil }
        statedUntil = to
        return Gap(from: from, to: to, cause: .databaseOutage, detail: reason)
    }

    /// Takes that a new term has the lease. Its first revision states what was before it; what fails from here on is
    /// not part of that.
    mutating func leads() { from = nil }

    /// Takes that the first revision of a term is recorded, which states what was before `start`.
    mutating func beganTerm(at start: Timestamp) { statedUntil = max(statedUntil, start) }
}

extension AllocationWalk {
    /// Records how the term began, before anything else of it is.
    ///
    /// A ledger that is empty begins with its first revision. A revision of this term means that it is done already.
    func recordTermStart(_ token: FencingToken) async throws {
        guard let head, head.epoch != token.epoch, recordedPlacement != nil else { return }
        let start = try await writer.termStart(token)
        if try await leaveNumbersOut(start, token) { return }
        try await recordStart(start, token)
    }

    func recordStart(_ start: TermStart, _ token: FencingToken) async throws {
        guard let placement = recordedPlacement else { return }
        gap.beganTerm(at: start.acquiredAt)
        try await appendUnchanged(RevisionDraft(start, placement: placement), token)
    }

    /// States a gap within the term that is over.
    func recordGap(_ gap: Gap?, _ token: FencingToken) async throws {
        guard let gap, let placement = recordedPlacement else { return }
        try await appendUnchanged(RevisionDraft(gap, placement: placement), token)
    }

    /// States the gap that the last step has ended, if there was one.
    func closeGap(_ token: FencingToken) async throws {
        guard gap.isOpen else { return }
        let open = gap
        do {
            try await recordGap(gap.ended(at: try await writer.databaseTime()), token)
        } catch {
            // It goes on.
            gap = open
            throw error
        }
    }

    /// Takes what somebody waits for.
    func take(_ operation: WalkOperation) async throws {
        guard let token, !outage.policy.isJournalling else {
            return operation.refuse(LedgerError.refused("this process does not lead any more"))
        }
        var error: (any Error)?
        try await step { token in
            // What must not be is no fault of the ledger, and nothing has been written.
            do {
                try await self.run(operation, token)
            } catch let refusal as LedgerError where refusal.isRefusal {
                self.needsLoad = false
                error = refusal
            }
        }
        if let error { return operation.refuse(error) }
        // Nothing happens where it was answered; where a fault came between, it is as if the term had ended.
        operation.refuse(LedgerError.fenced(token))
    }

    private func run(_ operation: WalkOperation, _ token: FencingToken) async throws {
        switch operation {
        case .record(let revision, let answer):
            guard let placement = recordedPlacement, head != nil else {
                throw LedgerError.refused("the ledger holds no revision yet")
            }
            let committed = try await appendUnchanged(RevisionDraft(revision, placement: placement), token)
            answer.yield(.success(committed))
            answer.finish()
        case .endRuns(let end, let answer):
            try await writer.endRuns(before: end, fencedBy: token)
            answer.yield(.success(()))
            answer.finish()
        }
    }

    /// A revision that changes no target: what is served stays what it is, under the new number.
    @discardableResult
    private func appendUnchanged(_ draft: RevisionDraft, _ token: FencingToken) async throws -> CommittedRevision {
        let committed = try await commit(draft, token)
        head = committed.head
        if let current = publisher.current, current.head.revision.number + 1 == committed.head.revision.number {
            publisher.publish(
                current.advanced(by: draft.change, state: state, head: committed.head, pendingJobs: pendingJobs()))
        } else {
            needsLoad = true
        }
        logger.info(
            "revision recorded",
            metadata: [
                "revision": "\(committed.head.revision.number)", "cause": "\(draft.cause.rawValue)",
                "detail": "\(draft.causeDetail)",
            ])
        return committed
    }
}
