//
// Moves.swift: `moves`: when and why targets came to another collector.
//

import AllocationCore
import AllocationLedger
import AllocatorRuntime
import ArgumentParser
import Logging
import PostgresDriver

struct Moves: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show when and why targets moved, newest first.",
        discussion: """
            Reads the database alone; no allocator has to run. Moments are RFC 3339, a date and time in UTC, or how long \
            ago: 2h.
            """)

    @OptionGroup(title: "Database options") var database: DatabaseFlags

    @Option(help: "From this moment on: 2h (ago), 2026-11-20 03:12 (UTC), or RFC 3339.") var since: InstantArgument?
    @Option(help: "Before this moment, spelled likewise.") var until: InstantArgument?
    @Option(help: "Part of the target's address.") var target: String?
    @Option(help: "Name of the job.") var job: String?
    @Option(help: "Came from or went to this collector.") var collector: String?
    @Option(help: "Reason: \(Reason.allCases.map(\.code).joined(separator: ", ")).") var reason: String?
    @Option(help: "At most this many, from 1 on.") var limit = 1000
    @Option(help: "Form: \(OutputFormat.allCases.map(\.rawValue).joined(separator: ", ")).")
    var output: OutputFormat = .table

    func validate() throws {
        guard limit > 0 else { throw ValidationError("--limit is \(limit); allowed is 1 or more") }
        if let reason, Reason(code: reason) == nil {
            let codes = Reason.allCases.map(\.code)
            throw ValidationError("--reason \(reason) is not known; allowed are \(codes.joined(separator: ", "))")
        }
    }

    func run() async throws {
        let logger = Logger.forCommand()
        let now = Timestamp.now()
        let query = MoveQuery(
            since: since?.timestamp(now: now), until: until?.timestamp(now: now), target: target, job: job,
            collector: collector, reason: reason.flatMap { Reason(code: $0) }, limit: limit)
        let moves = try await LedgerDatabase.open(try .load(database), logger: logger) {
            try await query.run($0, logger: logger)
        }
        Self.report(moves).write(as: output, to: .output)
    }

    static func report(_ moves: [Move]) -> Report {
        Report(
            columns: [
                Column(key: "time", title: "TIME"), Column(key: "revision", title: "REVISION"),
                Column(key: "job", title: "JOB"), Column(key: "address", title: "ADDRESS"),
                Column(key: "from", title: "FROM"), Column(key: "to", title: "TO"),
                Column(key: "reason", title: "REASON"), Column(key: "kind", title: "KIND"),
                Column(key: "partition", title: "PARTITION"), Column(key: "owner_before", title: "OWNER BEFORE"),
                Column(key: "cause", title: "CAUSE"), Column(key: "cause_detail"), Column(key: "identity"),
            ],
            rows: moves.map { move in
                [
                    .text("\(move.at)"), .number(move.revision), .text(move.job), .text(move.address),
                    .optional(move.from), .optional(move.to), .text(move.reason), .optional(kind(move)),
                    move.partition.map { .number(Int64($0)) } ?? .none, .optional(move.ownerBefore),
                    .text(move.cause), .text(move.causeDetail), .text("\(move.identity.rawValue)"),
                ]
            })
    }

    /// Direct when the collector that came or went is the target's own, cascade when the load bound pushed it on; nil
    /// for what is no consequence of a collector.
    private static func kind(_ move: Move) -> String? {
        switch Reason(code: move.reason) {
        case .collectorJoined, .collectorLeft, .collectorNotReady: "direct"
        case .cascadeLoadBound: "cascade"
        default: nil
        }
    }
}
