//
// RetentionKeeper.swift: the leader's work beside the walk: partitions ahead, seals, drops, and what operators ask for.
//
// On a session of its own. What has to be recorded is handed to the walk, which holds the one writer; nothing here can end
// the process or keep the walk from its work.
//

import AllocationLedger
import Logging
import PostgresDriver

/// Looks after the ledger's days while this process leads.
actor RetentionKeeper {
    private let configuration: PostgresConfiguration
    private let retention: Duration?
    private let files: DayFiles?
    private let token: @Sendable () -> FencingToken?
    private let executor: OperatorExecutor
    private let logger: Logger
    private var connection: PostgresConnection?
    private var schedule: RetentionSchedule
    private var ledEpoch: Int64?
    private var fault: String?

    /// Whoever writes files waits for the disk, and renewals of the lease must not wait with it.
    private static let executor = PollExecutor(name: "retention")
    /// Requests are looked for so often, besides being told of.
    private static let lookInterval = Duration.seconds(1)

    /// - Parameters:
    ///   - retention: How long history is kept; nil: for ever.
    ///   - files: Where days are exported to before they are dropped; nil: nowhere.
    ///   - token: The term that may be written in now.
    init(
        configuration: PostgresConfiguration, retention: Duration?, files: DayFiles?,
        jitter: Duration = .seconds(.random(in: 0...300)),
        recorder: any OperatorRecorder, token: @escaping @Sendable () -> FencingToken?, logger: Logger
    ) {
        self.configuration = configuration
        self.retention = retention
        self.files = files
        self.token = token
        self.logger = logger
        executor = OperatorExecutor(recorder: recorder, logger: logger)
        schedule = RetentionSchedule(jitter: jitter)
    }

    /// Runs until cancelled.
    func run() async throws {
        while true {
            try Task.checkCancellation()
            guard let token = token() else {
                ledEpoch = nil
                try await Task.sleep(for: Self.lookInterval)
                continue
            }
            do {
                try await look(token)
                if fault != nil { logger.notice("retention goes on") }
                fault = nil
            } catch let error as CancellationError {
                throw error
            } catch {
                try Task.checkCancellation()
                note(error)
                await connection?.close()
                connection = nil
                try await Task.sleep(for: Self.lookInterval)
            }
        }
    }

    private func look(_ token: FencingToken) async throws {
        let connection = try await connected()
        if ledEpoch != token.epoch {
            ledEpoch = token.epoch
            schedule.beginTerm()
        }
        try await executor.serveRequests(in: token.epoch, connection)
        let now = try await connection.query("SELECT clock_timestamp()").first?.decode(0, as: Timestamp.self) ?? .now()
        if schedule.isDue(at: now) {
            // Before the attempt: one that fails is not tried again every second.
            schedule.noteDone(at: now, isFinished: false)
            let isExported = try await executor.maintain(keeping: retention, exportingTo: files, connection)
            let isFinished = try await executor.finish(connection).isEmpty
            schedule.noteDone(at: now, isFinished: isExported && isFinished)
        }
        _ = try await connection.nextNotification(deadline: .now + Self.lookInterval)
    }

    private func connected() async throws -> PostgresConnection {
        if let connection, await connection.checkUsable() { return connection }
        let fresh = try await PostgresConnection.connect(
            configuration, logger: logger, executor: Self.executor)
        try await fresh.listen(OperatorQueries.requestChannel)
        connection = fresh
        return fresh
    }

    /// Tells of a fault, once for as long as it stays the same.
    private func note(_ error: any Error) {
        let text = "\((error as? PostgresError).map { "\(LedgerError($0))" } ?? "\(error)")"
        guard text != fault else { return }
        fault = text
        logger.warning("retention and operators' requests wait", metadata: ["reason": "\(text)"])
    }
}

/// Hands what is to be recorded to the walk and waits until it is.
struct WalkRecorder: OperatorRecorder {
    /// - Returns: Only when the walk has taken the event.
    let send: @Sendable (WalkEvent) async -> Void

    func record(_ revision: OperatorRevision) async throws -> CommittedRevision {
        try await ask { .operation(.record(revision, $0)) }
    }

    func endRuns(before: Timestamp) async throws {
        try await ask { .operation(.endRuns(before, $0)) }
    }

    private func ask<Value: Sendable>(
        _ event: (AsyncStream<Result<Value, any Error>>.Continuation) -> WalkEvent
    ) async throws -> Value {
        let (answers, answer) = AsyncStream<Result<Value, any Error>>.makeStream(bufferingPolicy: .bufferingOldest(1))
        await send(event(answer))
        // An event that was let go drops its answer with it, which ends the stream.
        for await result in answers { return try result.get() }
        throw CancellationError()
    }
}
