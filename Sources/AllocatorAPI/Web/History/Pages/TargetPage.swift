//
// TargetPage.swift: `/history/target`: the whole life of a target's endpoint, across its identities: a time line of who
// had it, and every event.
//

import AllocationCore
import AllocationLedger
import PostgresDriver

enum TargetPage {
    /// Events that one page draws and lists.
    private static let eventsMax = 200

    static let route = PageRoute(
        path: "/history/target",
        parameters: [
            HistoryParameter(name: "identity", form: .identity, description: "The target's identity.").required(), .job,
        ] + HistoryParameter.window + HistoryParameter.pageCursor
    ) { asked, connection in
        guard let identity = try asked.question.identity("identity") else {
            throw ProblemDetails.badParameter("identity", "is missing")
        }
        let job = asked.question.text("job")
        let latest = try await RecordedBounds.read(connection).latest
        let window = try await asked.question.window(connection)
        let cursor = try asked.question.cursor(RevisionCursor.self)
        let answer = try await TargetHistoryQuery(
            .endpointOf(identity, job: job), window: window, limit: eventsMax, after: cursor
        ).run(connection)
        let page = answer.page
        let target = answer.targets.first { $0.identity == identity } ?? answer.targets[0]
        // Whoever goes by the endpoint now.
        let present = page.items.first { !$0.kinds.contains(.vanished) }?.target ?? target
        let decision = try await WhyQuery(identity: present.identity, job: present.job, at: latest).run(connection)
        let isNewest = cursor == nil && window.until == nil
        let story = TargetStory(
            page.items, isWhole: page.next == nil && window.since == nil,
            until: isNewest ? max(latest.at, .now()) : page.items.first?.at ?? latest.at)
        let name = target.address.isEmpty ? "\(target.identity.rawValue)" : target.address
        return Page("Target \(name)", .recordedUpTo(latest), at: .targets) {
            Parts.section("Now") { now(decision, target, answer.targets) }
            Parts.section("Who had it when") {
                drawing(story, name, page)
            }
            Parts.section("What happened") {
                EventParts.targetEvents(
                    "All of its events, newest first", ifEmpty: "Nothing happened to it in this window.",
                    [.time, .revision, .handover, .labels, .why]
                ).html(page.items)
                asked.pager(page)
            }
            if let labels = decision.labels { labelSection(labels, latest) }
        }
    }

    private static func now(
        _ decision: Decision, _ target: RecordedTarget, _ targets: [RecordedTarget]
    ) -> HTML {
        HTML {
            Tag.p(.class("answer")) { decision.sentence }
            Parts.facts([
                ("Job", EventParts.job(target.job)),
                (
                    "Collector",
                    decision.isPresent ? EventParts.collector(decision.collector) : Parts.badge("gone", .bad)
                ),
                (
                    targets.count == 1 ? "Identity" : "Identities (\(targets.count))",
                    Parts.names(targets.map { "\($0.identity.rawValue)" }, shown: 4)
                ),
            ])
            Tag.h3 { "Who had it then?" }
            Form.leading(to: Link("/history/why"), "Show") {
                Form.hidden("target", "\(decision.target.identity.rawValue)")
                Form.hidden("job", target.job)
                Form.instant("at", "At", "")
            }
        }
    }

    private static func drawing(
        _ story: TargetStory, _ name: String, _ page: HistoryPage<TargetEvent, RevisionCursor>
    ) -> HTML {
        HTML {
            if page.items.isEmpty {
                Tag.p(.class("empty")) { "Nothing happened to it in this window." }
            } else {
                Tag.div(.class("scroll"), .focusable, .role("region"), .ariaLabel("Time line")) {
                    story.chart.html(id: "story", title: "Who had \(name) when")
                }
                key(story)
                if page.next != nil {
                    Tag.p(.class("muted")) { "Drawn are the \(page.items.count) events of this page." }
                }
            }
        }
    }

    private static func key(_ story: TargetStory) -> HTML {
        var entries: [(swatch: String, text: String)] = [("held", "a collector had it")]
        if story.chart.tenures.contains(where: { $0.holder == nil }) { entries.append(("nobody", "no collector")) }
        if story.chart.identities.count > 1 {
            entries.append(("identity", "an identity"))
            entries.append(("good", "the next identity, or something came"))
        } else {
            entries.append(("good", "something came"))
        }
        entries.append(("nobody", "something went"))
        entries.append(("identity", "labels changed, or the load bound"))
        return Tag.ul(.class("key")) { entries.map { keyEntry($0.swatch, $0.text) } }
    }

    private static func keyEntry(_ swatch: String, _ text: String) -> HTML {
        Tag.li {
            Tag.span(.class("swatch \(swatch)"), .ariaHidden)
            text
        }
    }

    private static func labelSection(_ labels: RecordedLabels, _ point: RevisionPoint) -> HTML {
        Parts.section("Labels") {
            DataTable<RecordedLabel>(
                "Its labels at revision \(point.revision)", ifEmpty: "It has none.",
                [.init("Label") { Parts.name($0.name) }, .init("Value") { Parts.name($0.value) }]
            ).html(labels.pairs)
        }
    }
}
