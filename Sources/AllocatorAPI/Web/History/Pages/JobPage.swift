//
// JobPage.swift: `/history/job`: one job: what discovery found, failures included, what changed its targets, and when
// another configuration took effect.
//

import AllocationLedger
import PostgresDriver

enum JobPage {
    private static let discoveriesShown = 15

    static let route = PageRoute(
        path: "/history/job",
        parameters: [
            HistoryParameter(name: "name", form: .text, description: "Its name.").required()
        ] + HistoryParameter.window + HistoryParameter.pageCursor
    ) { asked, connection in
        let name = try asked.question.given(text: "name")
        let latest = try await RecordedBounds.read(connection).latest
        var window = try await asked.question.window(connection)
        let asksAll = window.since != nil
        if !asksAll {
            let end = min(window.until ?? .distantFuture, latest.at.advanced(by: .milliseconds(1)))
            window.since = try await PageRoute.recent(until: end, connection).since
        }
        let runs = try await DiscoveryQuery(job: name, limit: discoveriesShown).run(connection).items
        // Whose discovery has reported is a job.
        if !runs.isEmpty, asked.value("cursor").isEmpty { asked.settle() }
        var changes = HistoryPage<JobRevision, RevisionCursor>(items: [], next: nil)
        do {
            changes = try await JobHistoryQuery(job: name, window: window, limit: PageRoute.rowsMax).revisions(
                after: try asked.question.cursor(RevisionCursor.self), connection)
        } catch HistoryError.unknown(let what) where runs.isEmpty {
            throw HistoryError.unknown(what)
        } catch HistoryError.unknown {
            // Its discovery has never found a target, so there is nothing that could have changed.
        }
        let configurations = try await ConfigurationChangeQuery(limit: 10).run(connection).items
        return Page("Job \(name)", .recordedUpTo(latest), at: .jobs) {
            Parts.section("Discovery") {
                EventParts.discoveryRuns(
                    runs, "Equal results in a row, newest first", ifEmpty: "Nothing is recorded of its discovery.",
                    withJob: false)
                ways(name)
            }
            Parts.section("What changed its targets") {
                Form.leading(to: Link("/history/job"), "Show") {
                    Form.hidden("name", name)
                    asked.windowFields
                }
                if !asksAll, let since = window.since {
                    Tag.p(.class("muted")) {
                        "What is recorded since "
                        TimeText.html(since)
                        "."
                    }
                }
                changesTable.html(changes.items)
                asked.pager(changes)
            }
            Parts.section("Configurations") {
                RevisionParts.table("When another configuration took effect, newest first").html(configurations)
            }
        }
    }

    private static func ways(_ name: String) -> HTML {
        Tag.p(.class("pager")) {
            Parts.button("All results", Link("/history/discoveries", ["job": name]))
            Parts.button("Failures", Link("/history/discoveries", ["job": name, "failed": "true"]))
            Parts.button("Its targets", Link("/history/targets", ["job": name]))
            Parts.button("Its moves", Link("/history/moves", ["job": name]))
        }
    }

    private static let changesTable = DataTable<JobRevision>(
        "Revisions that changed targets of the job, newest first", ifEmpty: "None in this window.",
        [
            .init("Revision", number: true) { EventParts.revision($0.revision) },
            .init("Time") { TimeText.html($0.at) }, .init("Cause") { EventParts.cause($0.cause, $0.causeDetail) },
            .number("Added") { $0.added }, .number("Removed") { $0.removed }, .number("Moved") { $0.moved },
            .number("Relabelled") { $0.relabelled },
        ])
}
