//
// GapsPage.swift: `/history/gaps`: periods in which nothing could be recorded.
//

import AllocationLedger
import PostgresDriver

enum GapsPage {
    static let route = PageRoute(
        path: "/history/gaps", parameters: HistoryParameter.window + HistoryParameter.pageCursor
    ) { asked, connection in
        let latest = try await RecordedBounds.read(connection).latest
        let page = try await GapQuery(
            window: try await asked.question.window(connection), limit: PageRoute.rowsMax,
            after: try asked.question.cursor(InstantCursor.self)
        ).run(connection)
        return Page("Gaps", .recordedUpTo(latest), at: .gaps) {
            Tag.section {
                Form.leading(to: Link("/history/gaps"), "Show") {
                    Form.instant("since", "Since", asked.value("since"))
                    Form.instant("until", "Until", asked.value("until"))
                }
            }
            Tag.section {
                table.html(page.items)
                asked.pager(page)
            }
        }
    }

    static let table = DataTable<Gap>(
        "Periods in which nothing could be recorded, newest first", ifEmpty: "None: the record has no gap.",
        [
            .init("From") { TimeText.html($0.from) }, .init("To") { TimeText.html($0.to) },
            .init("For", number: true) { HTML(TimeText.duration(seconds: $0.seconds)) },
            .init("Cause") { Parts.badge($0.cause, .warning) }, .init("Detail") { Parts.optional($0.detail) },
        ])
}
