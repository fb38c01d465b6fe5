//
// StandardPages.swift: the pages that people see first on the standard listener.
//

import AllocationLedger
import AllocatorRuntime

enum StandardPages {
    /// `/`: how much there is, and who has it.
    static func index(_ snapshot: AllocationSnapshot, _ site: PageSite) -> Page {
        let load = CollectorLoad(snapshot)
        let scrapeConfigs = JSONLayout.members(of: snapshot.scrapeConfigs.redacted).count
        let counts: [(name: HTML, count: Int)] = [
            (Parts.link("Scrape Configs", Link("/scrape_configs")), scrapeConfigs),
            (Parts.link("Jobs", Link("/debug/jobs")), snapshot.jobs.count),
            (Parts.link("Targets", Link("/debug/targets")), load.targetCount),
            (HTML("Targets without a collector"), load.unassignedCount),
        ]
        return Page("OpenTelemetry Target Allocator", .state(snapshot.head.point), at: .index) {
            if site.hasHistory { search }
            Parts.section("What there is") {
                DataTable<(name: HTML, count: Int)>(
                    "Counts", ifEmpty: "", [.init("Category") { $0.name }, .number("Count") { $0.count }]
                ).html(counts)
            }
            Parts.section("Who has it") {
                DataTable<CollectorLoad.Collector>(
                    "Collectors", ifEmpty: "There is no collector.", collectorColumns(load, site)
                ).html(load.collectors)
            }
        }
    }

    private static func collectorColumns(
        _ load: CollectorLoad, _ site: PageSite
    ) -> [DataTable<CollectorLoad.Collector>.Column] {
        let most = load.collectors.map(\.targetCount).max() ?? 0
        var columns: [DataTable<CollectorLoad.Collector>.Column] = [
            .init("Collector") { collector in
                Tag.a(.href(Link("/debug/collector", ["collector_id": collector.name]))) { Parts.name(collector.name) }
            },
            .number("Job Count") { $0.jobCount }, .number("Target Count") { $0.targetCount },
            .init("Share") { ShareBar(Double($0.targetCount), of: Double(most)).html },
        ]
        if site.hasHistory {
            columns.append(.init("History") { Parts.link("history", HistoryLink.collector($0.name)) })
        }
        return columns
    }

    private static var search: HTML {
        Parts.section("When and why") {
            Form.leading(to: Link("/history/targets"), "Find") {
                Form.text("address", "A target's address, or a part of it", "", wide: true)
            }
            Tag.p(.class("pager")) {
                Parts.button("Latest moves", Link("/history/moves"))
                Parts.button("Report of what happened last", Link("/history/report"))
            }
        }
    }

    /// `/jobs` for browsers: jobs with targets.
    static func jobs(_ snapshot: AllocationSnapshot, _ site: PageSite) -> Page {
        DebugPages(snapshot: snapshot, site: site).jobs()
    }

    /// `/scrape_configs` for browsers.
    static func scrapeConfigs(_ snapshot: AllocationSnapshot, _ site: PageSite) -> Page {
        DebugPages(snapshot: snapshot, site: site).scrapeConfigs(at: .debugScrapeConfigs)
    }
}

extension StandardResponder {
    func index() -> PreparedResponse {
        page(.index) { StandardPages.index($0, site) }
    }

    func debug(_ page: DebugPage, query: String) -> PreparedResponse {
        self.page(page.route) { DebugPages(snapshot: $0, site: site).page(page, DebugParameters(query)) }
    }

    /// A page of the snapshot that is served.
    func page(_ route: RoutePattern, _ make: (AllocationSnapshot) -> Page) -> PreparedResponse {
        guard let snapshot = publisher.current else {
            let reasons = publisher.status.reasonsNotReady.joined(separator: "; ")
            let page = PageError(503, "There is no allocation to show yet: \(reasons).").page()
            return PreparedResponse(503, route, .html, .bytes(page.body(site)))
        }
        let page = make(snapshot)
        return stamp(PreparedResponse(page.status, route, .html, .bytes(page.body(site))), snapshot)
    }
}
