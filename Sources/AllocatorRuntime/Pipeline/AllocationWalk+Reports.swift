//
// AllocationWalk+Reports.swift: results of discovery on their way to the ledger.
//
// Those of unchanged rounds wait for each other; of those that come while nothing can be recorded, the last of each
// provider is kept.
//

import AllocationCore
import AllocationLedger
import Discovery

extension AllocationWalk {
    func keep(_ found: [DiscoveryReport]) {
        for report in found { keptReports[report.provider] = report }
    }

    func addKept(_ change: AllocationChange? = nil, _ dropped: [String: Int] = [:]) {
        guard !keptReports.isEmpty else { return }
        add(keptReports.values.sorted { $0.at < $1.at }, change, dropped)
        keptReports = [:]
    }

    func add(_ found: [DiscoveryReport], _ change: AllocationChange?, _ dropped: [String: Int]) {
        var added: [JobNumber: Int] = [:]
        var removed: [JobNumber: Int] = [:]
        for target in change?.targets ?? [] {
            if target.before == nil { added[target.job, default: 0] += 1 }
            if target.after == nil { removed[target.job, default: 0] += 1 }
        }
        let numbers = Dictionary(
            (change?.jobs ?? []).enumerated().map { ($1, JobNumber(rawValue: Int32($0))) },
            uniquingKeysWith: { first, _ in first })
        for report in found {
            for job in report.jobs {
                let number = numbers[job]
                reports.append(
                    DiscoveryReportDraft(
                        job: job, report, added: number.flatMap { added[$0] } ?? 0,
                        removed: number.flatMap { removed[$0] } ?? 0, dropped: dropped[job] ?? 0))
            }
        }
    }

    func sendReports(_ token: FencingToken) async throws {
        guard !reports.isEmpty, !outage.policy.isJournalling,
            reportsSentAt.duration(to: .now) >= settings.reportInterval
        else { return }
        try await writer.record(reports: reports, fencedBy: token)
        reports = []
        reportsSentAt = .now
    }
}
