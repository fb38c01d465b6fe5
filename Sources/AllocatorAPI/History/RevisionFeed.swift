//
// RevisionFeed.swift: revisions as they are published, as server-sent events.
//
// Ordered, each once, whole, and resumable: an event's id is its revision, so a client that reconnects with
// `Last-Event-ID` goes on where it was. What a client has not taken is not kept for it: the next revision is read from
// the ledger when the one before has been written, and a client that does not read is disconnected.
// Format: https://html.spec.whatwg.org/multipage/server-sent-events.html
//

import AllocationLedger
import AllocatorRuntime
import AsyncAlgorithms
import HTTPTypes
import Hummingbird
import NIOCore
import PostgresDriver
import ServiceLifecycle
import Synchronization

/// `GET /api/v1/events`.
package struct RevisionFeed: Sendable {
    static let path = "/api/v1/events"

    private let publisher: SnapshotPublisher
    private let source: HistorySource

    /// After which silence a bookmark is sent: proxies close what is silent for longer.
    private static let bookmarkInterval = Duration.seconds(15)
    /// How long one write may take before the client counts as too slow.
    private static let writeMax = Duration.seconds(15)
    /// Targets that one event names itself; the rest is at `/revisions/{n}/events`.
    private static let targetsMax = 1000

    package init(publisher: SnapshotPublisher, reader: HistoryReader) {
        self.publisher = publisher
        source = HistorySource(reader: reader, timeout: .seconds(10))
    }

    private enum Tick { case news, idle }
    private struct SlowClient: Error {}

    /// - Throws: ``ProblemDetails``, ``HistoryError``: 410 when what comes next has been removed.
    func respond(to request: Request, _ query: Substring) async throws -> Response {
        guard query.isEmpty else {
            throw ProblemDetails.badParameter(
                String(query.prefix { $0 != "=" }), "is not known here; the header Last-Event-ID names a revision")
        }
        let start = try await start(request.headers[.lastEventID])
        let body = ResponseBody { writer in try await run(after: start, &writer) }
        return Response(
            status: .ok,
            headers: [.contentType: "text/event-stream", .cacheControl: "no-store", .xAccelBuffering: "no"],
            body: body)
    }

    private func start(_ lastEventID: String?) async throws -> Int64 {
        guard let lastEventID, !lastEventID.isEmpty else { return publisher.current?.head.revision.number ?? 0 }
        guard let number = Int64(lastEventID), number >= 0 else {
            throw ProblemDetails.badParameter("Last-Event-ID", "is not a revision's number")
        }
        try await source.read { connection in
            let bounds = try await RecordedBounds.read(connection)
            if number > bounds.latest.revision.number {
                throw HistoryError.notYetWritten(latest: bounds.latest.revision)
            }
            if number + 1 < bounds.oldest.revision.number { throw HistoryError.compacted(oldest: bounds.oldest) }
        }
        return number
    }

    private func run(after start: Int64, _ writer: inout any ResponseBodyWriter) async throws {
        let client = FeedClient(writer)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await follow(client, after: start) }
            group.addTask {
                while true {
                    try await Task.sleep(for: .seconds(1))
                    if client.isStuck(longerThan: Self.writeMax) { throw SlowClient() }
                }
            }
            try await group.next()
            group.cancelAll()
        }
        try await client.finish()
    }

    /// Sends every revision after `start`, until the process is asked to shut down.
    private func follow(_ client: FeedClient, after start: Int64) async throws {
        var last = start
        try await client.send(Array(": revisions after \(last)\n\n".utf8))
        let news = publisher.publications().map { Tick.news }
        let idle = AsyncTimerSequence(interval: Self.bookmarkInterval, clock: .continuous).map { _ in Tick.idle }
        for try await tick in merge(news, idle).cancelOnGracefulShutdown() {
            let head = publisher.current?.head.revision.number ?? 0
            if tick == .idle, head == last {
                try await client.send(Array("event: bookmark\nid: \(last)\ndata:\n\n".utf8))
            }
            while last < head {
                do {
                    try await client.send(message(last + 1))
                    last += 1
                } catch HistoryError.unused(_, let next) {
                    // Nothing has these numbers, and nothing will.
                    last = next.number - 1
                }
            }
        }
    }

    /// One revision, whole.
    private func message(_ number: Int64) async throws -> [UInt8] {
        let message = try await source.read { connection in
            let summary = try await RevisionQuery.one(Revision(number), connection)
            let query = RevisionEventsQuery(of: summary.point, limit: Self.targetsMax)
            return RevisionMessage(
                revision: summary, collectors: try await query.collectors(connection),
                targets: try await query.run(connection))
        }
        var json = JSONWriter()
        JSONShape.revisionMessage.write(message, to: &json)
        return Array("event: revision\nid: \(number)\ndata: ".utf8) + json.bytes + Array("\n\n".utf8)
    }
}

/// What one event of the feed holds.
struct RevisionMessage: Sendable {
    var revision: RevisionSummary
    var collectors: [CollectorEvent]
    var targets: HistoryPage<TargetEvent, EventCursor>
}

extension JSONShape where Value == RevisionMessage {
    static let revisionMessage = JSONShape(
        "RevisionMessage", "The data of an event named `revision`: one revision, whole.",
        [
            .object("revision", "The revision.", .revision) { $0.revision },
            .objects("collector_events", "What it did to collectors.", .collectorEvent) { $0.collectors },
            .objects("target_events", "What it did to targets.", .targetEvent) { $0.targets.items },
            .boolean("truncated", "There are more target events, at `/revisions/{revision}/events`.") {
                $0.targets.next != nil
            },
        ])
}

/// The writing end of one client.
// @unchecked: only the task that makes the body writes, and the one that ends the body does so after it.
final class FeedClient: @unchecked Sendable {
    private var writer: any ResponseBodyWriter
    private let writingSince = Mutex<ContinuousClock.Instant?>(nil)

    init(_ writer: any ResponseBodyWriter) { self.writer = writer }

    func send(_ text: [UInt8]) async throws {
        writingSince.withLock { $0 = .now }
        try await writer.write(ByteBuffer(bytes: text))
        writingSince.withLock { $0 = nil }
    }

    func finish() async throws { try await writer.finish(nil) }

    /// Whether the client has not taken what it was sent for this long.
    func isStuck(longerThan limit: Duration) -> Bool {
        writingSince.withLock { $0.map { $0.duration(to: .now) > limit } ?? false }
    }
}

extension HTTPField.Name {
    /// Both names are tokens.
    fileprivate static let lastEventID = HTTPField.Name("Last-Event-ID")!
    // A constant token.
    fileprivate static let xAccelBuffering = HTTPField.Name("X-Accel-Buffering")!
}
