//
// PageRoute.swift: the history's pages: where each is, what it takes, who makes it.
//

import AllocationLedger
import PostgresDriver

/// One page under `/history`.
struct PageRoute: Sendable {
    let path: String
    let parameters: [HistoryParameter]
    /// Reads all of a page in one snapshot of the database.
    let make: @Sendable (PageQuestion, isolated PostgresConnection) async throws -> Page

    /// The stretch that is looked at when no window is asked for: what a page can read in the time that people wait.
    static func recent(
        until: Timestamp, _ connection: isolated PostgresConnection
    ) async throws -> HistoryWindow {
        try await HistoryWindow.recent(until: until, within: .seconds(86_400), eventsMax: 100_000, connection)
    }

    /// Rows of one page of a list.
    static let rowsMax = 50

    static let all: [PageRoute] = [
        OverviewPage.route, MovesPage.route, RevisionsPage.route, RevisionPage.route, CollectorsPage.route,
        CollectorPage.route, JobsPage.route, JobPage.route, DiscoveriesPage.route, TargetsPage.route, TargetPage.route,
        WhyPage.route, DiffPage.route, ReportPage.route, TermsPage.route, ReplicasPage.route, GapsPage.route,
    ]

    static func at(_ path: String) -> PageRoute? { all.first { $0.path == path } }
}

extension HistoryParameter {
    /// Nobody asks a page for more than it has room for.
    static let pageCursor = [cursor]
}
