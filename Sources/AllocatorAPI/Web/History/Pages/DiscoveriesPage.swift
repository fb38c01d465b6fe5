//
// DiscoveriesPage.swift: `/history/discoveries`: what discovery found, failures included, newest first.
//

import AllocationLedger
import PostgresDriver

enum DiscoveriesPage {
    static let route = PageRoute(
        path: "/history/discoveries",
        parameters: [
            .job, .init(name: "failed", form: .boolean, description: "Only failures."),
        ] + HistoryParameter.window + HistoryParameter.pageCursor
    ) { asked, connection in
        let latest = try await RecordedBounds.read(connection).latest
        let page = try await DiscoveryQuery(
            job: asked.question.text("job"), window: try await asked.question.window(connection),
            failuresOnly: try asked.question.boolean("failed", default: false), limit: PageRoute.rowsMax,
            after: try asked.question.cursor(InstantCursor.self)
        ).run(connection)
        return Page("Discovery", .recordedUpTo(latest), at: .discoveries) {
            Tag.section {
                Form.leading(to: Link("/history/discoveries"), "Show") {
                    Form.text("job", "Job", asked.value("job"))
                    asked.windowFields
                    Form.check("failed", "only failures", asked.value("failed") == "true")
                }
            }
            Tag.section {
                EventParts.discoveryRuns(
                    page.items, "Equal results in a row, newest first", ifEmpty: "Nothing like that is recorded.")
                asked.pager(page)
            }
        }
    }
}
