//
// RevisionPage.swift: `/history/revision`: one revision: who wrote it, from which inputs, what it changed.
//

import AllocationLedger
import PostgresDriver

enum RevisionPage {
    static let route = PageRoute(
        path: "/history/revision",
        parameters: [
            HistoryParameter(name: "number", form: .revision, description: "Its number.").required(), .cursor,
        ]
    ) { asked, connection in
        let number = try asked.question.revision("number") ?? Revision(0)
        let bounds = try await RecordedBounds.read(connection)
        let summary = try await RevisionQuery.one(number, connection)
        var query = RevisionEventsQuery(of: summary.point, limit: PageRoute.rowsMax)
        let collectors = try await query.collectors(connection)
        query.after = try asked.question.cursor(EventCursor.self)
        let page = try await query.run(connection)
        var configuration: String?
        if let digest = summary.configurationDigest {
            configuration = try await RevisionQuery.configuration(digest, connection)
        }
        return Page("Revision \(number)", .state(summary.point), at: .revisions) {
            Parts.numbers([
                (NumberText.grouped(summary.targetsAdded), "targets added"),
                (NumberText.grouped(summary.targetsRemoved), "removed"),
                (NumberText.grouped(summary.targetsMoved), "moved"),
                (NumberText.grouped(summary.targetsRelabelled), "relabelled"),
                (NumberText.grouped(summary.collectorEvents), "collector events"),
            ])
            Parts.section("Why and by whom") {
                Parts.facts(facts(summary))
                ways(number, bounds)
            }
            if !collectors.isEmpty {
                Parts.section("Collectors") {
                    EventParts.collectorEvents(collectors, "What it did to collectors", ifEmpty: "Nothing.")
                }
            }
            Parts.section("Targets") {
                EventParts.targetEvents(
                    "What it did to targets, in the order of the record", ifEmpty: "It changed no target.",
                    [.target, .labels, .why]
                ).html(page.items)
                asked.pager(page, next: "Next", first: "First")
            }
            Parts.section("Inputs and proof") { proof(summary, configuration) }
        }
    }

    private static func facts(_ summary: RevisionSummary) -> [(name: String, value: HTML?)] {
        [
            ("Cause", EventParts.cause(summary.cause, summary.causeDetail)),
            ("Recorded", TimeText.html(summary.at)), ("Happened", summary.occurredAt.map { TimeText.html($0) }),
            ("Written by", HTML(summary.replicaAddress ?? "a process without an address")),
            ("Process", Parts.name("\(summary.replica)")),
            ("Term", Parts.link("\(summary.epoch)", Link("/history/terms"))),
            (
                "Strategy",
                HTML(summary.strategy + (summary.ringVersion.map { ", ring \($0)" } ?? ""))
            ), ("Note", summary.placementNote.map { HTML($0) }),
            (
                "Collectors (\(summary.members.count))",
                Parts.names(summary.members) { HistoryLink.collector($0) }
            ),
        ]
    }

    private static func ways(_ number: Revision, _ bounds: RecordedBounds) -> HTML {
        Tag.p(.class("pager")) {
            if number > bounds.oldest.revision {
                Parts.button("← \(number.number - 1)", HistoryLink.revision(number.number - 1))
            }
            if number < bounds.latest.revision {
                Parts.button("\(number.number + 1) →", HistoryLink.revision(number.number + 1))
            }
            Parts.button("All targets then", Link("/history/targets", ["at": "\(number)"]))
            if number > bounds.oldest.revision {
                Parts.button(
                    "Difference it made", Link("/history/diff", ["from": "\(number.number - 1)", "to": "\(number)"]))
            }
        }
    }

    private static func proof(_ summary: RevisionSummary, _ configuration: String?) -> HTML {
        HTML {
            Parts.facts([
                ("Change", Parts.name("\(summary.changeID)")),
                ("Configuration", summary.configurationDigest.map { Parts.name("\($0)") }),
                ("Placement rule", Parts.name("\(summary.ringDigest)")),
                ("Events", Parts.name("\(summary.eventsDigest)")),
                ("Revision before", Parts.name("\(summary.previousDigest)")),
                ("This revision", Parts.name("\(summary.digest)")),
            ])
            if let configuration {
                Tag.details {
                    Tag.summary { "The configuration in force, without secrets" }
                    Tag.pre { configuration }
                }
            }
        }
    }
}
