//
// StandardPages.swift: the pages that people see on the standard listener.
//

import AllocationLedger
import AllocatorRuntime

enum StandardPages {
    /// `/`: how much there is, and who has it.
    static func index(_ snapshot: AllocationSnapshot) -> HTMLPage {
        let load = CollectorLoad(snapshot)
        let scrapeConfigs = JSONLayout.members(of: snapshot.scrapeConfigs.redacted).count
        let counts = HTMLPage.Table(
            header: ["Category", "Count"],
            rows: [
                [.link("Scrape Configs", to: "/scrape_configs"), .text("\(scrapeConfigs)")],
                [.link("Jobs", to: "/jobs"), .text("\(snapshot.jobs.count)")],
                [.text("Targets"), .text("\(load.targetCount)")],
                [.text("Targets without a collector"), .text("\(load.unassignedCount)")],
                [.text("Revision"), .text("\(snapshot.head.revision.number)")],
            ])
        let collectors = HTMLPage.Table(
            header: ["Collector", "Job Count", "Target Count"],
            rows: load.collectors.map { [.text($0.name), .text("\($0.jobCount)"), .text("\($0.targetCount)")] })
        return HTMLPage(title: "OpenTelemetry Target Allocator", tables: [counts, collectors])
    }

    /// `/jobs`: jobs with targets.
    static func jobs(_ snapshot: AllocationSnapshot) -> HTMLPage {
        let rows = snapshot.jobs.map { job -> [HTMLPage.Cell] in
            [
                .link(job.name, to: "/jobs/\(QueryComponent.encoded(job.name))/targets"),
                .text("\(job.targetCount)"),
            ]
        }
        return HTMLPage(
            title: "OpenTelemetry Target Allocator - Jobs",
            tables: [HTMLPage.Table(header: ["Job", "Target Count"], rows: rows)])
    }

    /// `/scrape_configs`: always redacted, whatever the listener.
    static func scrapeConfigs(_ snapshot: AllocationSnapshot) -> HTMLPage {
        let rows = JSONLayout.members(of: snapshot.scrapeConfigs.redacted).map { member -> [HTMLPage.Cell] in
            [.text(member.name), .preformatted(member.text)]
        }
        return HTMLPage(
            title: "OpenTelemetry Target Allocator - Scrape Configs",
            tables: [HTMLPage.Table(header: ["Job", "Scrape Config"], rows: rows)])
    }
}

extension StandardResponder {
    func index() -> PreparedResponse {
        guard let snapshot = publisher.current else { return noState(.index) }
        return stamp(StandardPages.index(snapshot).response(.index), snapshot)
    }
}
