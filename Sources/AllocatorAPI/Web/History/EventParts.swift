//
// EventParts.swift: how pages show what happened to targets, collectors and discovery.
//

import AllocationCore
import AllocationLedger
import PostgresDriver

enum EventParts {
    // MARK: Words

    static func collector(_ name: String?) -> HTML {
        guard let name else { return Parts.badge("none", .bad) }
        return Tag.a(.href(HistoryLink.collector(name))) { Parts.name(name) }
    }

    static func job(_ name: String) -> HTML {
        Tag.a(.href(HistoryLink.job(name))) { Parts.name(name) }
    }

    static func target(_ target: RecordedTarget) -> HTML {
        Tag.a(.href(HistoryLink.target(target))) {
            Parts.name(target.address.isEmpty ? "\(target.identity.rawValue)" : target.address)
        }
    }

    static func revision(_ number: Int64) -> HTML { Parts.link("\(number)", HistoryLink.revision(number)) }

    static func kinds(_ kinds: TargetEventKinds) -> HTML {
        HTML {
            for code in kinds.codes {
                Parts.badge(code, tone(code))
                " "
            }
        }
    }

    /// One endpoint that goes on under another identity: it did not come, and it did not go.
    static func isSameStory(_ event: TargetEvent) -> Bool { event.continues != nil || event.continuedBy != nil }

    private static func whatAndWhy(_ event: TargetEvent) -> HTML {
        guard isSameStory(event) else {
            return HTML {
                kinds(event.kinds)
                reason(event)
            }
        }
        return HTML {
            Parts.badge("relabelled", .special)
            if let before = event.continues {
                Tag.small { " was \(before.rawValue)" }
            } else if let after = event.continuedBy {
                Tag.small { " becomes \(after.rawValue)" }
            }
        }
    }

    /// One upon the other: a column less, which a narrow screen is grateful for.
    private static func stacked(_ first: HTML, _ second: HTML) -> HTML {
        HTML {
            Tag.div { first }
            Tag.div { second }
        }
    }

    private static func fromTo(_ event: TargetEvent) -> HTML {
        if event.kinds.contains(.vanished) { return stacked(collector(event.from), arrow(to: HTML("gone"))) }
        if event.kinds.contains(.discovered) { return arrow(to: collector(event.to)) }
        if event.from == event.to { return collector(event.to) }
        return fromTo(event.from, event.to)
    }

    static func fromTo(_ from: String?, _ to: String?) -> HTML { stacked(collector(from), arrow(to: collector(to))) }

    private static func arrow(to place: HTML) -> HTML {
        HTML {
            "→ "
            place
        }
    }

    private static func tone(_ code: String) -> Parts.Tone {
        switch code {
        case "vanished", "unassigned": .bad
        case "discovered", "assigned": .good
        case "relabelled": .special
        default: .normal
        }
    }

    static func reason(_ event: TargetEvent) -> HTML {
        HTML {
            // What happened often says already why.
            if !event.kinds.codes.contains(event.reason) {
                Parts.badge(event.reason, tone(Reason(code: event.reason)))
            }
        }
    }

    static func tone(_ reason: Reason?) -> Parts.Tone {
        switch reason {
        case .collectorLeft, .collectorNotReady, .noCollector, .vanished, .jobRemoved: .bad
        case .discovered, .collectorJoined: .good
        case .cascadeLoadBound, .labelsChanged: .special
        case .nodeChanged, .strategyChanged, .rebalanced, .drained, nil: .warning
        }
    }

    static func cause(_ cause: String, _ detail: String) -> HTML {
        HTML {
            Parts.badge(cause, .plain)
            if !detail.isEmpty {
                " "
                Tag.span(.class("detail")) { detail }
            }
        }
    }

    static func collectorKind(_ kind: String) -> HTML {
        switch kind {
        case "left", "not_ready": Parts.badge(kind, .bad)
        case "joined", "ready": Parts.badge(kind, .good)
        default: Parts.badge(kind, .warning)
        }
    }

    /// How long nobody scraped a target that went from one collector to another, and how long both did.
    static func handover(_ event: TargetEvent) -> HTML {
        guard event.from != nil, event.to != nil, event.from != event.to else { return Parts.none }
        return handover(event.handover)
    }

    /// One of the two collectors has fetched nothing that tells it.
    static let handoverUnknown = Tag.span(.class("muted")) { "not known yet" }

    static func handover(_ handover: Handover) -> HTML {
        guard let ownerless = handover.ownerlessSeconds, let double = handover.doublyOwnedSeconds else {
            return handoverUnknown
        }
        func line(_ seconds: Double, _ what: String) -> HTML {
            Tag.span(seconds > 0 ? nil : .class("muted")) { "\(TimeText.duration(seconds: seconds)) \(what)" }
        }
        return stacked(line(ownerless, "without a collector"), line(double, "with two"))
    }

    static func labels(_ difference: LabelDifference?) -> HTML {
        guard let difference, !difference.isEmpty else { return Parts.none }
        return Tag.ul(.class("labels")) {
            for change in difference.changed {
                Tag.li { Parts.name("\(change.name): \(change.before) → \(change.after)") }
            }
            for label in difference.added { Tag.li(.class("new")) { Parts.name("+ \(label.name)=\(label.value)") } }
            for label in difference.removed { Tag.li(.class("gone")) { Parts.name("− \(label.name)=\(label.value)") } }
        }
    }

    // MARK: Tables

    enum TargetColumn {
        case time, revision, target, handover, labels, why
    }

    static func targetEvents(
        _ caption: String, ifEmpty: String, _ wanted: Set<TargetColumn>
    ) -> DataTable<TargetEvent> {
        var columns: [DataTable<TargetEvent>.Column] = []
        if wanted.contains(.time) { columns.append(.init("Time") { TimeText.html($0.at) }) }
        if wanted.contains(.revision) { columns.append(.init("Revision", number: true) { revision($0.revision) }) }
        if wanted.contains(.target) {
            columns.append(
                .init("Target and job") { event in
                    stacked(target(event.target), Tag.small { job(event.target.job) })
                })
        }
        columns += [.init("From → to") { fromTo($0) }, .init("What and why") { whatAndWhy($0) }]
        if wanted.contains(.handover) { columns.append(.init("Handover") { handover($0) }) }
        if wanted.contains(.revision) { columns.append(.init("Cause") { cause($0.cause, $0.causeDetail) }) }
        if wanted.contains(.labels) { columns.append(.init("Labels") { labels($0.labels) }) }
        if wanted.contains(.why) {
            columns.append(
                .init("") { event in
                    Parts.link(
                        "why",
                        HistoryLink.why(event.target.identity, job: event.target.job, at: "\(event.revision)"))
                })
        }
        return DataTable(caption, ifEmpty: ifEmpty, columns)
    }

    static func collectorEvents(
        _ events: [CollectorEvent], _ caption: String, ifEmpty: String, withName: Bool = true
    ) -> HTML {
        var columns: [DataTable<CollectorEvent>.Column] = [
            .init("Time") { TimeText.html($0.at) }, .init("Revision", number: true) { revision($0.revision) },
        ]
        if withName { columns.append(.init("Collector") { collector($0.collector) }) }
        columns.append(.init("Event") { collectorKind($0.kind) })
        // Kubernetes knows these, a list of names does not.
        if events.contains(where: { $0.node != nil }) { columns.append(.init("Node") { Parts.optional($0.node) }) }
        if events.contains(where: { $0.uid != nil }) { columns.append(.init("Incarnation") { Parts.optional($0.uid) }) }
        columns += [
            .init("Evidence") { event in Tag.span(.class("detail")) { event.evidence } },
            .init("Cause") { event in
                cause(event.cause, event.causeDetail == event.evidence ? "" : event.causeDetail)
            },
        ]
        return DataTable(caption, ifEmpty: ifEmpty, columns).html(events)
    }

    static func discoveryRuns(
        _ runs: [DiscoveryRun], _ caption: String, ifEmpty: String, withJob: Bool = true
    ) -> HTML {
        var columns: [DataTable<DiscoveryRun>.Column] = [
            .init("From") { TimeText.html($0.firstAt) },
            .init("To") { run in run.isOpen ? Parts.badge("goes on", .plain) : TimeText.html(run.lastAt) },
        ]
        if withJob {
            columns.append(.init("Job") { run in run.job.isEmpty ? HTML("(configuration)") : job(run.job) })
        }
        columns.append(
            .init("Result") { run in
                run.succeeded ? Parts.badge("succeeded", .good) : Parts.badge("failed", .bad)
            })
        if runs.contains(where: { $0.error != nil }) {
            columns.append(
                .init("Error") { run in
                    run.error.map { error in Tag.span(.class("detail")) { error } } ?? Parts.none
                })
        }
        columns += [
            .init("Asked") { run in stacked(HTML(run.provider), Tag.small { Parts.name(run.source) }) },
            .number("Times") { $0.rounds }, .number("Targets") { $0.targets }, .number("Came") { $0.added },
            .number("Went") { $0.removed }, .number("Dropped") { $0.droppedByRelabelling },
            .init("Revision", number: true) { revision($0.revision) },
        ]
        return DataTable(caption, ifEmpty: ifEmpty, columns).html(runs)
    }
}
