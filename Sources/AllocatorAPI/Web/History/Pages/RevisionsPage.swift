//
// RevisionsPage.swift: `/history/revisions`: every change of the allocation, newest first.
//

import AllocationCore
import AllocationLedger
import PostgresDriver

enum RevisionsPage {
    static let route = PageRoute(
        path: "/history/revisions",
        parameters: HistoryParameter.window + [
            .init(name: "cause", form: .choice(Cause.allCases.map(\.rawValue)), description: "What triggered it."),
            .init(name: "changes", form: .boolean, description: "Only those that changed targets or collectors."),
            .cursor,
        ]
    ) { asked, connection in
        let question = asked.question
        let latest = try await RecordedBounds.read(connection).latest
        let page = try await RevisionQuery(
            window: try await question.window(connection),
            cause: try question.choice("cause", among: Cause.allCases.map(\.rawValue)).flatMap { Cause(rawValue: $0) },
            changesOnly: try question.boolean("changes", default: false), limit: PageRoute.rowsMax,
            after: try question.cursor(RevisionCursor.self)
        ).run(connection)
        return Page("Revisions", .recordedUpTo(latest), at: .revisions) {
            Tag.section {
                Form.leading(to: Link("/history/revisions"), "Show") {
                    asked.windowFields
                    Form.choice("cause", "Cause", asked.value("cause"), among: Cause.allCases.map(\.rawValue))
                    Form.check("changes", "only with changes", asked.value("changes") == "true")
                }
            }
            Tag.section {
                RevisionParts.table("Revisions, newest first", ifEmpty: "There is none like that.").html(page.items)
                asked.pager(page)
            }
        }
    }
}
