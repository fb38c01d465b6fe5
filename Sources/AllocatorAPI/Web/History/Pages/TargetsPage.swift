//
// TargetsPage.swift: `/history/targets`: which targets there were at a moment and who had them, found by labels, job,
// collector or address.
//

import AllocationCore
import AllocationLedger
import PostgresDriver

enum TargetsPage {
    static let route = PageRoute(
        path: "/history/targets",
        parameters: [
            .at, .job, .collector, .address, .match,
            .init(name: "unassigned", form: .boolean, description: "Only targets that no collector had."), .cursor,
        ]
    ) { asked, connection in
        let question = asked.question
        let cursor = try question.cursor(TargetCursor.self)
        // A page belongs to the revision of the first one, whatever has been recorded since.
        let point: RevisionPoint
        if let first = cursor?.revisions.first, !question.has("at") {
            point = try await Instant.revision(Revision(first)).resolve(connection)
        } else {
            point = try await question.moment().resolve(connection)
        }
        var holder = question.text("collector").map { StateQuery.Holder.collector($0) }
        if try question.boolean("unassigned", default: false) {
            guard holder == nil else {
                throw ProblemDetails.badParameter("unassigned", "and collector cannot both be given")
            }
            holder = .nobody
        }
        let selection = try question.selection()
        asked.settle()
        let page = try await StateQuery(
            at: point, job: question.text("job"), holder: holder, address: question.text("address"),
            selection: selection, withLabels: false, limit: PageRoute.rowsMax, after: cursor
        ).run(connection)
        var others: [RecordedTarget] = []
        if page.items.isEmpty, let address = question.text("address") {
            others = try await TargetLookup.search(
                address: address, job: question.text("job"), limit: PageRoute.rowsMax, connection)
        }
        return Page("Targets", .state(point), at: .targets) {
            Tag.section { form(asked) }
            Tag.section {
                table(point).html(page.items)
                asked.pager(page, next: "Next", first: "First")
            }
            if !others.isEmpty {
                Parts.section("Recorded at other times") { recorded.html(others) }
            }
        }
    }

    private static func form(_ asked: PageQuestion) -> HTML {
        Form.leading(to: Link("/history/targets"), "Show") {
            Form.text(
                "match[]", "Labels", asked.value("match[]"), placeholder: "{job=\"shop\",pod=~\"web-.*\"}", wide: true)
            Form.text("address", "Part of the address", asked.value("address"))
            Form.text("job", "Job", asked.value("job"))
            Form.text("collector", "Collector", asked.value("collector"))
            Form.instant("at", "At", asked.value("at"))
            Form.check("unassigned", "only without a collector", asked.value("unassigned") == "true")
        }
    }

    private static func table(_ point: RevisionPoint) -> DataTable<TargetAssignment> {
        DataTable(
            "Targets and who had them", ifEmpty: "No such target was there then.",
            [
                .init("Target") { EventParts.target($0.target) }, .init("Job") { EventParts.job($0.target.job) },
                .init("Collector") { EventParts.collector($0.collector) },
                .init("Identity") { Parts.name("\($0.target.identity.rawValue)") },
                .init("") { item in
                    Parts.link(
                        "why",
                        HistoryLink.why(item.target.identity, job: item.target.job, at: "\(point.revision)"))
                },
            ])
    }

    private static let recorded = DataTable<RecordedTarget>(
        "Targets with that address that were not there then", ifEmpty: "",
        [
            .init("Target") { EventParts.target($0) }, .init("Job") { EventParts.job($0.job) },
            .init("Identity") { Parts.name("\($0.identity.rawValue)") },
        ])
}
