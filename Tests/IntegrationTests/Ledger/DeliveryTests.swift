import AllocationCore
import PostgresDriver
import TestSupport
import Testing

@testable import AllocationLedger

/// Goal: fetches before and after a membership change tell how its targets passed from owner to owner; what is not known
/// is not zero; nothing is recorded twice.
///
/// Method: a real ledger; notes with instants of the past, so that times lie apart without waiting.
@Suite struct DeliveryTests {
    private struct Recorder {
        let fixture: LedgerFixture
        let pool: PostgresPool
        let appender: DeliveryAppender

        init(_ fixture: LedgerFixture) {
            self.fixture = fixture
            pool = PostgresPool(fixture.configuration, size: 1, logger: TestPostgres.logger)
            appender = DeliveryAppender(replica: .random(), pool: pool)
        }

        /// - Parameter at: Seconds from now.
        @discardableResult
        func fetch(_ collector: String, _ revisions: ClosedRange<Int64>, at seconds: Double) async throws -> Int {
            try await appender.append(
                [
                    DeliveryNote(
                        collector: collector, job: "shop", revisions: revisions,
                        at: Timestamp(microsecondsSince1970: 0), fetchedAt: .now + .seconds(seconds))
                ], deadline: .now + .seconds(30))
        }
    }

    private func withRecorder(_ body: (inout LedgerFixture, Recorder) async throws -> Void) async throws {
        try await LedgerFixture.with { fixture in
            let recorder = Recorder(fixture)
            do {
                try await body(&fixture, recorder)
            } catch {
                await recorder.pool.close()
                throw error
            }
            await recorder.pool.close()
        }
    }

    private func moves(_ fixture: LedgerFixture, at revision: Int64) async throws -> [TargetEvent] {
        try await HistoryReader(fixture.configuration, logger: TestPostgres.logger).read { connection in
            try await MoveQuery().events(connection).items.filter { $0.revision == revision }
        }
    }

    @Test("Old first leaves targets without a collector, new first gives them two; who never fetched is not known")
    func handovers() async throws {
        try await withRecorder { fixture, recorder in
            try await fixture.append(fixture.collectors(["a", "b", "c"]), cause: .membership)
            try await fixture.append(fixture.discover((0..<60).map { fixture.target($0) }))
            for name in ["a", "b", "c"] { #expect(try await recorder.fetch(name, 2...2, at: 0) == 1) }
            // Everybody who stays gives targets to the one that comes.
            try await fixture.append(fixture.collectors(["a", "b", "c", "d"]), cause: .membership)
            try await recorder.fetch("a", 3...3, at: 10)
            try await recorder.fetch("d", 3...3, at: 25)
            try await recorder.fetch("b", 3...3, at: 60)

            let joined = try await moves(fixture, at: 3).filter { $0.to == "d" }
            #expect(Set(joined.compactMap(\.from)) == ["a", "b", "c"])
            for event in joined {
                let handover = event.handover
                #expect(handover.learnedByNew != nil)
                switch event.from {
                case "a":
                    #expect(abs((handover.ownerlessSeconds ?? -1) - 15) < 5)
                    #expect(handover.doublyOwnedSeconds == 0)
                case "b":
                    #expect(abs((handover.doublyOwnedSeconds ?? -1) - 35) < 5)
                    #expect(handover.ownerlessSeconds == 0)
                default:
                    #expect(handover.learnedByOld == nil && handover.ownerlessSeconds == nil)
                    #expect(handover.doublyOwnedSeconds == nil)
                }
            }

            // A collector that dies ends when it left.
            try await fixture.append(fixture.collectors(["a", "b", "c"]), cause: .membership)
            try await recorder.fetch("a", 4...4, at: 90)
            let left = try await moves(fixture, at: 4).filter { $0.from == "d" && $0.to == "a" }
            #expect(!left.isEmpty)
            for event in left {
                #expect(event.handover.learnedByOld == nil && event.handover.oldLeft == event.at)
                #expect(abs((event.handover.ownerlessSeconds ?? -1) - 90) < 10)
            }

            let report = try await HistoryReader(fixture.configuration, logger: TestPostgres.logger).read {
                try await ReportQuery(
                    since: .now().advanced(by: .seconds(-3600)), until: .distantFuture
                ).run($0)
            }
            let all = try await moves(fixture, at: 3) + moves(fixture, at: 4)
            let known = all.compactMap(\.handover.ownerlessSeconds)
            #expect(report.handovers.moves == Int64(all.count { $0.from != nil && $0.to != nil }))
            #expect(report.handovers.known == Int64(known.count))
            #expect(abs(report.handovers.ownerlessSeconds - known.reduce(0, +)) < 0.01)
            #expect(report.handovers.jobs.map(\.job) == ["shop"])
            #expect(report.handovers.worst.count == known.count)
            let worst = report.handovers.worst.map {
                max($0.handover.ownerlessSeconds ?? 0, $0.handover.doublyOwnedSeconds ?? 0)
            }
            #expect(worst == worst.sorted(by: >))
        }
    }

    @Test("A target's life tells when its owners learned of it")
    func life() async throws {
        try await withRecorder { fixture, recorder in
            try await fixture.append(fixture.collectors(["a"]), cause: .membership)
            try await fixture.append(fixture.discover([fixture.target(0)]))
            try await recorder.fetch("a", 2...2, at: 0)
            try await fixture.append(fixture.collectors(["b"]), cause: .membership)
            try await recorder.fetch("b", 3...3, at: 5)
            let identity = fixture.target(0).identity
            for oldestFirst in [true, false] {
                let story = try await HistoryReader(fixture.configuration, logger: TestPostgres.logger).read {
                    try await TargetHistoryQuery(
                        .target(identity, job: nil), oldestFirst: oldestFirst, withFetches: true
                    ).run($0).page.items
                }
                let codes = story.map { $0.kinds.codes.joined(separator: "+") + ($0.fetchedBy.map { " \($0)" } ?? "") }
                let expected = ["discovered+assigned", "fetched a", "moved", "fetched b"]
                #expect(codes == (oldestFirst ? expected : expected.reversed()))
            }
        }
    }

    @Test("The same fetch again, by this process or after a restart, adds no row")
    func once() async throws {
        try await withRecorder { fixture, recorder in
            try await fixture.append(fixture.collectors(["a"]), cause: .membership)
            try await fixture.append(fixture.discover([fixture.target(0), fixture.target(1)]))
            #expect(try await recorder.fetch("a", 2...2, at: 0) == 1)
            #expect(try await recorder.fetch("a", 2...2, at: 1) == 0)
            // A restart does not know when the list changed, the ledger does.
            #expect(try await recorder.fetch("a", 0...2, at: 2) == 0)
            try await fixture.append(fixture.discover([fixture.target(0), fixture.target(1), fixture.target(2)]))
            try await fixture.append(fixture.discover([fixture.target(0), fixture.target(1)]))
            let restarted = Recorder(fixture)
            #expect(try await restarted.fetch("a", 0...4, at: 3) == 1)
            await restarted.pool.close()
            #expect(try await fixture.number("SELECT max(revision) FROM ledger.delivery") == 4)
            try await fixture.append(fixture.discover([fixture.target(0), fixture.target(1)], job: "other"))
            try await fixture.append(fixture.discover([fixture.target(0)]))
            // Loaded while it followed: the list changed at one of two revisions.
            #expect(try await recorder.fetch("a", 5...6, at: 4) == 1)
            #expect(try await recorder.fetch("a", 5...6, at: 5) == 0)
            #expect(try await fixture.number("SELECT max(revision) FROM ledger.delivery") == 6)
            #expect(try await fixture.number("SELECT count(*) FROM ledger.delivery") == 3)
        }
    }
}
