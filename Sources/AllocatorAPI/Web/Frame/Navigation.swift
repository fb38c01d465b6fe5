//
// Navigation.swift: the way from each page to all others.
//

/// What stands in the navigation.
enum NavigationEntry: Sendable, Hashable, CaseIterable {
    case index, debugJobs, debugTargets, debugScrapeConfigs
    case history, moves, targets, collectors, jobs, discoveries, revisions, diff, report, terms, replicas, gaps

    var title: String {
        switch self {
        case .index: "Home"
        case .debugJobs, .jobs: "Jobs"
        case .debugTargets, .targets: "Targets"
        case .debugScrapeConfigs: "Scrape Configs"
        case .history: "Overview"
        case .moves: "Moves"
        case .collectors: "Collectors"
        case .discoveries: "Discovery"
        case .revisions: "Revisions"
        case .diff: "Diff"
        case .report: "Report"
        case .terms: "Terms"
        case .replicas: "Replicas"
        case .gaps: "Gaps"
        }
    }

    var link: Link {
        switch self {
        case .index: Link("/")
        case .debugJobs: Link("/debug/jobs")
        case .debugTargets: Link("/debug/targets")
        case .debugScrapeConfigs: Link("/debug/scrape_configs")
        case .history: Link("/history")
        case .moves: Link("/history/moves")
        case .targets: Link("/history/targets")
        case .collectors: Link("/history/collectors")
        case .jobs: Link("/history/jobs")
        case .discoveries: Link("/history/discoveries")
        case .revisions: Link("/history/revisions")
        case .diff: Link("/history/diff")
        case .report: Link("/history/report")
        case .terms: Link("/history/terms")
        case .replicas: Link("/history/replicas")
        case .gaps: Link("/history/gaps")
        }
    }

    /// What is served now, as upstream's pages have it.
    static let standard: [NavigationEntry] = [.index, .debugScrapeConfigs, .debugJobs, .debugTargets]
    static let past: [NavigationEntry] = [
        .history, .moves, .targets, .collectors, .jobs, .discoveries, .revisions, .diff, .report, .terms, .replicas,
        .gaps,
    ]
}

/// The head of a page.
struct Navigation {
    let site: PageSite
    let current: NavigationEntry?

    var html: HTML {
        Tag.header {
            Tag.div(.class("bar")) {
                Tag.a(.class("brand"), .href(site.hasStandard ? Link("/") : Link("/history"))) { "Target Ledger" }
                if site.hasStandard { list("Now", NavigationEntry.standard) }
                if site.hasHistory { list("History", NavigationEntry.past) }
                if site.isSignedIn {
                    Tag.form(.post, .action(Link("/history/sign-out"))) {
                        Tag.button(.type("submit")) { "Sign out" }
                    }
                }
            }
        }
    }

    private func list(_ title: String, _ entries: [NavigationEntry]) -> HTML {
        Tag.nav(.ariaLabel(title)) {
            Tag.ul {
                Tag.li(.class("group")) { title }
                for entry in entries {
                    Tag.li {
                        Tag.a(.href(entry.link), entry == current ? .currentPage : nil) { entry.title }
                    }
                }
            }
        }
    }
}
