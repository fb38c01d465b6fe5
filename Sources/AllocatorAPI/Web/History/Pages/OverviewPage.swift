//
// OverviewPage.swift: `/history`: where a review begins: what there is now, what moved last, what is wrong.
//

import AllocationLedger
import PostgresDriver

enum OverviewPage {
    static let route = PageRoute(path: "/history", parameters: []) { asked, connection in
        let latest = try await RecordedBounds.read(connection).latest
        asked.settle()
        let collectors = try await CollectorsQuery(at: latest).run(connection)
        let moves = try await MoveQuery(limit: 15).events(connection).items
        let revisions = try await RevisionQuery(changesOnly: true, limit: 10).run(connection).items
        let failing = try await DiscoveryQuery.failingNow(limit: 20, connection)
        let gaps = try await GapQuery(limit: 5).run(connection).items
        return Page("History", .recordedUpTo(latest), at: .history) {
            numbers(latest, collectors)
            questions(latest)
            Parts.section("Latest moves") {
                EventParts.targetEvents(
                    "When and why targets moved, newest first", ifEmpty: "No target has moved yet.",
                    [.time, .revision, .target, .why]
                ).html(moves)
                Tag.p(.class("pager")) { Parts.button("All moves", Link("/history/moves")) }
            }
            Parts.section("Latest revisions") {
                RevisionParts.table("Revisions that changed targets or collectors, newest first").html(revisions)
                Tag.p(.class("pager")) { Parts.button("All revisions", Link("/history/revisions")) }
            }
            troubles(failing, gaps)
        }
    }

    private static func numbers(_ latest: RevisionPoint, _ answer: CollectorsQuery.Answer) -> HTML {
        let present = answer.collectors.filter(\.isPresent)
        return Parts.numbers([
            (NumberText.grouped(answer.targets), "targets"),
            (NumberText.grouped(answer.unassignedTargets), "without a collector"),
            (NumberText.grouped(present.count), "collectors"),
            (NumberText.grouped(present.filter { !$0.isReady }.count), "not ready"),
            (NumberText.grouped(latest.revision.number), "revisions"),
        ])
    }

    private static func questions(_ latest: RevisionPoint) -> HTML {
        Parts.section("Ask") {
            Form.leading(to: Link("/history/targets"), "Find a target") {
                Form.text("address", "An address, or a part of it", "", placeholder: "10.0.3.7", wide: true)
                Form.instant("at", "At", "")
            }
            Tag.h3 { "An incident" }
            Form.leading(to: Link("/history/report"), "Make the report") {
                Form.instant("since", "Since", "")
                Form.instant("until", "Until", "")
            }
        }
    }

    private static func troubles(_ failing: [DiscoveryRun], _ gaps: [Gap]) -> HTML {
        HTML {
            Parts.section("Discovery that fails now") {
                EventParts.discoveryRuns(failing, "Providers whose last result is a failure", ifEmpty: "None.")
            }
            Parts.section("Times without a record") {
                GapsPage.table.html(gaps)
            }
        }
    }
}
