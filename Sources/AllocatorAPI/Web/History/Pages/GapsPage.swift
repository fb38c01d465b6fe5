//
// GapsPage.swift: `/history/gaps`: periods in which nothing could be recorded.
//

import AllocationLedger

enum GapsPage {
    static let route = PageRoute.list(.gaps, table) { window, after, connection in
        try await GapQuery(window: window, limit: PageRoute.rowsMax, after: after).run(connection)
    }

    static let table = DataTable<Gap>(
        "Periods in which nothing could be recorded, newest first", ifEmpty: "None: the record has no gap.",
        [
            .init("From") { TimeText.html($0.from) }, .init("To") { TimeText.html($0.to) },
            .init("For", number: true) { HTML(TimeText.duration(seconds: $0.seconds)) },
            .init("Cause") { Parts.badge($0.cause, .warning) }, .init("Detail") { Parts.optional($0.detail) },
        ])
}
