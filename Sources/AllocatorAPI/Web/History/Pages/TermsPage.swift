//
// TermsPage.swift: `/history/terms`: who led, when, and why it ended.
//

import AllocationLedger

enum TermsPage {
    static let route = PageRoute.list(.terms, table) { window, after, connection in
        try await TermQuery(window: window, limit: PageRoute.rowsMax, after: after).run(connection)
    }

    static let table = DataTable<Term>(
        "Who led and could write, newest first", ifEmpty: "Nobody led.",
        [
            .init("Term", number: true) { HTML("\($0.epoch)") }, .init("From") { TimeText.html($0.acquiredAt) },
            .init("To") { term in term.endedAt.map { TimeText.html($0) } ?? Parts.badge("goes on", .good) },
            .init("Address") { Parts.name($0.address) }, .init("Ended because") { Parts.optional($0.endReason) },
            .init("Found revision", number: true) { term in
                term.firstRevision > 0 ? EventParts.revision(term.firstRevision) : HTML("none")
            }, .init("Process") { Parts.name("\($0.holder)") },
        ])
}
