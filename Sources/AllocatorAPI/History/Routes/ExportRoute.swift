//
// ExportRoute.swift: `/export`: the record itself, written while it is read.
//
// One at a time: a reader that takes its time keeps a session and its snapshot. Who does not read is disconnected.
//

import AllocationCore
import AllocationLedger
import HummingbirdCore
import NIOCore
import PostgresDriver

extension HistoryRoute {
    static let exports: [HistoryRoute] = [export]

    private enum Subject: String, CaseIterable {
        case events, moves, revisions, whole
    }

    private static let export = HistoryRoute(
        path: "\(prefix)/export",
        summary: "Events, moves or revisions of a window, newest first, or the whole ledger to be verified elsewhere; "
            + "without pages.",
        parameters: [
            .init(
                name: "what", form: .choice(Subject.allCases.map(\.rawValue)),
                description: "`events` when left out. `whole` is what `target-ledger verify --export` reads."),
            .init(
                name: "format", form: .choice(["ndjson", "csv"]),
                description: "`ndjson` when left out; `whole` is NDJSON only."),
        ] + HistoryParameter.window,
        contents: [("application/x-ndjson", .text()), ("text/csv", .text())], components: [:]
    ) { question, source in
        let what = try question.choice("what", among: Subject.allCases.map(\.rawValue)).flatMap {
            Subject(rawValue: $0)
        }
        let format = try question.choice("format", among: ["ndjson", "csv"]) ?? "ndjson"
        let subject = what ?? .events
        if subject == .whole {
            if format == "csv" { throw ProblemDetails.badParameter("format", "is csv; the whole is NDJSON only") }
            for bound in ["since", "until"] where question.has(bound) {
                throw ProblemDetails.badParameter(bound, "is not for the whole")
            }
        }
        let pass = try source.proofs.export.enter("export")
        // What is wrong with the question has to be said before the answer begins.
        let window = try await source.read { connection in try await question.window(connection) }
        let reader = source.reader
        return .stream(contentType: format == "csv" ? "text/csv; charset=utf-8" : "application/x-ndjson") { writer in
            defer { withExtendedLifetime(pass) {} }
            let client = FeedClient(writer)
            try await ExportStream(subject: subject.rawValue, isCSV: format == "csv", window: window)
                .run(reader, client)
        }
    }
}

/// Writes one export.
private struct ExportStream: Sendable {
    let subject: String
    let isCSV: Bool
    let window: HistoryWindow

    private static let timeMax = Duration.seconds(3600)
    /// How long one write may take before the client counts as too slow.
    private static let writeMax = Duration.seconds(30)
    private static let rowsPerPage = 1000

    private struct SlowClient: Error {}

    func run(_ reader: HistoryReader, _ client: FeedClient) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await reader.read(deadline: .now + Self.timeMax) { connection in
                    try await write(to: client, connection)
                }
            }
            group.addTask {
                while true {
                    try await Task.sleep(for: .seconds(1))
                    if client.isStuck(longerThan: Self.writeMax) { throw SlowClient() }
                }
            }
            defer { group.cancelAll() }
            try await group.next()
        }
        try await client.finish()
    }

    private func write(to client: FeedClient, _ connection: isolated PostgresConnection) async throws {
        switch subject {
        case "whole": try await WholeExport.write(connection) { try await client.send($0) }
        case "moves": try await writeMoves(to: client, connection)
        case "revisions": try await writeRevisions(to: client, connection)
        default: try await writeEvents(to: client, connection)
        }
    }

    private func writeMoves(to client: FeedClient, _ connection: isolated PostgresConnection) async throws {
        var rows = ExportRows(.targetEvent, CSVColumn.targetEvent, isCSV: isCSV)
        var query = MoveQuery(since: window.since, until: window.until, limit: Self.rowsPerPage)
        repeat {
            let page = try await query.events(connection)
            for event in page.items { rows.append(event) }
            try await client.send(rows.take())
            query.after = page.next
        } while query.after != nil
    }

    private func writeRevisions(to client: FeedClient, _ connection: isolated PostgresConnection) async throws {
        var rows = ExportRows(.revision, CSVColumn.revision, isCSV: isCSV)
        var query = RevisionQuery(window: window, limit: Self.rowsPerPage)
        repeat {
            let page = try await query.run(connection)
            for revision in page.items { rows.append(revision) }
            try await client.send(rows.take())
            query.after = page.next
        } while query.after != nil
    }

    private func writeEvents(to client: FeedClient, _ connection: isolated PostgresConnection) async throws {
        var rows = ExportRows(.targetEvent, CSVColumn.targetEvent, isCSV: isCSV)
        var revisions = RevisionQuery(window: window, limit: Self.rowsPerPage)
        repeat {
            let page = try await revisions.run(connection)
            for revision in page.items where revision.targetEvents > 0 {
                var query = RevisionEventsQuery(of: revision.point, limit: Self.rowsPerPage)
                repeat {
                    let events = try await query.run(connection)
                    for event in events.items { rows.append(event) }
                    if rows.byteCount > 64 * 1024 { try await client.send(rows.take()) }
                    query.after = events.next
                } while query.after != nil
            }
            try await client.send(rows.take())
            revisions.after = page.next
        } while revisions.after != nil
    }
}

/// Rows on their way out.
private struct ExportRows<Row> {
    private let shape: JSONShape<Row>
    private let columns: [CSVColumn<Row>]
    private let isCSV: Bool
    private var bytes: [UInt8] = []

    init(_ shape: JSONShape<Row>, _ columns: [CSVColumn<Row>], isCSV: Bool) {
        self.shape = shape
        self.columns = columns
        self.isCSV = isCSV
        if isCSV { appendLine(columns.map(\.name)) }
    }

    var byteCount: Int { bytes.count }

    mutating func append(_ row: Row) {
        if isCSV { return appendLine(columns.map { $0.text(row) ?? "" }) }
        var json = JSONWriter()
        shape.write(row, to: &json)
        json.newline()
        bytes += json.bytes
    }

    mutating func take() -> [UInt8] {
        defer { bytes.removeAll(keepingCapacity: true) }
        return bytes
    }

    /// RFC 4180.
    private mutating func appendLine(_ fields: [String]) {
        for (index, field) in fields.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            if field.utf8.contains(where: { $0 == 0x22 || $0 == 0x2C || $0 == 0x0A || $0 == 0x0D }) {
                bytes.append(0x22)
                for byte in field.utf8 {
                    if byte == 0x22 { bytes.append(0x22) }
                    bytes.append(byte)
                }
                bytes.append(0x22)
            } else {
                bytes += field.utf8
            }
        }
        bytes += "\r\n".utf8
    }
}

/// One column of CSV.
private struct CSVColumn<Row>: Sendable {
    let name: String
    let text: @Sendable (Row) -> String?

    init(_ name: String, _ text: @escaping @Sendable (Row) -> String?) {
        self.name = name
        self.text = text
    }
}

extension CSVColumn where Row == TargetEvent {
    fileprivate static var targetEvent: [CSVColumn] {
        [
            CSVColumn("time") { "\($0.at)" }, CSVColumn("revision") { "\($0.revision)" },
            CSVColumn("ordinal") { "\($0.ordinal)" }, CSVColumn("job") { $0.target.job },
            CSVColumn("address") { $0.target.address }, CSVColumn("identity") { "\($0.target.identity.rawValue)" },
            CSVColumn("event") { $0.kinds.codes.joined(separator: " ") }, CSVColumn("from") { $0.from },
            CSVColumn("to") { $0.to }, CSVColumn("reason") { $0.reason }, CSVColumn("kind") { $0.moveKind?.rawValue },
            CSVColumn("cause") { $0.cause }, CSVColumn("cause_detail") { $0.causeDetail },
        ]
    }
}

extension CSVColumn where Row == RevisionSummary {
    fileprivate static var revision: [CSVColumn] {
        [
            CSVColumn("time") { "\($0.at)" }, CSVColumn("revision") { "\($0.revision)" },
            CSVColumn("cause") { $0.cause }, CSVColumn("cause_detail") { $0.causeDetail },
            CSVColumn("epoch") { "\($0.epoch)" }, CSVColumn("replica") { "\($0.replica)" },
            CSVColumn("targets_added") { "\($0.targetsAdded)" },
            CSVColumn("targets_removed") { "\($0.targetsRemoved)" },
            CSVColumn("targets_moved") { "\($0.targetsMoved)" },
            CSVColumn("targets_relabelled") { "\($0.targetsRelabelled)" },
            CSVColumn("events_digest") { "\($0.eventsDigest)" },
            CSVColumn("previous_digest") { "\($0.previousDigest)" }, CSVColumn("digest") { "\($0.digest)" },
        ]
    }
}
