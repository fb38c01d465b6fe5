//
// CollectorPage.swift: `/history/collector`: one collector: when it was there, on what evidence, and how many targets it
// had over time.
//

import AllocationLedger
import PostgresDriver

enum CollectorPage {
    static let route = PageRoute(
        path: "/history/collector",
        parameters: [
            HistoryParameter(name: "name", form: .text, description: "Its name.").required()
        ] + HistoryParameter.window + HistoryParameter.pageCursor
    ) { asked, connection in
        let name = try asked.question.given(text: "name")
        let latest = try await RecordedBounds.read(connection).latest
        var window = try await asked.question.window(connection)
        let until = window.until ?? max(latest.at, window.since ?? latest.at).advanced(by: .milliseconds(1))
        let asksAll = window.since != nil
        if !asksAll { window = try await PageRoute.recent(until: until, connection) }
        window.until = until
        var listed = CollectorHistoryQuery(name: name, limit: PageRoute.rowsMax)
        let events = try await listed.events(after: try asked.question.cursor(EventCursor.self), connection)
        asked.settle()
        let query = CollectorHistoryQuery(name: name, window: window, limit: PageLimit.rowsMax)
        let loads = try await query.load(connection).items
        listed.window = window
        let marks = try await listed.events(connection).items
        let now = try await state(of: name, at: latest, connection)
        // Where nothing came or went in the window, it had all the time what it had at its end.
        var atEnd = now
        if loads.isEmpty, until < latest.at {
            atEnd = try await state(of: name, at: try await Instant.time(until).resolve(connection), connection)
        }
        return Page("Collector \(name)", .recordedUpTo(latest), at: .collectors) {
            Parts.section("Now") { state(name, now, latest) }
            Parts.section("Targets over time") {
                Form.leading(to: Link("/history/collector"), "Show") {
                    Form.hidden("name", name)
                    asked.windowFields
                }
                chart(name, loads, marks, asksAll ? window : Self.fitted(window, loads), before(loads, atEnd))
                loadTable(loads)
            }
            Parts.section("Membership") {
                EventParts.collectorEvents(
                    events.items, "When it joined, left or changed, newest first",
                    ifEmpty: "Nothing is recorded of it.", withName: false)
                asked.pager(events)
            }
        }
    }

    private static func state(_ name: String, _ collector: CollectorState?, _ latest: RevisionPoint) -> HTML {
        HTML {
            Parts.facts([
                ("State", collector.map { CollectorsPage.state($0) } ?? Parts.badge("left", .bad)),
                ("Targets", HTML(NumberText.grouped(collector?.targets ?? 0))),
                ("Node", collector?.node.map { HTML($0) }), ("Incarnation", collector?.uid.map { HTML($0) }),
                ("Joined", collector?.joined.map { TimeText.html($0.at) }),
                ("Evidence", collector?.evidence.map { HTML($0) }),
            ])
            Tag.p(.class("pager")) {
                Parts.button("Its targets", Link("/history/targets", ["collector": name]))
                Parts.button("Its moves", Link("/history/moves", ["collector": name]))
            }
        }
    }

    private static func state(
        of name: String, at point: RevisionPoint, _ connection: isolated PostgresConnection
    ) async throws -> CollectorState? {
        try await CollectorsQuery(at: point).run(connection).collectors.first { $0.name == name }
    }

    /// Begins shortly before the first change of a collector that had nothing when the window began.
    private static func fitted(_ window: HistoryWindow, _ loads: [LoadPoint]) -> HistoryWindow {
        guard let first = loads.last, first.targets - first.gained + first.lost == 0, let until = window.until else {
            return window
        }
        let margin = until.since(first.at) / 20
        return HistoryWindow(since: first.at.advanced(by: .zero - margin), until: until)
    }

    /// What it had when the window began.
    private static func before(_ loads: [LoadPoint], _ atEnd: CollectorState?) -> Double {
        Double(loads.last.map { $0.targets - $0.gained + $0.lost } ?? atEnd?.targets ?? 0)
    }

    private static func chart(
        _ name: String, _ loads: [LoadPoint], _ events: [CollectorEvent], _ window: HistoryWindow, _ before: Double
    ) -> HTML {
        let oldestFirst = loads.reversed().map { LoadChart.Point(at: $0.at, value: Double($0.targets)) }
        let chart = LoadChart(
            from: window.since ?? .distantPast, to: window.until ?? .distantFuture, before: before, points: oldestFirst,
            marks: events.map { event in
                LaneChart.Mark(
                    at: event.at, tone: event.kind == "left" || event.kind == "not_ready" ? .bad : .good,
                    text: "\(TimeText.short(event.at)): \(event.kind)", link: HistoryLink.revision(event.revision))
            })
        return Tag.div(.class("scroll"), .focusable, .role("region"), .ariaLabel("Targets over time")) {
            chart.html(id: "load", title: "Targets of collector \(name) over time")
        }
    }

    private static let rowsShown = 15

    private static func loadTable(_ loads: [LoadPoint]) -> HTML {
        DataTable<LoadPoint>(
            loads.count > rowsShown ? "The latest \(rowsShown) of \(loads.count) changes" : "Its changes, newest first",
            ifEmpty: "Nothing came or went in this window.",
            [
                .init("Time") { TimeText.html($0.at) },
                .init("Revision", number: true) { EventParts.revision($0.revision) },
                .number("Targets") { $0.targets }, .number("Came") { $0.gained }, .number("Went") { $0.lost },
            ]
        ).html(Array(loads.prefix(rowsShown)))
    }
}
