//
// ReportPage.swift: `/history/report`: an incident on one page, on the screen and on paper.
//

import AllocationCore
import AllocationLedger
import PostgresDriver

enum ReportPage {
    static let route = PageRoute(path: "/history/report", parameters: HistoryParameter.window) { asked, connection in
        let window = try await asked.question.window(connection)
        let until = window.until ?? .now()
        let bounds = try await RecordedBounds.read(connection)
        let latest = bounds.latest
        var since = window.since
        if since == nil {
            // Where much happens the last of it, where little happens a day.
            since = try await PageRoute.recent(until: min(until, latest.at.advanced(by: .seconds(1))), connection).since
        }
        // Otherwise the window is empty, or begins before what is kept.
        if let since, since < min(until, .now()), !bounds.isCompacted || since >= bounds.oldest.at { asked.settle() }
        let report = try await ReportQuery(since: since ?? latest.at, until: until).run(connection)
        return page(report, latest) {
            Tag.section {
                Form.leading(to: Link("/history/report"), "Make the report") {
                    asked.windowFields
                }
            }
        }
    }

    /// - Parameter form: Stands above the report, and not on paper.
    static func page(_ report: IncidentReport, _ latest: RevisionPoint, @HTMLBuilder form: () -> HTML = { HTML() })
        -> Page
    {
        let shows: Page.Shows =
            if let first = report.first, let last = report.last { .between(first, last) } else { .recordedUpTo(latest) }
        return Page("Report", shows, at: .report) {
            form()
            Parts.section("In short") {
                Tag.p(.class("answer")) { sentence(report) }
            }
            Parts.numbers([
                (NumberText.grouped(report.revisions), "revisions"),
                (NumberText.grouped(report.net.moved), "targets elsewhere"),
                (NumberText.grouped(report.net.added), "added"), (NumberText.grouped(report.net.removed), "removed"),
                (NumberText.grouped(report.unassignedTargets), "were without a collector"),
                (TimeText.duration(seconds: report.unassignedSeconds), "without one, all together"),
            ])
            changes(report)
            troubles(report)
        }
    }

    private static func sentence(_ report: IncidentReport) -> HTML {
        HTML {
            "From "
            TimeText.html(report.since)
            " to "
            TimeText.html(report.until)
            ": \(NumberText.counted(report.revisions, "revision")) with "
            "\(NumberText.counted(report.targetEvents, "change")) of targets. In the end: \(report.net.sentence). "
            report.unassignedTargets == 0
                ? "No target was without a collector."
                : "\(NumberText.counted(report.unassignedTargets, "target was", "targets were")) without a collector."
        }
    }

    private static func changes(_ report: IncidentReport) -> HTML {
        HTML {
            Parts.section("Collectors") {
                EventParts.collectorEvents(
                    report.collectorEvents, "Collectors that came, went or changed, oldest first",
                    ifEmpty: "None came, went or changed.")
            }
            Parts.section("Causes and reasons") {
                counts("Revisions by cause", "Cause", "Revisions").html(report.revisionsByCause)
                counts("Changes of targets by reason", "Reason", "Targets").html(report.eventsByReason)
            }
            Parts.section("Moves") { moves.html(report.moves.filter(isMove)) }
            Parts.section("Handovers") { handovers(report.handovers) }
        }
    }

    /// What collectors fetched tells who scraped a target that moved.
    private static func handovers(_ handovers: HandoverSummary) -> HTML {
        guard handovers.moves > 0 else {
            return Tag.p(.class("empty")) { "No target went from a collector to another." }
        }
        return HTML {
            Tag.p {
                "Of \(NumberText.counted(handovers.moves, "move")) from a collector to another, "
                "\(NumberText.grouped(handovers.known)) are known from end to end: "
                "nobody scraped for \(TimeText.duration(seconds: handovers.ownerlessSeconds)), "
                "two did for \(TimeText.duration(seconds: handovers.doublyOwnedSeconds))."
            }
            handoversByJob.html(handovers.jobs)
            worstHandovers.html(handovers.worst)
        }
    }

    private static let handoversByJob = DataTable<HandoverSummary.Job>(
        "Handovers by job", ifEmpty: "What collectors fetched is not known.",
        [
            .init("Job") { EventParts.job($0.job) }, .number("Moves") { $0.moves }, .number("Known") { $0.known },
            .init("Nobody scraped", number: true) { job in seconds(job.ownerlessSeconds, of: job) },
            .init("Two scraped", number: true) { job in seconds(job.doublyOwnedSeconds, of: job) },
        ])

    /// Nothing known is not the same as no time.
    private static func seconds(_ seconds: Double, of job: HandoverSummary.Job) -> HTML {
        job.known > 0 ? HTML(TimeText.duration(seconds: seconds)) : EventParts.handoverUnknown
    }

    private static let worstHandovers = DataTable<HandoverSummary.Worst>(
        "Longest without a collector, or with two",
        ifEmpty: "No move is known to have left a gap, or to have overlapped.",
        [
            .init("Target") { EventParts.target($0.target) }, .init("Time") { TimeText.html($0.at) },
            .init("Revision", number: true) { EventParts.revision($0.revision) },
            .init("From → to") { EventParts.fromTo($0.from, $0.to) },
            .init("Handover") { EventParts.handover($0.handover) },
        ])

    private static func counts(_ caption: String, _ code: String, _ count: String) -> DataTable<IncidentReport.Count> {
        DataTable(
            caption, ifEmpty: "\(caption): none.",
            [.init(code) { Parts.badge($0.code, .plain) }, .number(count) { $0.count }])
    }

    /// What came or went with its discovery is counted among the reasons.
    private static func isMove(_ move: IncidentReport.MoveCount) -> Bool {
        switch Reason(code: move.reason) {
        case .discovered, .vanished, .jobRemoved: false
        default: true
        }
    }

    private static let moves = DataTable<IncidentReport.MoveCount>(
        "The most frequent moves between collectors", ifEmpty: "No target moved from one to another.",
        [
            .init("Reason") { Parts.badge($0.reason, EventParts.tone(Reason(code: $0.reason))) },
            .init("From") { EventParts.collector($0.from) }, .init("To") { EventParts.collector($0.to) },
            .number("Targets") { $0.count },
        ])

    private static let unassigned = DataTable<IncidentReport.Unassigned>(
        "Targets that nobody had for longest", ifEmpty: "Every target had a collector all the time.",
        [
            .init("Target") { EventParts.target($0.target) }, .init("Job") { EventParts.job($0.target.job) },
            .init("For", number: true) { HTML(TimeText.duration(seconds: $0.seconds)) },
            .init("Still so") { $0.isOngoing ? Parts.badge("yes", .bad) : HTML("no") },
        ])

    private static func troubles(_ report: IncidentReport) -> HTML {
        HTML {
            Parts.section("Longest without a collector") { unassigned.html(report.worstUnassigned) }
            Parts.section("Failed discoveries") {
                EventParts.discoveryRuns(
                    report.failedDiscoveries, "Discovery that failed in the window", ifEmpty: "None.")
            }
            Parts.section("Times without a record") { GapsPage.table.html(report.gaps) }
            Parts.section("Leaders") { TermsPage.table.html(report.terms) }
        }
    }
}
