//
// OperatorTerm.swift: does requests while no allocator runs: takes the lease, begins a term, and gives it back.
//

import AllocationCore
import Logging
import PostgresDriver

/// A term of a command.
package struct OperatorTerm: Sendable {
    private let configuration: PostgresConfiguration
    private let address: String
    private let logger: Logger

    /// Renewed at a third of it.
    private static let timeToLive = Duration.seconds(30)

    /// - Parameter address: How others find who holds the lease meanwhile.
    package init(_ configuration: PostgresConfiguration, address: String, logger: Logger) {
        self.configuration = configuration
        self.address = address
        self.logger = logger
    }

    /// Does all open requests, if nobody holds the lease.
    ///
    /// - Returns: False: somebody does, who is going to do them.
    package func serveRequests() async throws -> Bool {
        let lease = try await PostgresConnection.connect(configuration, logger: logger)
        let holder = UUID128.random()
        do {
            let epoch = try await LeaseQueries.acquire(
                holder: holder, address: address, timeToLive: Self.timeToLive.inSeconds, lease,
                deadline: .now + .seconds(10))
            guard let epoch else {
                await lease.close()
                return false
            }
            let token = FencingToken(holder: holder, epoch: epoch)
            let outcome: Result<Void, any Error>
            do { outcome = .success(try await lead(token, renewingOn: lease)) } catch { outcome = .failure(error) }
            try await LeaseQueries.release(token, reason: LeaseQueries.stopped, lease, deadline: .now + .seconds(10))
            await lease.close()
            try outcome.get()
            return true
        } catch {
            await lease.close()
            throw error
        }
    }

    private func lead(_ token: FencingToken, renewingOn lease: PostgresConnection) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await serve(token) }
            group.addTask {
                while true {
                    try await Task.sleep(for: Self.timeToLive / 3)
                    let renewedAt = try await LeaseQueries.renew(
                        token, timeToLive: Self.timeToLive.inSeconds, lease, deadline: .now + Self.timeToLive / 3)
                    guard renewedAt != nil else { throw LedgerError.fenced(token) }
                }
            }
            // The first ends by itself, the second only by a fault.
            try await group.next()
            group.cancelAll()
        }
    }

    private func serve(_ token: FencingToken) async throws {
        let writer = LedgerWriter(configuration: configuration, table: LabelTable(), logger: logger)
        let connection = try await PostgresConnection.connect(configuration, logger: logger)
        let outcome: Result<Void, any Error>
        do {
            guard let placement = try await writer.loadTip() else {
                throw LedgerError.refused("the ledger holds no revision yet, so there is nothing to do")
            }
            let recorder = TermRecorder(writer: writer, placement: placement, token: token)
            try await recorder.begin()
            let executor = OperatorExecutor(recorder: recorder, logger: logger)
            outcome = .success(_ = try await executor.serveRequests(in: token.epoch, connection))
        } catch { outcome = .failure(error) }
        await connection.close()
        await writer.close()
        try outcome.get()
    }
}

/// Records by a writer that does nothing else.
struct TermRecorder: OperatorRecorder {
    let writer: LedgerWriter
    let placement: Placement
    let token: FencingToken

    private static let attemptsMax = 5

    func begin() async throws {
        let start = try await writer.termStart(token)
        guard !start.mayHaveLost else {
            throw LedgerError.refused(
                "the database is another than the one that the last revision was written to, and may have lost some; "
                    + "start an allocator on it first, which looks after that")
        }
        _ = try await append(RevisionDraft(start, placement: placement))
    }

    func record(_ revision: OperatorRevision) async throws -> CommittedRevision {
        try await append(RevisionDraft(revision, placement: placement))
    }

    func endRuns(before: Timestamp) async throws { try await writer.endRuns(before: before, fencedBy: token) }

    /// Again with the same change id, so that a commit that was not heard of is found and not repeated.
    private func append(_ draft: RevisionDraft) async throws -> CommittedRevision {
        for _ in 1..<Self.attemptsMax {
            do {
                return try await writer.append(draft, fencedBy: token)
            } catch let error as LedgerError where error.isRetryable {
                try await Task.sleep(for: .milliseconds(200))
            }
        }
        return try await writer.append(draft, fencedBy: token)
    }
}
