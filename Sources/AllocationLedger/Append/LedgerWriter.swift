//
// LedgerWriter.swift: appends revisions, in the one way that keeps the ledger true.
//
// Dictionary rows first, in fenced transactions of their own: orphans are harmless, and the transaction that everyone
// waits for stays short. Then one transaction: fence, head, events, current state, revision, notification, commit.
//

import AllocationCore
import Logging
import PostgresDriver

/// The writing side of the ledger, over one connection of its own.
package actor LedgerWriter {
    let configuration: PostgresConfiguration
    let table: LabelTable
    let logger: Logger
    var connection: PostgresConnection?
    var dictionary = LedgerDictionary()
    /// The tip as this writer knows it; what the next append expects to find.
    var head: LedgerHead?
    /// Configuration in force, by stored id and digest.
    var currentConfiguration: (id: Int32, digest: Digest32)?
    /// A dictionary write ended without a known outcome: ids must be read again before any is given.
    var mustReadHighest = false
    /// The change last appended, while it is not known to be recorded.
    var pending: (changeID: UUID128, append: AppendProtocol)?
    var openRuns: [ReportKey: OpenRun] = [:]
    /// No run of discovery results begins before this: the days before it are sealed.
    var runsBeginAt = Timestamp.distantPast
    var partitionsCheckedOn: Int64 = -1
    /// What reading behind another writer has taught.
    var tailNames = TailDictionary()
    private let metrics = LedgerMetrics()

    // A thread of its own: encoding and decoding a million rows must not hold up the lease's session.
    static let executor = PollExecutor(name: "ledger-writer")
    /// For the second session that a flood of dictionary rows gets.
    static let secondExecutor = PollExecutor(name: "ledger-rows")

    package init(configuration: PostgresConfiguration, table: LabelTable, logger: Logger) {
        self.configuration = configuration
        self.table = table
        self.logger = logger
    }

    /// The channel on which followers hear of a revision; the payload is its number.
    package static let channel = "target_ledger_revision"

    // MARK: Connection

    func connected() async throws(PostgresError) -> PostgresConnection {
        if let connection, await connection.checkUsable() { return connection }
        let fresh = try await PostgresConnection.connect(configuration, logger: logger, executor: Self.executor)
        connection = fresh
        return fresh
    }

    /// Ends the connection. What runs on it fails as one that was lost; the next call opens another.
    package func close() async {
        let ended = connection
        connection = nil
        await ended?.close()
    }

    /// The tip of the log as the database has it now; nil while nothing is recorded.
    package func currentHead() async throws -> LedgerHead? {
        try await LedgerError.translating {
            let connection = try await connected()
            return try await LedgerQueries.head(connection)
        }
    }

    // MARK: Appending

    /// Records a change as the next revision.
    ///
    /// - Parameter token: The term this is written in. Checked inside the transaction.
    /// - Throws: ``LedgerError/fenced(_:)`` when the term is over: stop leading. ``LedgerError/headMoved(expected:found:)``
    ///   when another has written: load again. Errors with `isRetryable`: call again with the same draft; a commit whose
    ///   outcome was not heard is then found by its change id and not repeated.
    package func append(_ draft: RevisionDraft, fencedBy token: FencingToken) async throws -> CommittedRevision {
        let started = ContinuousClock.now
        do {
            let committed = try await LedgerError.translating { try await attempt(draft, token) }
            metrics.committed(committed, events: draft.change.targets.count, in: .now - started)
            return committed
        } catch {
            metrics.failed(error)
            throw error
        }
    }

    /// Does what ``AppendProtocol`` says, until the change is recorded or the attempt is over.
    private func attempt(_ draft: RevisionDraft, _ token: FencingToken) async throws -> CommittedRevision {
        // Without a session nothing is begun.
        _ = try await connected()
        var append = pending.flatMap { $0.changeID == draft.changeID ? $0.append : nil } ?? AppendProtocol()
        // By what the attempt fails, if it does.
        var failure: any Error = CancellationError()
        var action = append.begin()
        while true {
            // What is known of the change outlives the attempt.
            pending = (draft.changeID, append)
            switch action {
            case .conclude(let head): return conclude(draft, head)
            case .endAttempt: throw failure
            case .lookUp, .write:
                let reply: AppendProtocol.Reply
                do {
                    reply = try await perform(action, draft, token)
                } catch {
                    failure = error
                    reply = AppendProtocol.Reply(error)
                }
                if reply == .outcomeUnknown {
                    logger.warning(
                        "commit not heard of", metadata: ["change": "\(draft.changeID)", "error": "\(failure)"])
                }
                action = append.take(reply)
            }
        }
    }

    private func perform(
        _ action: AppendProtocol.Action, _ draft: RevisionDraft, _ token: FencingToken
    ) async throws -> AppendProtocol.Reply {
        let connection = try await connected()
        guard case .write(let makingPartitions) = action else {
            return .found(try await lookUp(draft.changeID, connection))
        }
        if makingPartitions { partitionsCheckedOn = -1 }
        try await ensurePartitions(connection)
        let additions = try await findAdditions(draft, connection)
        let resolved = try await resolve(draft, adding: additions, token, connection)
        return .committed(try await commit(draft, resolved, token, connection))
    }

    private func conclude(_ draft: RevisionDraft, _ committed: LedgerHead) -> CommittedRevision {
        head = committed
        pending = nil
        if let configuration = draft.configuration, let id = dictionary.configurations[configuration.digest] {
            currentConfiguration = (id, configuration.digest)
        }
        forgetWhatIsGone(draft.change)
        noteRuns(draft.reports)
        return CommittedRevision(head: committed)
    }

    /// Keeps the dictionary in memory as large as the current state, not as history.
    private func forgetWhatIsGone(_ change: AllocationChange) {
        for target in change.targets {
            if let before = target.before, before.labels != target.after?.labels {
                if dictionary.labelSets.removeValue(forKey: LabelSetKey(labels: before.labels)) != nil {
                    dictionary.isComplete.labelSets = false
                }
            }
            if target.after == nil, let job = dictionary.jobs[change.jobs[Int(target.job.rawValue)]] {
                dictionary.targets[TargetKey(job: job, identity: target.identity.rawValue)] = nil
                dictionary.isComplete.targets = false
            }
        }
    }

    /// Learns what became of a commit that was not heard of.
    ///
    /// The old session may still be at it. It holds the head's row; taking that row first waits until it has ended, and
    /// only then is what is found the last word.
    private func lookUp(_ changeID: UUID128, _ connection: PostgresConnection) async throws -> LedgerHead? {
        try await connection.transaction { @Sendable connection in
            let results = try await connection.pipeline([
                LedgerQueries.patience,
                "SELECT revision FROM ledger.head WHERE name = 'allocator' FOR UPDATE",
                "SELECT revision, epoch, at, digest FROM ledger.revision WHERE change_id = \(changeID)",
            ])
            return try results[2].first.map { try LedgerQueries.head($0) }
        }
    }

    /// Partitions for a week from now, looked after once a day.
    func ensurePartitions(_ connection: PostgresConnection) async throws {
        let day = Timestamp.now().microsecondsSince1970 / 86_400_000_000
        guard day != partitionsCheckedOn else { return }
        _ = try await connection.query(LedgerQueries.ensurePartitions)
        partitionsCheckedOn = day
    }

    private func commit(
        _ draft: RevisionDraft, _ resolved: ResolvedChange, _ token: FencingToken, _ connection: PostgresConnection
    ) async throws -> LedgerHead {
        let expected = head
        let configuration =
            draft.configuration.flatMap { record in
                dictionary.configurations[record.digest].map { (id: $0, digest: record.digest) }
            } ?? currentConfiguration
        let write = RevisionWrite(
            draft: draft, resolved: resolved, token: token, expected: expected, configuration: configuration,
            reports: plan(draft.reports, revision: (expected?.revision.number ?? 0) + 1))
        // A million events take a minute on a slow disk; a small change must not wait that long for a lock.
        let deadline = ContinuousClock.now + .seconds(60) + .microseconds(200 * resolved.events.count)
        return try await connection.transaction(deadline: deadline) { @Sendable connection in
            try await write.run(connection)
        }
    }

    // MARK: Reports

    /// Records discovery results that changed nothing.
    package func record(reports: [DiscoveryReportDraft], fencedBy token: FencingToken) async throws {
        guard !reports.isEmpty else { return }
        try await LedgerError.translating {
            let connection = try await connected()
            try await ensurePartitions(connection)
            let plan = plan(reports, revision: head?.revision.number ?? 0)
            try await connection.transaction { @Sendable connection in
                try await LedgerQueries.fence(token, connection)
                _ = try await connection.pipeline(plan.statements)
            }
            noteRuns(reports)
        }
    }
}

extension AppendProtocol.Reply {
    /// What an action failed by. A COMMIT of rows that the revision names counts as its own: to look is harmless.
    fileprivate init(_ error: any Error) {
        self =
            switch error {
            case LedgerError.fenced: .fenced
            case LedgerError.headMoved: .headMoved
            case let error as PostgresError where error.kind == .commitOutcomeUnknown: .outcomeUnknown
            case let error as PostgresError where error.sqlState == .checkViolation: .noPartition
            default: .failed
            }
    }
}
