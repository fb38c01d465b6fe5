//
// JobsPage.swift: `/history/jobs`: the jobs at a moment, and whether their discovery succeeds.
//

import AllocationLedger
import PostgresDriver

enum JobsPage {
    static let route = PageRoute(path: "/history/jobs", parameters: [.at]) { asked, connection in
        let point = try await asked.question.moment().resolve(connection)
        asked.settle()
        let jobs = try await JobsQuery(at: point).run(connection)
        return Page("Jobs", .state(point), at: .jobs) {
            Tag.section {
                Form.leading(to: Link("/history/jobs"), "Show") { Form.instant("at", "At", asked.value("at")) }
            }
            Tag.section { table(jobs, point).html(jobs) }
        }
    }

    private static func table(_ jobs: [JobState], _ point: RevisionPoint) -> DataTable<JobState> {
        let most = Double(jobs.map(\.targets).max() ?? 0)
        return DataTable(
            "Jobs that had a target then, or have a discovery now", ifEmpty: "There was no job.",
            [
                .init("Job") { EventParts.job($0.name) },
                .init("Targets", number: true) { job in
                    Parts.link(
                        NumberText.grouped(job.targets),
                        Link("/history/targets", ["job": job.name, "at": "\(point.revision)"]))
                }, .init("Share") { ShareBar(Double($0.targets), of: most).html },
                .init("Without a collector", number: true) { job in
                    job.unassignedTargets == 0
                        ? HTML("0") : Parts.badge(NumberText.grouped(job.unassignedTargets), .bad)
                },
                .init("Discovery now") { job in
                    guard !job.runs.isEmpty else { return Parts.none }
                    let failed = job.failures.count
                    return failed == 0
                        ? Parts.badge("succeeds", .good)
                        : Parts.badge("\(failed) of \(job.runs.count) fail", .bad)
                },
            ])
    }
}
