//
// WindowList.swift: pages that are one list of what lies in a window.
//

import AllocationLedger
import PostgresDriver

extension PageRoute {
    /// A page of its own, which asks for nothing but the window.
    ///
    /// - Parameters:
    ///   - table: Also for pages that show the same among other things.
    ///   - read: At most ``rowsMax`` of the window, behind a cursor.
    static func list<Item: Sendable, Cursor: HistoryCursor>(
        _ entry: NavigationEntry, _ table: DataTable<Item>,
        _ read:
            @escaping @Sendable (HistoryWindow, Cursor?, isolated PostgresConnection) async throws
            -> HistoryPage<Item, Cursor>
    ) -> PageRoute {
        PageRoute(path: entry.link.target, parameters: HistoryParameter.window + HistoryParameter.pageCursor) {
            asked, connection in
            let latest = try await RecordedBounds.read(connection).latest
            let page = try await read(
                try await asked.question.window(connection), try asked.question.cursor(Cursor.self), connection)
            return Page(entry.title, .recordedUpTo(latest), at: entry) {
                Tag.section { Form.leading(to: entry.link, "Show") { asked.windowFields } }
                Tag.section {
                    table.html(page.items)
                    asked.pager(page)
                }
            }
        }
    }
}
