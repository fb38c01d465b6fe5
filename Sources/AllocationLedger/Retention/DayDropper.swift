//
// DayDropper.swift: takes a day's partitions out of their tables and drops them, from whatever point it was left at.
//
// Each partition is detached first, concurrently, so that nobody who reads or writes waits, and then dropped. Revisions go
// first: detaching waits until everybody who could still see them has ended, and nobody reads events without having read
// the oldest revision in the same snapshot before. The server refuses to drop what is held, not sealed or not given up by
// a revision; asking it again is always safe.
//

import Logging
import PostgresDriver

/// What one step does to one partition.
enum DropStep: Sendable, Hashable {
    case detach, finishDetaching, drop

    /// The step that a partition needs next.
    init(_ state: DayStatus.Partition.State) {
        self =
            switch state {
            case .attached: .detach
            case .detaching: .finishDetaching
            case .detached: .drop
            }
    }

    /// What comes after it, when it has gone well.
    var next: DropStep? { self == .drop ? nil : .drop }
}

/// Drops days that were given up.
struct DayDropper: Sendable {
    let logger: Logger
    /// How long a step waits for those who read or write. Nobody else waits longer than that because of it.
    var patience: Duration = .seconds(2)
    /// How long detaching waits for readers that began before it. Nobody waits for it meanwhile.
    var readersPatience: Duration = .seconds(20)

    /// - Returns: Whether all of the day is gone; false: somebody is still at it, so try again later.
    /// - Throws: ``LedgerError/refused(_:)`` when a hold was placed meanwhile; faults of the database.
    func drop(_ status: DayStatus, _ connection: PostgresConnection) async throws -> Bool {
        try await connection.execute("SELECT set_config('lock_timeout', \(patience.milliseconds), false)")
        for partition in status.partitions {
            let name = status.day.partition(of: partition.table)
            var step: DropStep? = DropStep(partition.state)
            while let current = step {
                guard try await run(current, name, partition.table, connection) else { return false }
                step = current.next
            }
            logger.info("partition dropped", metadata: ["partition": "\(name)"])
        }
        return true
    }

    private func run(
        _ step: DropStep, _ partition: String, _ table: HistoryTable, _ connection: PostgresConnection
    ) async throws -> Bool {
        do {
            try await connection.execute("SELECT ledger.require_droppable(\(partition))")
            switch step {
            case .detach: try await detach(partition, table, "CONCURRENTLY", connection)
            case .finishDetaching: try await detach(partition, table, "FINALIZE", connection)
            case .drop: try await connection.execute("SELECT ledger.drop_partition(\(partition))")
            }
            return true
        } catch let error as PostgresError where Self.isBusy(error) {
            logger.debug("a partition is in use", metadata: ["partition": "\(partition)", "error": "\(error)"])
            return false
        } catch let error as PostgresError where error.sqlState == .checkViolation {
            throw LedgerError.refused(error.message)
        }
    }

    /// As the tables' owner without anybody waiting; else by a function of theirs, which waits, but not for long.
    private func detach(
        _ partition: String, _ table: HistoryTable, _ manner: String, _ connection: PostgresConnection
    ) async throws {
        // Concurrently is not possible in a function, and COPY-like utility statements take no binds: names of ours.
        let statement =
            "ALTER TABLE ledger.\(table.rawValue) DETACH PARTITION ledger.\(partition) \(manner)"
        do throws(PostgresError) {
            // For the first wait the readers' patience counts, which is a wait for their locks like any other.
            try await connection.execute(
                "SELECT set_config('lock_timeout', \(readersPatience.milliseconds), false)")
            try await connection.executeScript(unsafeSQL: statement)
            try await connection.execute("SELECT set_config('lock_timeout', \(patience.milliseconds), false)")
        } catch {
            guard error.sqlState == .insufficientPrivilege else { throw error }
            try await connection.execute("SELECT set_config('lock_timeout', \(patience.milliseconds), false)")
            try await connection.execute("SELECT ledger.detach_partition(\(partition))")
        }
    }

    /// A table has one partition at a time that is being detached.
    private static let anotherIsBeingDetached = SQLState(rawValue: "55000")

    private static func isBusy(_ error: PostgresError) -> Bool {
        switch error.sqlState {
        case .lockNotAvailable?, .objectInUse?, .deadlockDetected?, .queryCanceled?, Self.anotherIsBeingDetached?: true
        default: error.kind == .deadlineExceeded
        }
    }
}

extension Duration {
    /// As `lock_timeout` takes it.
    fileprivate var milliseconds: String {
        let (seconds, attoseconds) = components
        return "\(max(1, seconds * 1000 + attoseconds / 1_000_000_000_000_000))ms"
    }
}
