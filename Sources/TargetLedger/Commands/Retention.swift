//
// Retention.swift: `retention`: which days of history are kept, sealed, held and dropped.
//
// What changes something is asked of whoever holds the lease, and done by the command itself when nobody does: so it works
// while every allocator is down, and nothing is ever written past the one writer.
//

import AllocationLedger
import AllocatorAPI
import AllocatorRuntime
import ArgumentParser
import Foundation
import Glibc
import Logging
import PostgresDriver
import PrometheusConfig

struct Retention: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Seal, hold and drop days of history.",
        discussion: """
            A day that is over is sealed: no row can be added, and its seal is in the digest chain. A sealed day that is \
            older than ledger.retention is dropped, oldest first, unless a legal hold keeps it or a day before it. The \
            leader does both every night. Each of these is a revision.
            """,
        subcommands: [
            RetentionStatus.self, RetentionSeal.self, RetentionDrop.self, RetentionHold.self, RetentionRelease.self,
        ])
}

/// What the commands that change something share.
struct OperationFlags: ParsableArguments {
    @Option(help: "How long to wait until it is done, such as 30s or 5m; whoever leads goes on after that.")
    var wait = WaitArgument(.seconds(300))

    /// Has an operation done and says what came of it.
    ///
    /// - Throws: ``CommandFailure``: of status 1 when it must not be done, of 3 when nobody did it in time.
    func run(_ operation: OperatorOperation, _ configuration: PostgresConfiguration, _ logger: Logger) async throws {
        let client = OperatorClient(configuration, who: Self.who, logger: logger)
        guard let outcome = try await client.run(operation, patience: wait.duration) else {
            throw CommandFailure(
                .unreachable, "it is asked for, and not done yet; whoever holds the lease goes on with it")
        }
        guard outcome.succeeded else { throw CommandFailure(.answerIsNo, outcome.text) }
        Console.output.write(outcome.text + "\n")
    }

    /// For the record: the system's user on this machine.
    static var who: String {
        let name = getpwuid(geteuid()).map { String(cString: $0.pointee.pw_name) } ?? "uid \(geteuid())"
        return "\(name)@\(hostName())"
    }
}

/// A time to wait.
struct WaitArgument: ExpressibleByArgument {
    let duration: Duration

    init(_ duration: Duration) { self.duration = duration }

    init?(argument: String) {
        guard case .ago(let duration) = InstantArgument(argument: argument)?.meaning, duration > .zero else {
            return nil
        }
        self.duration = duration
    }

    var defaultValueDescription: String { "5m" }
}

/// How long history is kept, as the allocator reads it.
struct RetentionFlags: ParsableArguments {
    @Option(name: .setting(.retention), help: .setting(.retention)) var retention: String?

    func period(_ database: DatabaseFlags) throws(CommandFailure) -> RetentionPeriod {
        try read(database) { sources throws(ConfigurationError) in try RetentionPeriod(sources) }
    }

    /// Where days are exported to before they are dropped; nil: nowhere.
    func exportDirectory(_ database: DatabaseFlags) throws(CommandFailure) -> String? {
        try read(database) { sources throws(ConfigurationError) in try RetentionPeriod.exportDirectory(sources) }
    }

    private func read<Value>(
        _ database: DatabaseFlags, _ body: (ConfigurationSources) throws(ConfigurationError) -> Value
    ) throws(CommandFailure) -> Value {
        var flags = database.given
        flags[.retention] = retention
        do {
            return try body(ConfigurationSources(process: flags, fileIsOptional: true))
        } catch {
            throw CommandFailure(.answerIsNo, error.description)
        }
    }
}

struct RetentionStatus: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show the days that are kept, newest first.",
        discussion: "Reads the database alone; no allocator has to run.")

    @OptionGroup(title: "Database options") var database: DatabaseFlags
    @OptionGroup var retention: RetentionFlags
    @Option(help: "Form: \(OutputFormat.allCases.map(\.rawValue).joined(separator: ", ")).")
    var output: OutputFormat = .table

    func run() async throws {
        let period = try retention.period(database)
        try await LedgerDatabase.read(database) { try await write(to: .output, keeping: period.duration, $0) }
    }

    func write(
        to console: Console, keeping retention: Duration?, _ connection: isolated PostgresConnection
    ) async throws {
        let catalogue = try await DayCatalogue.read(connection)
        let days = try await catalogue.described(keeping: retention, connection)
        try RowForm<DescribedDay>.day.report(days.reversed()).send(as: output, to: console)
    }
}

struct RetentionSeal: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "seal", abstract: "Seal every day that is over, without waiting for the night.")

    @OptionGroup(title: "Database options") var database: DatabaseFlags
    @OptionGroup var operation: OperationFlags

    func run() async throws {
        let logger = Logger.forCommand()
        try await LedgerDatabase.open(try .load(database), writing: true, logger: logger) {
            try await operation.run(.seal, $0, logger)
        }
    }
}

struct RetentionDrop: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drop", abstract: "Drop sealed days that are older than retention.",
        discussion: """
            Days go oldest first. A day that is held, or not sealed, stays, and so does every day after it. With --export \
            each day is written into a file first, whose SHA-256 is then part of the record; without it the folder is \
            ledger.retention_export_directory.
            """)

    @OptionGroup(title: "Database options") var database: DatabaseFlags
    @OptionGroup var retention: RetentionFlags
    @Option(help: "Days that end before this moment, instead of what retention says: \(InstantArgument.spelling).")
    var before: InstantArgument?
    @Flag(name: .customLong("dry-run"), help: "Only say what would be dropped, and what stands against it.")
    var dryRun = false
    @Option(help: "A folder for a file of each day, written before the day is dropped.") var export: String?
    @Option(help: "Form of --dry-run: \(OutputFormat.allCases.map(\.rawValue).joined(separator: ", ")).")
    var output: OutputFormat = .table
    @OptionGroup var operation: OperationFlags

    func run() async throws {
        let period = try retention.period(database)
        let files = try (export ?? retention.exportDirectory(database)).map { DayFiles(folder: $0) }
        let logger = Logger.forCommand()
        try await LedgerDatabase.open(try .load(database), writing: !dryRun, logger: logger) { configuration in
            let (plan, before) = try await LedgerDatabase.read(configuration, logger: logger) { connection in
                let plan = try await DayCatalogue.read(connection)
                return (plan, try await limit(period, plan, connection))
            }
            guard let before else { return Console.output.write("nothing to drop: history is kept without limit\n") }
            if !dryRun, plan.obstacles(before: before).isEmpty, plan.unfinished.isEmpty {
                return Console.output.write("nothing to drop\n")
            }
            if dryRun { return try Self.preview(plan, before: before, as: output, to: .output) }
            var bound = before
            var exports: [RetentionDay: Digest32] = [:]
            if let files {
                let days = plan.droppable(before: before)
                exports = try await files.write(days, configuration, logger: logger)
                // No day may go that is in no file.
                bound = days.last?.end ?? before
            }
            try await operation.run(.drop(before: bound, exports: exports), configuration, logger)
        }
    }

    private func limit(
        _ period: RetentionPeriod, _ plan: DayCatalogue, _ connection: isolated PostgresConnection
    ) async throws -> Timestamp? {
        if let before { return try await before.timestamp(connection) }
        return period.duration.map { plan.now.advanced(by: .zero - $0) }
    }

    static func preview(
        _ plan: DayCatalogue, before: Timestamp, as format: OutputFormat, to console: Console
    ) throws {
        let rows = plan.obstacles(before: before).map { day, obstacle in
            DropPreview(
                day: day, bytes: plan.days.first { $0.day == day }?.bytes ?? 0, obstacle: obstacle?.description)
        }
        if rows.isEmpty, format == .table { return try console.send("nothing to drop\n") }
        try RowForm<DropPreview>.preview.report(rows).send(as: format, to: console)
    }
}

extension DayFiles {
    /// Writes the days, each in a snapshot of its own.
    ///
    /// - Returns: SHA-256 of each file.
    /// - Throws: ``CommandFailure`` of status ``ExitStatus/unreachable`` when a file cannot be written.
    func write(
        _ days: [RetentionDay], _ configuration: PostgresConfiguration, logger: Logger
    ) async throws -> [RetentionDay: Digest32] {
        var digests: [RetentionDay: Digest32] = [:]
        do {
            for day in days {
                digests[day] = try await LedgerDatabase.read(configuration, logger: logger) { try await write(day, $0) }
            }
        } catch let error as DayFileError {
            throw CommandFailure(.unreachable, error.description)
        }
        return digests
    }
}

struct RetentionHold: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hold", abstract: "Keep the days of a period until the hold is released.")

    @OptionGroup(title: "Database options") var database: DatabaseFlags
    @Option(help: "From this moment on: \(InstantArgument.spelling).") var since: InstantArgument
    @Option(help: "Before this moment, spelled likewise; for all time to come when not given.")
    var until: InstantArgument?
    @Option(help: "Why, for the record.") var reason: String
    @OptionGroup var operation: OperationFlags

    func run() async throws {
        let logger = Logger.forCommand()
        try await LedgerDatabase.open(try .load(database), writing: true, logger: logger) { configuration in
            let bounds = try await LedgerDatabase.read(configuration, logger: logger) { connection in
                (try await since.timestamp(connection), try await until?.timestamp(connection) ?? Self.never)
            }
            try await operation.run(.hold(from: bounds.0, to: bounds.1, reason: reason), configuration, logger)
        }
    }

    /// RFC 3339 has no infinity.
    private static let never = RetentionDay("9999-12-31")?.start ?? .distantFuture
}

struct RetentionRelease: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "release", abstract: "Let a hold go. Its record stays.")

    @OptionGroup(title: "Database options") var database: DatabaseFlags
    @Argument(help: "The hold's number, as `retention status` shows it.") var hold: Int64
    @Option(help: "Why, for the record.") var reason: String
    @OptionGroup var operation: OperationFlags

    func run() async throws {
        let logger = Logger.forCommand()
        try await LedgerDatabase.open(try .load(database), writing: true, logger: logger) {
            try await operation.run(.release(hold: hold, reason: reason), $0, logger)
        }
    }
}
