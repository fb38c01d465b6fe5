//
// IncidentDocument.swift: the report of a window as a page of Markdown and as one JSON object.
//

import AllocationLedger

/// Facts and lists, in the order of the page.
package struct IncidentDocument {
    struct Section {
        /// For programs.
        var key: String
        /// For people.
        var title: String
        var report: Report
        /// Said instead of an empty table.
        var ifEmpty: String
    }

    private let incident: IncidentReport
    let facts: Report
    let sections: [Section]

    package init(_ incident: IncidentReport) {
        self.incident = incident
        facts = RowForm.incident.report([incident])
        sections = Self.changes(incident) + Self.troubles(incident)
    }

    private static func changes(_ incident: IncidentReport) -> [Section] {
        [
            Section(
                key: "collector_events", title: "Collectors",
                report: RowForm.collectorEvent.report(incident.collectorEvents),
                ifEmpty: "None came, went or changed."),
            Section(
                key: "revisions_by_cause", title: "Causes",
                report: RowForm.count("cause", "revisions").report(incident.revisionsByCause),
                ifEmpty: "Nothing was recorded."),
            Section(
                key: "events_by_reason", title: "Reasons",
                report: RowForm.count("reason", "targets").report(incident.eventsByReason),
                ifEmpty: "No target changed."),
            Section(
                key: "moves", title: "Moves", report: RowForm.moveCount.report(incident.moves),
                ifEmpty: "No target moved."),
        ]
    }

    private static func troubles(_ incident: IncidentReport) -> [Section] {
        [
            Section(
                key: "longest_without_collector", title: "Longest without a collector",
                report: RowForm.unassigned.report(incident.worstUnassigned),
                ifEmpty: "Every target had one all the time."),
            Section(
                key: "handovers_by_job", title: "Handovers",
                report: RowForm.handoverJob.report(incident.handovers.jobs),
                ifEmpty: "No target went from a collector to another."),
            Section(
                key: "worst_handovers", title: "Longest without an owner, or with two",
                report: RowForm.handoverWorst.report(incident.handovers.worst), ifEmpty: "None is known."),
            Section(
                key: "failed_discoveries", title: "Failed discoveries",
                report: RowForm.discoveryRun.report(incident.failedDiscoveries), ifEmpty: "None."),
            Section(
                key: "gaps", title: "Times without a record", report: RowForm.gap.report(incident.gaps),
                ifEmpty: "None."),
            Section(
                key: "terms", title: "Leaders", report: RowForm.term.report(incident.terms), ifEmpty: "Nobody led."),
        ]
    }

    package func markdown() -> String {
        var text = "# What happened from \(incident.since) to \(incident.until)\n\n\(sentence)\n"
        for section in sections {
            text += "\n## \(section.title)\n\n"
            text += section.report.rows.isEmpty ? "\(section.ifEmpty)\n" : section.report.markdown()
        }
        return text
    }

    private var sentence: String {
        let net = incident.net
        var text = "\(incident.revisions) revisions with \(incident.targetEvents) changes of targets. "
        text += "In the end: \(net.sentence). "
        text +=
            incident.unassignedTargets == 0
            ? "No target was without a collector."
            : "\(incident.unassignedTargets) targets were without a collector, for "
                + "\(Cell.decimal(incident.unassignedSeconds).plain) s in all."
        text += handovers
        if let first = incident.first {
            text += " It began with \(first.sentence)"
        } else {
            text += " It began with nothing"
        }
        return text + (incident.last.map { " and ended with \($0.sentence)." } ?? ".")
    }

    private var handovers: String {
        let handovers = incident.handovers
        guard handovers.moves > 0 else { return "" }
        return
            " Of \(handovers.moves) moves from a collector to another, \(handovers.known) are known from end to end: "
            + "nobody scraped for \(Cell.decimal(handovers.ownerlessSeconds).plain) s, two did for "
            + "\(Cell.decimal(handovers.doublyOwnedSeconds).plain) s."
    }

    package func json() -> [UInt8] {
        func object(_ columns: [Column], _ row: [Cell]) -> [Cell.Member] {
            zip(columns, row).compactMap { column, cell in column.key.map { Cell.Member(key: $0, cell: cell) } }
        }
        var members = facts.rows.flatMap { object(facts.columns, $0) }
        for section in sections {
            let rows = section.report.rows.map { Cell.object(object(section.report.columns, $0)) }
            members.append(Cell.Member(key: section.key, cell: .list(rows)))
        }
        var bytes: [UInt8] = []
        Cell.object(members).appendJSON(to: &bytes)
        return bytes + [UInt8(ascii: "\n")]
    }
}
