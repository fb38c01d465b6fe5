//
// ReportPlan.swift: folds discovery results into runs of equal results.
//
// A provider that finds the same targets every minute is one row that grows, not 1,440 a day. The open run of each
// provider lives in ledger.discovery_run and may be updated; a run that ended is appended to ledger.discovery_report
// and never touched again. A failure is a run of its own: it is never folded into an empty result.
//

import PostgresDriver

/// Which provider of which job.
struct ReportKey: Hashable, Sendable {
    let job: String
    let provider: String
    let source: String
}

/// A run of equal results that goes on.
struct OpenRun: Sendable {
    var firstAt: Timestamp
    var rounds: Int64
    /// The latest result.
    var report: DiscoveryReportDraft
    var revision: Int64

    /// Whether `next` is the same result again.
    func isContinued(by next: DiscoveryReportDraft) -> Bool {
        report.succeeded == next.succeeded && report.error == next.error && report.targets == next.targets
            && next.added == 0 && next.removed == 0
    }
}

/// The statements that record some reports, and the runs as they are afterwards.
struct ReportPlan: Sendable {
    var statements: [SQL] = []
    var runs: [ReportKey: OpenRun] = [:]
}

extension LedgerWriter {
    /// - Parameter revision: The revision in force after these reports.
    func plan(_ reports: [DiscoveryReportDraft], revision: Int64) -> ReportPlan {
        var plan = ReportPlan()
        var ended: [OpenRun] = []
        for var report in reports {
            // What was found on a day that is sealed, and could not be recorded then, counts from the day's end.
            report.at = max(report.at, runsBeginAt)
            let key = ReportKey(job: report.job, provider: report.provider, source: report.source)
            if var run = plan.runs[key] ?? openRuns[key] {
                if run.isContinued(by: report) {
                    run.rounds += 1
                    // Counts of the round that began the run stay; only time goes on.
                    run.report.at = report.at
                    run.report.durationSeconds = report.durationSeconds
                    plan.runs[key] = run
                    continue
                }
                ended.append(run)
            }
            plan.runs[key] = OpenRun(firstAt: report.at, rounds: 1, report: report, revision: revision)
        }
        if !ended.isEmpty { plan.statements.append(Self.insert(ended, into: "ledger.discovery_report")) }
        if !plan.runs.isEmpty {
            plan.statements.append(
                Self.insert(
                    Array(plan.runs.values), into: "ledger.discovery_run",
                    suffix: """
                         ON CONFLICT (job, provider, source) DO UPDATE SET first_at = excluded.first_at, \
                        last_at = excluded.last_at, outcome = excluded.outcome, targets = excluded.targets, \
                        added = excluded.added, removed = excluded.removed, \
                        dropped_by_relabelling = excluded.dropped_by_relabelling, error = excluded.error, \
                        duration = excluded.duration, rounds = excluded.rounds, revision = excluded.revision
                        """))
        }
        return plan
    }

    /// Takes the runs as they are once `reports` are committed.
    func noteRuns(_ reports: [DiscoveryReportDraft]) {
        openRuns.merge(plan(reports, revision: head?.revision.number ?? 0).runs) { _, new in new }
    }

    private static func insert(_ runs: [OpenRun], into table: String, suffix: String = "") -> SQL {
        """
        INSERT INTO \(unsafeSQL: table) (first_at, last_at, job, provider, source, outcome, targets, added, removed, \
        dropped_by_relabelling, error, duration, rounds, revision) SELECT * FROM unnest(\(runs.map(\.firstAt)), \
        \(runs.map(\.report.at)), \(runs.map(\.report.job)), \(runs.map(\.report.provider)), \
        \(runs.map(\.report.source)), \(runs.map { $0.report.succeeded ? "succeeded" : "failed" }), \
        \(runs.map { Int32($0.report.targets) }), \(runs.map { Int32($0.report.added) }), \
        \(runs.map { Int32($0.report.removed) }), \(runs.map { Int32($0.report.droppedByRelabelling) }), \
        \(runs.map(\.report.error)), \(runs.map(\.report.durationSeconds)), \(runs.map(\.rounds)), \
        \(runs.map(\.revision)))\(unsafeSQL: suffix)
        """
    }
}
