//
// MovesPage.swift: `/history/moves`: when and why targets came to another collector, newest first.
//

import AllocationCore
import AllocationLedger
import PostgresDriver

enum MovesPage {
    static let route = PageRoute(
        path: "/history/moves",
        parameters: HistoryParameter.window + [
            .init(name: "target", form: .text, description: "A part of the address."), .identity, .job, .collector,
            .init(name: "reason", form: .choice(Reason.allCases.map(\.code)), description: "Why it moved."), .match,
            .cursor,
        ]
    ) { asked, connection in
        let question = asked.question
        let latest = try await RecordedBounds.read(connection).latest
        let window = try await question.window(connection)
        let query = MoveQuery(
            since: window.since, until: window.until, target: question.text("target"),
            identity: try question.identity("identity"), job: question.text("job"),
            collector: question.text("collector"),
            reason: try question.choice("reason", among: Reason.allCases.map(\.code)).flatMap { Reason(code: $0) },
            selection: try question.selection(), limit: PageRoute.rowsMax,
            after: try question.cursor(EventCursor.self))
        // A cursor may point at what is gone.
        if query.after == nil { asked.settle() }
        let page = try await query.events(connection)
        return Page("Moves", .recordedUpTo(latest), at: .moves) {
            Tag.section { form(asked) }
            Tag.section {
                EventParts.targetEvents(
                    "When and why targets moved, newest first", ifEmpty: "No target moved so.",
                    [.time, .revision, .target, .handover, .why]
                ).html(page.items)
                asked.pager(page)
            }
        }
    }

    private static func form(_ asked: PageQuestion) -> HTML {
        Form.leading(to: Link("/history/moves"), "Show") {
            asked.windowFields
            Form.text("target", "Part of the address", asked.value("target"))
            Form.text("job", "Job", asked.value("job"))
            Form.text("collector", "Collector", asked.value("collector"))
            Form.choice("reason", "Reason", asked.value("reason"), among: Reason.allCases.map(\.code))
            Form.text(
                "match[]", "Labels", asked.value("match[]"), placeholder: "{env=\"prod\",pod=~\"web-.*\"}", wide: true)
        }
    }
}
