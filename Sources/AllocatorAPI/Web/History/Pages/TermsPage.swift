//
// TermsPage.swift: `/history/terms`: who led, when, and why it ended.
//

import AllocationLedger
import PostgresDriver

enum TermsPage {
    static let route = PageRoute(
        path: "/history/terms", parameters: HistoryParameter.window + HistoryParameter.pageCursor
    ) { asked, connection in
        let latest = try await RecordedBounds.read(connection).latest
        let page = try await TermQuery(
            window: try await asked.question.window(connection), limit: PageRoute.rowsMax,
            after: try asked.question.cursor(RevisionCursor.self)
        ).run(connection)
        return Page("Terms", .recordedUpTo(latest), at: .terms) {
            Tag.section {
                Form.leading(to: Link("/history/terms"), "Show") {
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

    static let table = DataTable<Term>(
        "Who led and could write, newest first", ifEmpty: "Nobody led.",
        [
            .init("Term", number: true) { HTML("\($0.epoch)") }, .init("From") { TimeText.html($0.acquiredAt) },
            .init("To") { term in term.endedAt.map { TimeText.html($0) } ?? Parts.badge("goes on", .good) },
            .init("Address") { Parts.name($0.address) }, .init("Ended because") { Parts.optional($0.endReason) },
            .init("Found revision", number: true) { term in
                term.firstRevision > 0 ? EventParts.revision(term.firstRevision) : HTML("none")
            }, .init("Process") { Parts.name("\($0.holder)") },
        ])
}
