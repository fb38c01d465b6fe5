//
// OperatorExecutor.swift: does what operators ask for and what retention does by itself, in the process that may write.
//
// On a connection of its own: reading a day's rows, waiting for readers and dropping tables must never hold up the walk.
// What is recorded goes through the one writer, which is somebody else's. Each operation can be begun anew where it was
// left: what is there already is not done again.
//

import Logging
import PostgresDriver

/// The one writer of the term.
package protocol OperatorRecorder: Sendable {
    /// - Throws: ``LedgerError/refused(_:)`` when it must not be recorded; ``LedgerError/fenced(_:)`` when the term is over.
    func record(_ revision: OperatorRevision) async throws -> CommittedRevision
    /// Ends runs of discovery results that began before then.
    func endRuns(before: Timestamp) async throws
}

/// Does operations, one at a time.
package struct OperatorExecutor: Sendable {
    private let recorder: any OperatorRecorder
    private let logger: Logger

    package init(recorder: any OperatorRecorder, logger: Logger) {
        self.recorder = recorder
        self.logger = logger
    }

    // MARK: Requests

    /// Does every request that is open.
    ///
    /// - Returns: How many were done.
    @discardableResult
    package func serveRequests(in epoch: Int64, _ connection: PostgresConnection) async throws -> Int {
        var done = 0
        for request in try await OperatorQueries.open(connection) {
            guard try await OperatorQueries.take(request, in: epoch, connection) else { continue }
            let outcome: OperatorRequest.Outcome
            do {
                guard let operation = request.operation else {
                    throw LedgerError.refused("\(request.kind) is not known to this version of the program")
                }
                let text = try await run(operation, askedBy: request.askedBy, connection)
                outcome = .init(succeeded: true, text: text)
            } catch let error as LedgerError {
                switch error {
                case .refused, .corrupted: outcome = .init(succeeded: false, text: error.description)
                default: throw error
                }
            }
            try await OperatorQueries.finish(request, outcome, connection)
            logger.notice(
                "an operator's request is done",
                metadata: [
                    "kind": "\(request.kind)", "asked_by": "\(request.askedBy)", "outcome": "\(outcome.text)",
                ])
            done += 1
        }
        return done
    }

    /// - Returns: What was done, for people.
    /// - Throws: ``LedgerError/refused(_:)`` when it must not be.
    package func run(
        _ operation: OperatorOperation, askedBy: String, _ connection: PostgresConnection
    ) async throws -> String {
        switch operation {
        case .seal: return try await seal(connection)
        case .drop(let before, let exports):
            let dropped = try await drop(
                before: before, exports.isEmpty ? .without : .written(exports), askedBy: askedBy, connection)
            guard !dropped.isRefused else { throw LedgerError.refused(dropped.text) }
            return dropped.text
        case .hold(let from, let to, let reason):
            guard from < to else { throw LedgerError.refused("a hold's end must be after its beginning") }
            let committed = try await recorder.record(
                .hold(from: from, to: to, reason: StorableText.mended(reason), askedBy: askedBy))
            return "hold \(committed.head.revision) keeps what is from \(from) to \(to)"
        case .state(let gap):
            let committed = try await recorder.record(.state(gap))
            return "stated by revision \(committed.head.revision)"
        case .release(let hold, let reason):
            let committed = try await recorder.record(
                .release(hold: hold, reason: StorableText.mended(reason), askedBy: askedBy))
            // It may have kept days that had been given up before it was placed.
            _ = try await finish(connection)
            return "hold \(hold) is released by revision \(committed.head.revision)"
        }
    }

    /// What is done every night without being asked: partitions ahead, seals, and what is older than retention.
    ///
    /// - Parameter files: Where days are exported to before they are dropped; nil: nowhere. A day that cannot be written
    ///   stays, and so does every day after it.
    /// - Returns: False: such a day was left over.
    @discardableResult
    package func maintain(
        keeping retention: Duration?, exportingTo files: DayFiles? = nil, _ connection: PostgresConnection
    ) async throws -> Bool {
        try await LedgerError.translating { _ = try await connection.query(LedgerQueries.ensurePartitions) }
        let sealed = try await seal(connection)
        logger.debug("retention", metadata: ["seal": "\(sealed)"])
        let now = try await catalogue(connection).now
        let before = retention.map { now.advanced(by: .zero - $0) } ?? .distantPast
        let exports = files.map(DayExports.into) ?? .without
        let dropped = try await drop(before: before, exports, askedBy: "retention", connection)
        logger.debug("retention", metadata: ["drop": "\(dropped.text)"])
        return dropped.isExported
    }

    // MARK: Sealing

    private func seal(_ connection: PostgresConnection) async throws -> String {
        let days = try await catalogue(connection).sealable
        var done: [String] = []
        for day in days {
            try await recorder.endRuns(before: day.end)
            let seals = try await LedgerError.translating {
                try await close(day, connection)
                return try await connection.transaction(
                    isolation: .repeatableRead, readOnly: true, deadline: .now + .seconds(3600)
                ) { @Sendable connection in
                    var sealer = DaySealer(day)
                    return try await sealer.seals(connection)
                }
            }
            let committed = try await recorder.record(.seal(day, seals))
            let rows = seals.reduce(0) { $0 + $1.rows }
            done.append("sealed \(day), \(rows) rows, by revision \(committed.head.revision)")
            logger.notice("day sealed", metadata: ["day": "\(day)", "rows": "\(rows)"])
        }
        return done.isEmpty ? "nothing to seal: every day that is over is sealed" : done.joined(separator: "\n")
    }

    /// Lets no row into the day's tables any more.
    private func close(_ day: RetentionDay, _ connection: PostgresConnection) async throws {
        // Writers of a day that is over are few, and none takes long.
        try await connection.execute("SELECT set_config('lock_timeout', '2s', false)")
        for table in HistoryTable.recorded {
            try await connection.execute("SELECT ledger.close_partition(\(day.partition(of: table)))")
        }
    }

    // MARK: Dropping

    /// What becomes of days before they are dropped.
    private enum DayExports {
        /// Nothing.
        case without
        /// Whoever asks has written files of these. No other day may go.
        case written([RetentionDay: Digest32])
        /// Each is written here first.
        case into(DayFiles)
    }

    private struct Dropped {
        /// What was done, for people.
        var text: String
        /// Nothing was, because something stands against it.
        var isRefused = false
        /// False: a day that was to be written could not be.
        var isExported = true
    }

    private func drop(
        before: Timestamp, _ exports: DayExports, askedBy: String, _ connection: PostgresConnection
    ) async throws -> Dropped {
        let plan = try await catalogue(connection)
        var done: [String] = []
        var unwritten: String?
        for day in plan.droppable(before: before) {
            let export: Digest32?
            do {
                export = try await self.export(day, exports, connection)
            } catch let error as DayFileError {
                unwritten = "\(day) is not dropped, because it cannot be exported: \(error)"
                logger.error("day not exported", metadata: ["day": "\(day)", "reason": "\(error)"])
                break
            }
            if case .written = exports, export == nil { break }
            let seals = try await seals(of: day, connection)
            let committed = try await recorder.record(.drop(day, seals, export: export, askedBy: askedBy))
            done.append("dropped \(day), by revision \(committed.head.revision)")
            logger.notice("day given up", metadata: ["day": "\(day)", "revision": "\(committed.head.revision)"])
        }
        let unfinished = try await finish(connection)
        done += unfinished.map { "\($0) is still being read; its tables go as soon as nobody does" }
        if let unwritten { return Dropped(text: (done + [unwritten]).joined(separator: "\n"), isExported: false) }
        if let kept = plan.obstacles(before: before).first(where: { $0.obstacle != nil }), let obstacle = kept.obstacle
        {
            done.append("\(kept.day) is not dropped: \(obstacle)")
            if done.count == 1 { return Dropped(text: done[0], isRefused: true) }
        }
        return Dropped(text: done.isEmpty ? "nothing to drop" : done.joined(separator: "\n"))
    }

    /// - Returns: SHA-256 of the day's file; nil: there is none.
    /// - Throws: ``DayFileError`` when it cannot be written.
    private func export(
        _ day: RetentionDay, _ exports: DayExports, _ connection: PostgresConnection
    ) async throws -> Digest32? {
        switch exports {
        case .without: nil
        case .written(let digests): digests[day]
        case .into(let files):
            try await LedgerError.translating {
                try await connection.transaction(
                    isolation: .repeatableRead, readOnly: true, deadline: .now + .seconds(3600)
                ) { @Sendable connection in try await files.write(day, connection) }
            }
        }
    }

    /// Drops the tables of days that were given up.
    ///
    /// - Returns: Days that somebody still reads.
    package func finish(_ connection: PostgresConnection) async throws -> [RetentionDay] {
        var busy: [RetentionDay] = []
        for status in try await catalogue(connection).unfinished {
            // In order: a later day must not go before an earlier one.
            guard busy.isEmpty else {
                busy.append(status.day)
                continue
            }
            do {
                let isGone = try await LedgerError.translating {
                    try await DayDropper(logger: logger).drop(status, connection)
                }
                if !isGone { busy.append(status.day) }
            } catch LedgerError.refused(let why) {
                logger.notice("a day that was given up stays", metadata: ["day": "\(status.day)", "reason": "\(why)"])
                busy.append(status.day)
            }
        }
        return busy
    }

    // MARK: Reading

    private func catalogue(_ connection: PostgresConnection) async throws -> DayCatalogue {
        try await LedgerError.translating {
            try await connection.transaction(isolation: .repeatableRead, readOnly: true) { @Sendable connection in
                try await DayCatalogue.read(connection)
            }
        }
    }

    private func seals(of day: RetentionDay, _ connection: PostgresConnection) async throws -> [SealRecord] {
        try await LedgerError.translating {
            let names = HistoryTable.recorded.map { day.partition(of: $0) }
            let rows = try await connection.query(
                """
                SELECT partition, from_at, to_at, rows, first_revision, last_revision, digest, tree FROM ledger.seal \
                WHERE partition = ANY(\(names)) ORDER BY array_position(\(names), partition)
                """)
            return try rows.map { row in
                SealRecord(
                    partition: try row.decode(0), from: try row.decode(1), to: try row.decode(2),
                    rows: try row.decode(3),
                    firstRevision: try row.decode(4), lastRevision: try row.decode(5),
                    digest: Digest32(try row.decode(6, as: [UInt8].self)) ?? .zero,
                    tree: try row.decode(7, as: [UInt8]?.self))
            }
        }
    }
}
