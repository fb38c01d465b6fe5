//
// LedgerExport.swift: what is recorded, as rows for other programs, oldest first: the same over HTTP and from the command.
//
// Written while it is read: a page of rows is in memory at a time, whatever the size of the ledger.
//

import AllocationLedger
import PostgresDriver

/// Rows of one kind, of a window or of one moment.
package struct LedgerExport: Sendable {
    package enum Subject: String, Sendable, CaseIterable {
        /// What each revision did to each target.
        case events
        /// Those by which a target came to another collector, or to none.
        case moves
        /// What each revision did to each collector.
        case collectors
        /// The revisions, with their digests.
        case revisions
        /// Who had which target at one moment, with its labels.
        case state
    }

    package enum Format: String, Sendable, CaseIterable {
        case ndjson
        case csv
    }

    private let subject: Subject
    private let format: Format
    private let window: HistoryWindow
    private let moment: Instant
    private let selection: LabelSelection?

    /// - Parameters:
    ///   - window: Of everything but a state.
    ///   - moment: Of a state.
    ///   - selection: Of a state's targets.
    package init(
        _ subject: Subject, as format: Format, window: HistoryWindow = HistoryWindow(), at moment: Instant = .latest,
        selection: LabelSelection? = nil
    ) {
        self.subject = subject
        self.format = format
        self.window = window
        self.moment = moment
        self.selection = selection
    }

    /// Writes the rows of this snapshot.
    ///
    /// - Parameters:
    ///   - progress: Told how many revisions, or targets of a state, of how many are done.
    ///   - send: Takes a piece, which ends where a row ends.
    /// - Throws: ``HistoryError`` for a state at a moment that is not recorded.
    package func write(
        _ connection: isolated PostgresConnection, progress: @escaping ChainVerifier.Progress = { _, _ in },
        to send: @escaping @Sendable ([UInt8]) async throws -> Void
    ) async throws {
        let out = Output(format: format == .csv ? .csv : .ndjson, progress: progress, send: send)
        switch subject {
        case .events: try await writeEvents(.story, out, connection) { try await $0.run(connection) }
        case .moves:
            try await writeEvents(.moves, out, connection) { query in
                var query = query
                query.movesOnly = true
                return try await query.run(connection)
            }
        case .collectors:
            try await writeEvents(.collectorEvent, out, connection) { try await $0.collectors(connection) }
        case .revisions: try await writeRevisions(out, connection)
        case .state: try await writeState(out, connection)
        }
    }

    private struct Output {
        let format: OutputFormat
        let progress: ChainVerifier.Progress
        let send: @Sendable ([UInt8]) async throws -> Void
    }

    private func writeEvents<Event>(
        _ form: RowForm<Event>, _ out: Output, _ connection: isolated PostgresConnection,
        _ read: (EventRangeQuery) async throws -> HistoryPage<Event, EventCursor>
    ) async throws {
        var encoder = RowEncoder(form.columns, as: out.format)
        if var walk = try await RevisionWalk(window, connection) {
            while let revisions = try await walk.next(connection) {
                guard let first = revisions.first, let last = revisions.last else { continue }
                var query = EventRangeQuery(from: first.point, to: last.point)
                repeat {
                    let page = try await read(query)
                    try await out.send(encoder.encode(page.items.map(form.cells)))
                    query.after = page.next
                } while query.after != nil
                out.progress(walk.done, walk.total)
            }
        }
        try await out.send(encoder.finish())
    }

    private func writeRevisions(_ out: Output, _ connection: isolated PostgresConnection) async throws {
        let form = RowForm.revision
        var encoder = RowEncoder(form.columns, as: out.format)
        if var walk = try await RevisionWalk(window, connection) {
            while let revisions = try await walk.next(connection) {
                try await out.send(encoder.encode(revisions.map(form.cells)))
                out.progress(walk.done, walk.total)
            }
        }
        try await out.send(encoder.finish())
    }

    private func writeState(_ out: Output, _ connection: isolated PostgresConnection) async throws {
        let point = try await moment.resolve(connection)
        let total = try await CollectorsQuery(at: point).run(connection).targets
        let form = RowForm.state(at: point, withLabels: true)
        var encoder = RowEncoder(form.columns, as: out.format)
        var query = StateQuery(at: point, selection: selection, limit: PageLimit.rowsMax)
        var done: Int64 = 0
        repeat {
            let page = try await query.run(connection)
            try await out.send(encoder.encode(page.items.map(form.cells)))
            done += Int64(page.items.count)
            out.progress(done, total)
            query.after = page.next
        } while query.after != nil
        try await out.send(encoder.finish())
    }
}

/// Walks over the revisions of a window, oldest first, a page at a time.
private struct RevisionWalk {
    private let first: Int64
    private let last: Int64
    private var reached: Int64

    private static let pageRevisions: Int64 = 1000

    /// Nil: the window holds no revision.
    init?(_ window: HistoryWindow, _ connection: isolated PostgresConnection) async throws {
        let recorded: RecordedBounds
        do {
            recorded = try await RecordedBounds.read(connection)
        } catch HistoryError.nothingRecorded {
            return nil
        }
        let newest = try await RevisionQuery(window: window, limit: 1).run(connection).items.first
        guard let newest else { return nil }
        last = newest.revision
        first = try await Self.oldest(since: window.since, recorded, connection)
        guard first <= last else { return nil }
        reached = first - 1
    }

    /// The first revision at or after a time.
    private static func oldest(
        since: Timestamp?, _ recorded: RecordedBounds, _ connection: isolated PostgresConnection
    ) async throws -> Int64 {
        guard let since, since > recorded.oldest.at else { return recorded.oldest.revision.number }
        let point = try await Instant.time(since).resolve(connection)
        return point.at < since ? point.revision.number + 1 : point.revision.number
    }

    var total: Int64 { last - first + 1 }
    var done: Int64 { reached - first + 1 }

    mutating func next(_ connection: isolated PostgresConnection) async throws -> [RevisionSummary]? {
        guard reached < last else { return nil }
        let upper = min(reached + Self.pageRevisions, last)
        let lowest = try await Instant.revision(Revision(reached + 1)).resolve(connection)
        let highest = try await Instant.revision(Revision(upper)).resolve(connection)
        let window = HistoryWindow(since: lowest.at, until: highest.at.advanced(by: .microseconds(1)))
        let page = try await RevisionQuery(window: window, limit: Int(Self.pageRevisions)).run(connection)
        reached = upper
        return page.items.reversed()
    }
}
