//
// HistoryCommand.swift: what questions about a long history cost.
//

import AllocationCore
import AllocationLedger
import ArgumentParser
import Foundation
import Glibc
import PostgresDriver

/// Questions about ten million events, through the queries that the history API and the commands ask.
struct HistoryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history", abstract: "Questions about a month of ten million events; live events after a commit.")

    @Option(help: "Targets, in thousands.")
    var targets = 500

    @Option(help: "Events, in thousands.")
    var events = 10_000

    @Option(help: "Number of collectors.")
    var collectors = 1000

    @Option(help: "Number of jobs.")
    var jobs = 50

    @Option(help: "Days that the history lasts.")
    var days = 30

    @Option(help: "Runs of each question; of those with a percentile twenty times as many.")
    var runs = 10

    @Option(help: "Revisions whose live event is waited for; 0 leaves it out.")
    var commits = 200

    func run() async throws {
        let history = GeneratedHistory(
            targets: targets * 1000, events: events * 1000, collectors: collectors, jobs: jobs, days: days)
        var table = FigureTable("question", "median", "p99", "most")
        try await BenchmarkCluster.with { cluster in
            try await cluster.withLedger("history") { ledger in
                let start = ContinuousClock.now
                try await history.fill(ledger)
                output("filled in \(secondsText(start.duration(to: .now).seconds))\n")
                let pool = PostgresPool(ledger.configuration, size: 4, logger: BenchmarkCluster.logger)
                try await HistoryQuestions(reader: HistoryReader(pool), history: history, runs: runs).ask {
                    name, times in
                    table.add(
                        name, milliseconds(times.median), milliseconds(times.percentile(99)),
                        milliseconds(times.max() ?? 0))
                }
                await pool.close()
            }
        }
        if commits > 0 {
            let times = try LiveEvents.delays(commits: commits)
            table.add(
                "live event after the revision's time, its commit included", milliseconds(times.median),
                milliseconds(times.percentile(99)), milliseconds(times.max() ?? 0))
        }
        table.write()
    }
}

/// The questions, each asked in a snapshot of its own, as a request is.
private struct HistoryQuestions {
    let reader: HistoryReader
    let history: GeneratedHistory
    let runs: Int

    private func measure<T: Sendable>(
        _ runs: Int, _ body: @Sendable (Int, isolated PostgresConnection) async throws -> T
    ) async throws -> [Double] {
        var times: [Double] = []
        for run in 0..<runs + 10 {
            let start = ContinuousClock.now
            _ = try await reader.read(deadline: .now + .seconds(300)) { try await body(run, $0) }
            // The first ones open the sessions and warm their plans.
            if run >= 10 || runs < 10 { times.append(start.duration(to: .now).seconds) }
        }
        return times
    }

    func ask(_ add: (String, [Double]) -> Void) async throws {
        // The ends of half days: those of whole days have a snapshot, those between are as far from one as can be.
        let halves = try await reader.read { connection in
            var points: [RevisionPoint] = []
            for half in 0...2 * history.days {
                let number = 1 + Int64((history.revisions - 1) * half / (2 * history.days))
                points.append(try await Instant.revision(Revision(number)).resolve(connection))
            }
            return points
        }
        let points = halves.enumerated().filter { $0.offset % 2 == 0 }.map(\.element)
        let identities = try await reader.read { connection in
            try await connection.query("SELECT identity FROM ledger.target WHERE id % 977 = 5 ORDER BY id").map {
                TargetIdentity(rawValue: UInt64(bitPattern: try $0.decode(0, as: Int64.self)))
            }
        }
        let (latest, dayAgo) = (points[history.days], points[history.days - 1])
        let (middle, afterMiddle) = (halves[history.days / 2 * 2 + 1], halves[history.days / 2 * 2 + 3])

        add(
            "history of one target",
            try await measure(runs * 20) { run, connection in
                // Far from each other, so that little of one helps the next.
                let identity = identities[run * 61 % identities.count]
                return try await TargetHistoryQuery(.endpointOf(identity, job: nil)).run(connection)
            })
        add(
            "moves of a window, 1,000",
            try await measure(runs * 20) { run, connection in
                let day = points[1 + run % history.days]
                return try await MoveQuery(since: points[run % history.days].at, until: day.at, limit: 1000).run(
                    connection)
            })
        add(
            "why a target is where it is",
            try await measure(runs * 20) { run, connection in
                try await WhyQuery(identity: identities[run * 61 % identities.count], at: middle).run(connection)
            })
        for (name, point) in [("now", latest), ("a day ago", dayAgo), ("in the middle", middle)] {
            add(
                "state of all \(history.targets) targets \(name)",
                try await measure(runs) { _, connection in try await StateStream(at: point).run(connection) { _ in } })
            add(
                "first 1,000 targets of the state \(name)",
                try await measure(runs) { _, connection in try await StateQuery(at: point, limit: 1000).run(connection)
                })
        }
        for (name, from, to) in [("until now", dayAgo, latest), ("in the middle", middle, afterMiddle)] {
            add(
                "difference over a day \(name), first 1,000",
                try await measure(runs) { _, connection in try await DiffQuery(from: from, to: to).run(connection) })
            add(
                "difference over a day \(name), counted",
                try await measure(runs) { _, connection in try await DiffQuery(from: from, to: to).counts(connection) })
            let since = Timestamp(microsecondsSince1970: to.at.microsecondsSince1970 - 12 * 3_600_000_000)
            add(
                "report over a night of 12 h \(name)",
                try await measure(runs) { _, connection in
                    try await ReportQuery(since: since, until: to.at).run(connection)
                })
        }
    }
}
