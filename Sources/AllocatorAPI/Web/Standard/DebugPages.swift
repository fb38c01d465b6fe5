//
// DebugPages.swift: upstream's `/debug/…` pages, each leading into the history (spec/target-allocator.md 4.6).
//
// Made from the snapshot that is served, so they show the present alone and ask no database.
//

import AllocationCore
import AllocationLedger
import AllocatorRuntime

/// Makes pages of one snapshot.
struct DebugPages {
    let snapshot: AllocationSnapshot
    let site: PageSite
    private let collectorNames: [CollectorNumber: String]

    init(snapshot: AllocationSnapshot, site: PageSite) {
        self.snapshot = snapshot
        self.site = site
        collectorNames = snapshot.collectors.reduce(into: [:]) { names, name in
            if let number = snapshot.number(ofCollector: name) { names[number] = name }
        }
    }

    private var shows: Page.Shows { .state(snapshot.head.point) }
    private static let product = "OpenTelemetry Target Allocator"

    func page(_ page: DebugPage, _ parameters: DebugParameters) -> Page {
        do throws(PageError) {
            switch page {
            case .jobs: return jobs()
            case .job: return try job(parameters)
            case .targets: return try targets(parameters)
            case .target: return try target(parameters)
            case .collector: return try collector(parameters)
            case .scrapeConfigs: return scrapeConfigs(at: .debugScrapeConfigs)
            }
        } catch {
            return error.page(shows)
        }
    }

    // MARK: Jobs

    func jobs() -> Page {
        Page("\(Self.product) - Jobs", shows, at: .debugJobs) {
            Tag.section {
                DataTable<JobSnapshot>(
                    "Jobs that have a target", ifEmpty: "No job has a target.",
                    [
                        .init("Job") { job in
                            Tag.a(.href(Link("/debug/job", ["job_id": job.name]))) { Parts.name(job.name) }
                        },
                        .number("Target Count") { $0.targetCount },
                        .init("Links") { job in
                            HTML {
                                Parts.link("JSON", Link("/jobs/", segment: job.name, "/targets"))
                                if site.hasHistory {
                                    " · "
                                    Parts.link("history", HistoryLink.job(job.name))
                                }
                            }
                        },
                    ]
                ).html(snapshot.jobs)
            }
        }
    }

    private func job(_ parameters: DebugParameters) throws(PageError) -> Page {
        let name = try parameters.one("job_id")
        let job = snapshot.job(named: name)
        let rows = snapshot.collectors.map { collector in
            (collector, snapshot.targetList(job: name, collector: collector)?.targets.count ?? 0)
        }
        return Page("Job: \(name)", shows, at: .debugJobs) {
            Tag.section {
                DataTable<(name: String, count: Int)>(
                    "Its targets by collector", ifEmpty: "There is no collector.",
                    [
                        .init("Collector") { Self.collectorLink($0.name) },
                        .number("Target Count") { $0.count },
                    ]
                ).html(rows)
                if let none = job?.unassigned?.targets.count {
                    Tag.p { "\(NumberText.counted(none, "target")) without a collector." }
                }
                if site.hasHistory { Tag.p(.class("pager")) { Parts.button("History", HistoryLink.job(name)) } }
            }
        }
    }

    // MARK: Targets

    private func targets(_ parameters: DebugParameters) throws(PageError) -> Page {
        let part = ServedTargets(snapshot, after: try parameters.after())
        return Page("\(Self.product) - Targets", shows, at: .debugTargets) {
            Tag.section {
                list(part, withCollector: true)
                pager(part, "/debug/targets", [])
            }
        }
    }

    private func collector(_ parameters: DebugParameters) throws(PageError) -> Page {
        let name = try parameters.one("collector_id")
        guard let number = snapshot.number(ofCollector: name) else {
            throw PageError(404, "There is no collector \(name).")
        }
        let part = ServedTargets(snapshot, collector: number, after: try parameters.after())
        return Page("Collector: \(name)", shows) {
            Tag.section {
                list(part, withCollector: false)
                pager(part, "/debug/collector", [("collector_id", name)])
                if site.hasHistory { Tag.p(.class("pager")) { Parts.button("History", HistoryLink.collector(name)) } }
            }
        }
    }

    private func list(_ part: ServedTargets, withCollector: Bool) -> HTML {
        var columns: [DataTable<ServedTarget>.Column] = [
            .init("Job") { served in
                Tag.a(.href(Link("/debug/job", ["job_id": served.job.name]))) { Parts.name(served.job.name) }
            },
            .init("Target") { served in
                Tag.a(.href(Link("/debug/target", ["target_hash": "\(served.target.identity.rawValue)"]))) {
                    Parts.name(address(served.target))
                }
            },
        ]
        if withCollector { columns.append(.init("Collector") { collectorLink($0.collector) }) }
        columns.append(
            .init("Endpoint Slice") { served in
                Parts.optional(value("__meta_kubernetes_endpointslice_name", of: served.target))
            })
        let caption =
            "Targets \(NumberText.grouped(part.skipped + 1)) to \(NumberText.grouped(part.skipped + part.targets.count)) "
            + "of \(NumberText.grouped(part.total)), in the order of their hashes"
        return DataTable(caption, ifEmpty: "There is no target.", columns).html(part.targets)
    }

    /// A page holds a part of the targets, however many there are.
    private func pager(_ part: ServedTargets, _ path: String, _ pairs: [(name: String, value: String)]) -> HTML? {
        guard part.skipped > 0 || part.next != nil else { return nil }
        return Tag.p(.class("pager")) {
            if part.skipped > 0 { Parts.button("First", Link(path: path, pairs: pairs)) }
            if let next = part.next {
                Parts.button("Next", Link(path: path, pairs: pairs + [("after", "\(next.rawValue)")]))
            }
        }
    }

    // MARK: Scrape configs

    /// Always redacted, whatever the listener.
    func scrapeConfigs(at place: NavigationEntry) -> Page {
        Page("\(Self.product) - Scrape Configs", shows, at: place) {
            Tag.section {
                DataTable<JSONMember>(
                    "Scrape configuration of each job, without secrets", ifEmpty: "No job is configured.",
                    [
                        .init("Job") { Parts.name($0.name) },
                        .init("Scrape Config") { member in Tag.pre { member.text } },
                    ]
                ).html(JSONLayout.members(of: snapshot.scrapeConfigs.redacted))
            }
        }
    }

    // MARK: Names

    private func address(_ target: IdentifiedTarget) -> String {
        target.address.map(snapshot.table.value) ?? "no address"
    }

    private func value(_ name: String, of target: IdentifiedTarget) -> String? {
        target.labels.ids.first { snapshot.table.name($0) == name }.map(snapshot.table.value)
    }

    private func collectorLink(_ number: CollectorNumber?) -> HTML {
        guard let name = number.flatMap({ collectorNames[$0] }) else { return Parts.badge("none", .bad) }
        return Self.collectorLink(name)
    }

    private static func collectorLink(_ name: String) -> HTML {
        Tag.a(.href(Link("/debug/collector", ["collector_id": name]))) { Parts.name(name) }
    }
}

// MARK: One target

extension DebugPages {
    private static let kubernetesRows: [(title: String, label: String)] = [
        ("Namespace", "namespace"), ("Service Name", "service_name"), ("Service Port", "service_port"),
        ("Pod Name", "pod_name"), ("Container Name", "pod_container_name"),
        ("Container Port Name", "pod_container_port_name"),
    ]

    /// As `per-node` finds it (spec/target-allocator.md 8.5).
    private static func node(_ labels: [String: String]) -> String? {
        for name in ["pod_node_name", "node_name", "endpoint_node_name"] {
            if let node = labels["__meta_kubernetes_\(name)"], !node.isEmpty { return node }
        }
        guard labels["__meta_kubernetes_endpointslice_address_target_kind"] == "Node" else { return nil }
        return labels["__meta_kubernetes_endpointslice_address_target_name"]
    }

    private func target(_ parameters: DebugParameters) throws(PageError) -> Page {
        guard let text = parameters.values("target_hash").first, !text.isEmpty else {
            throw PageError(400, "The parameter target_hash is missing.")
        }
        guard let number = UInt64(text), number > 0 else {
            throw PageError(
                400, "The parameter target_hash is \(String(reflecting: text)); a target's hash is a number of 64 bits."
            )
        }
        guard let served = ServedTargets.find(TargetIdentity(rawValue: number), in: snapshot) else {
            throw PageError(404, "There is no target \(number).")
        }
        let labels = served.target.labels.dictionary(in: snapshot.table)
        var facts: [(name: String, value: HTML?)] = [
            ("Collector", collectorLink(served.collector)),
            ("Job", Tag.a(.href(Link("/debug/job", ["job_id": served.job.name]))) { Parts.name(served.job.name) }),
        ]
        for row in Self.kubernetesRows {
            facts.append((row.title, Parts.optional(labels["__meta_kubernetes_\(row.label)"])))
        }
        facts.append(("Node Name", Parts.optional(Self.node(labels))))
        facts.append(("Endpoint Slice Name", Parts.optional(labels["__meta_kubernetes_endpointslice_name"])))
        let pairs = served.target.labels.ids.map { (snapshot.table.name($0), snapshot.table.value($0)) }
        return Page("Target: \(address(served.target))", .state(snapshot.head.point), at: .debugTargets) {
            Tag.section {
                Parts.facts(facts)
                if site.hasHistory {
                    Tag.p(.class("pager")) {
                        Parts.button("History", HistoryLink.target(served.target.identity, job: served.job.name))
                        Parts.button("Why", HistoryLink.why(served.target.identity, job: served.job.name))
                    }
                }
            }
            Parts.section("Labels") {
                DataTable<(name: String, value: String)>(
                    "Before relabelling", ifEmpty: "It has none.",
                    [.init("Label") { Parts.name($0.name) }, .init("Value") { Parts.name($0.value) }]
                ).html(pairs)
            }
        }
    }
}

extension LedgerHead {
    var point: RevisionPoint { RevisionPoint(revision: revision, at: at) }
}
