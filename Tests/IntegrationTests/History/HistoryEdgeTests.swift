//
// HistoryEdgeTests.swift: moments that have no answer, lists that are not made of events, and what retention leaves.
//

import AllocationCore
import PostgresDriver
import TestSupport
import Testing

@testable import AllocationLedger

/// Goal: an answer that cannot be given is named, never replaced by an empty one.
///
/// Method: real PostgreSQL, a database for each test; what retention will remove is removed by hand.
@Suite struct HistoryEdgeTests {
    private func read<T: Sendable>(
        _ ledger: LedgerFixture, _ body: @Sendable (isolated PostgresConnection) async throws -> T
    ) async throws -> T {
        try await HistoryReader(ledger.configuration, logger: TestPostgres.logger).read(body)
    }

    @Test("An empty ledger says that it is empty")
    func empty() async throws {
        try await LedgerFixture.with { ledger in
            await #expect(throws: HistoryError.nothingRecorded) {
                try await read(ledger) { try await Instant.latest.resolve($0) }
            }
            let moves = try await read(ledger) { try await MoveQuery().run($0) }
            #expect(moves == HistoryPage(items: [], next: nil))
            let revisions = try await read(ledger) { try await RevisionQuery().run($0) }
            #expect(revisions.items.isEmpty)
        }
    }

    @Test("Before the first, after the last and unknown are different answers")
    func outside() async throws {
        try await LedgerFixture.with { ledger in
            try await ledger.fill(5)
            let bounds = try await read(ledger) { try await RecordedBounds.read($0) }
            #expect(bounds.oldest.revision == Revision(1) && bounds.latest.revision == Revision(2))
            await #expect(throws: HistoryError.notYetWritten(latest: Revision(2))) {
                try await read(ledger) { try await Instant.revision(Revision(3)).resolve($0) }
            }
            await #expect(throws: HistoryError.beforeFirst(bounds.oldest)) {
                try await read(ledger) { try await Instant.revision(Revision(0)).resolve($0) }
            }
            await #expect(throws: HistoryError.beforeFirst(bounds.oldest)) {
                try await read(ledger) {
                    try await Instant.time(bounds.oldest.at.advanced(by: .microseconds(-1))).resolve($0)
                }
            }
            let future = try await read(ledger) { try await Instant.time(.distantFuture).resolve($0) }
            #expect(future == bounds.latest)
            await #expect(throws: HistoryError.unknown("collector z")) {
                try await read(ledger) { try await CollectorHistoryQuery(name: "z").load($0) }
            }
            await #expect(throws: HistoryError.unknown("target 7")) {
                try await read(ledger) {
                    try await TargetHistoryQuery(.target(TargetIdentity(rawValue: 7), job: nil)).run($0)
                }
            }
            await #expect(throws: HistoryError.emptyWindow) {
                try await read(ledger) {
                    try await ReportQuery(since: bounds.latest.at, until: bounds.oldest.at).run($0)
                }
            }
        }
    }

    @Test("Jobs that share an identity must be named")
    func ambiguous() async throws {
        try await LedgerFixture.with { ledger in
            try await ledger.append(ledger.collectors(["a"]), cause: .membership)
            try await ledger.append(ledger.discover([ledger.target(1)], job: "shop"))
            try await ledger.append(ledger.discover([ledger.target(1)], job: "bank"))
            let identity = ledger.target(1).identity
            await #expect(throws: HistoryError.ambiguous("\(identity.rawValue)")) {
                try await read(ledger) { try await TargetHistoryQuery(.target(identity, job: nil)).run($0) }
            }
            let found = try await read(ledger) {
                try await TargetHistoryQuery(.target(identity, job: "bank")).run($0)
            }
            #expect(found.page.items.map(\.revision) == [3])
        }
    }

    @Test("What retention has removed is named, and what it has left is exact")
    func compacted() async throws {
        try await LedgerFixture.with { ledger in
            var workload = HistoryWorkload(seed: 9)
            for _ in 0..<40 { try await workload.step(&ledger) }
            let model = workload.model
            let oldest = model.latest / 2
            try await ledger.script(
                """
                SET session_replication_role = replica;
                DELETE FROM ledger.target_event WHERE revision < \(oldest);
                DELETE FROM ledger.collector_event WHERE revision < \(oldest);
                DELETE FROM ledger.revision WHERE revision < \(oldest)
                """)
            let point = RevisionPoint(revision: Revision(Int64(oldest)), at: model.times[oldest])
            let gone = RevisionPoint(revision: Revision(Int64(oldest - 1)), at: model.times[oldest - 1])
            let error = HistoryError.compacted(oldest: point)
            for instant in [Instant.revision(gone.revision), .time(gone.at)] {
                await #expect(throws: error) { try await read(ledger) { try await instant.resolve($0) } }
            }
            await #expect(throws: error) { try await read(ledger) { try await StateQuery(at: gone).run($0) } }
            await #expect(throws: error) { try await read(ledger) { try await CollectorsQuery(at: gone).run($0) } }
            await #expect(throws: error) {
                try await read(ledger) { try await DiffQuery(from: point, to: gone).run($0) }
            }
            let cursor = EventCursor(revision: gone.revision.number, ordinal: 0)
            await #expect(throws: error) { try await read(ledger) { try await MoveQuery(after: cursor).run($0) } }
            await #expect(throws: error) {
                try await read(ledger) {
                    try await RevisionQuery(after: RevisionCursor(revision: cursor.revision)).run($0)
                }
            }
            await #expect(throws: error) {
                try await read(ledger) { try await ReportQuery(since: gone.at, until: .now()).run($0) }
            }
            for revision in oldest...model.latest {
                let at = RevisionPoint(revision: Revision(Int64(revision)), at: model.times[revision])
                let page = try await read(ledger) { try await StateQuery(at: at, limit: 1000).run($0) }
                #expect(page.items.count == model.states[revision].count)
                let whole = try await read(ledger) { try await StateWalk(at: at, $0).all($0) }
                #expect(whole.count == model.states[revision].count)
                let collectors = try await read(ledger) { try await CollectorsQuery(at: at).run($0) }
                #expect(Set(collectors.collectors.filter(\.isPresent).map(\.name)) == model.collectors[revision])
            }
        }
    }

    @Test("Reading all labels of a name and asking for each find the same label sets")
    func filterModes() async throws {
        try await LedgerFixture.with { ledger in
            try await ledger.fill(300)
            for text in [#"{__meta_pod=~"pod-1|pod-20"}"#, #"{zone!="zone-1"}"#, #"{nothing=""}"#, #"{env="x"}"#] {
                let selection = try LabelSelection(
                    anyOf: [LabelMatcher.parse(text)], regex: HistoryCheck.alternatives)
                let counts = try await read(ledger) { connection in
                    let sets = try await connection.query("SELECT id FROM ledger.label_set").map {
                        try $0.decode(0, as: Int32.self)
                    }
                    var counts: [Int] = []
                    for readAllFrom in [0, .max] {
                        var filter = try await LabelSetFilter(selection, readAllFrom: readAllFrom, connection)
                        counts.append(try await filter.filter(sets, connection) { (1, $0) }.count)
                    }
                    return counts
                }
                #expect(counts[0] == counts[1], "\(text)")
                #expect(
                    counts[0]
                        == [2, 200, 300, 0][["pod", "zone", "noth", "env"].firstIndex { text.contains($0) } ?? 0])
            }
        }
    }

    @Test("Discovery results, gaps and terms come in pages, those of one instant included")
    func otherLists() async throws {
        try await LedgerFixture.with { ledger in
            try await ledger.fill(1)
            let start = Timestamp.now()
            func report(_ source: String, failed: Bool, after: Duration) -> DiscoveryReportDraft {
                DiscoveryReportDraft(
                    job: "shop", provider: "file", source: source, succeeded: !failed, targets: failed ? 0 : 5,
                    error: failed ? "no such file" : nil, durationSeconds: 0.5, at: start.advanced(by: after))
            }
            let first = (0..<5).map { report("\($0)", failed: false, after: .zero) }
            try await ledger.writer.record(reports: first, fencedBy: ledger.token)
            let failures = (0..<2).map { report("\($0)", failed: true, after: .seconds(1)) }
            try await ledger.writer.record(reports: failures, fencedBy: ledger.token)
            var found: [DiscoveryRun] = []
            var after: InstantCursor?
            repeat {
                let cursor = after
                let page = try await read(ledger) {
                    try await JobHistoryQuery(job: "shop", limit: 2).discoveries(after: cursor, $0)
                }
                found += page.items
                after = page.next.flatMap { InstantCursor(text: $0.text) }
            } while after != nil
            #expect(found.map(\.succeeded) == [false, false, true, true, true, true, true])
            #expect(found.map(\.source) == ["0", "1", "0", "1", "2", "3", "4"])
            #expect(found.map(\.isOpen) == [true, true, false, false, true, true, true])
            let failed = try await read(ledger) { try await DiscoveryQuery(failuresOnly: true).run($0) }
            #expect(failed.items.map(\.error) == ["no such file", "no such file"])

            try await ledger.script(
                """
                INSERT INTO ledger.gap SELECT '2026-01-01T00:00:00Z'::timestamptz + n * interval '1 hour',
                    '2026-01-01T00:10:00Z'::timestamptz + n * interval '1 hour', 'stopped', n::text
                FROM generate_series(0, 4) n
                """)
            let gaps = try await read(ledger) { try await GapQuery(limit: 3).run($0) }
            #expect(gaps.items.map(\.detail) == ["4", "3", "2"] && gaps.items[0].seconds == 600)
            let rest = try await read(ledger) { try await GapQuery(limit: 3, after: gaps.next).run($0) }
            #expect(rest.items.map(\.detail) == ["1", "0"] && rest.next == nil)

            _ = try await LedgerFixture.takeLease(ledger.configuration)
            let terms = try await read(ledger) { try await TermQuery(limit: 1).run($0) }
            #expect(terms.items.map(\.epoch) == [2] && terms.items[0].endedAt == nil)
            let earlier = try await read(ledger) { try await TermQuery(limit: 1, after: terms.next).run($0) }
            #expect(earlier.items.map(\.epoch) == [1] && earlier.items[0].endReason != nil && earlier.next == nil)
        }
    }
}
