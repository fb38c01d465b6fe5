//
// DiffPage.swift: `/history/diff`: what differs between two instants, target by target.
//

import AllocationLedger
import PostgresDriver

enum DiffPage {
    static let route = PageRoute(
        path: "/history/diff",
        parameters: [
            HistoryParameter(name: "from", form: .instant, description: "A time or a revision."),
            HistoryParameter(
                name: "to", form: .instant, description: "A time or a revision; the latest when left out."),
            .job, .collector, .cursor,
        ]
    ) { asked, connection in
        let question = asked.question
        let latest = try await RecordedBounds.read(connection).latest
        guard let first = try question.instant("from") else {
            return Page("Diff", .recordedUpTo(latest), at: .diff) {
                Tag.section {
                    Tag.p { "Name two moments: times, or revisions. Without the second it is the latest revision." }
                    form(asked)
                }
            }
        }
        let cursor = try question.cursor(TargetCursor.self)
        let from = try await first.resolve(connection)
        let to: RevisionPoint
        if let second = cursor?.revisions.dropFirst().first, !question.has("to") {
            to = try await Instant.revision(Revision(second)).resolve(connection)
        } else {
            to = try await (try question.instant("to") ?? .latest).resolve(connection)
        }
        asked.settle()
        let query = DiffQuery(
            from: from, to: to, job: question.text("job"), collector: question.text("collector"),
            limit: PageRoute.rowsMax, after: cursor)
        let isNarrowed = question.has("job") || question.has("collector")
        let counts = isNarrowed || cursor != nil ? nil : try await query.counts(connection)
        let page = try await query.run(connection)
        return Page("Diff", .between(from, to), at: .diff) {
            Tag.section { form(asked) }
            if let counts { numbers(counts) }
            Tag.section {
                table(from, to).html(page.items)
                asked.pager(page, next: "Next", first: "First")
            }
        }
    }

    private static func form(_ asked: PageQuestion) -> HTML {
        Form.leading(to: Link("/history/diff"), "Compare") {
            Form.instant("from", "From", asked.value("from"))
            Form.instant("to", "To", asked.value("to"))
            Form.text("job", "Job", asked.value("job"))
            Form.text("collector", "Collector", asked.value("collector"))
        }
    }

    private static func numbers(_ counts: DifferenceCounts) -> HTML {
        Parts.numbers([
            (NumberText.grouped(counts.added), "added"), (NumberText.grouped(counts.removed), "removed"),
            (NumberText.grouped(counts.moved), "moved"), (NumberText.grouped(counts.relabelled), "relabelled"),
            (NumberText.grouped(counts.events), "events between"),
        ])
    }

    private static func table(_ from: RevisionPoint, _ to: RevisionPoint) -> DataTable<TargetDifference> {
        DataTable(
            "Targets that differ: the net, whatever happened between", ifEmpty: "Nothing differs.",
            [
                .init("Target") { EventParts.target($0.target) }, .init("Job") { EventParts.job($0.target.job) },
                .init("Difference") { difference in
                    HTML {
                        for code in difference.kinds.codes {
                            Parts.badge(
                                code, code == "added" ? .good : code == "removed" ? .bad : .normal)
                            " "
                        }
                    }
                },
                .init("At \(from.revision)") { difference in
                    difference.kinds.contains(.added) ? Parts.none : EventParts.collector(difference.from)
                },
                .init("At \(to.revision)") { difference in
                    difference.kinds.contains(.removed) ? Parts.none : EventParts.collector(difference.to)
                },
                .number("Events") { $0.events }, .init("Labels") { EventParts.labels($0.labels) },
            ])
    }
}
