//
// AnswerCacheTests.swift
//

import AllocatorRuntime
import NIOCore
import Synchronization
import Testing

@testable import AllocatorAPI

/// Goal: prepared answers stay within their bound, and what was dropped comes back the same.
@Suite struct AnswerCacheTests {
    private let jobs = (0..<40).map { "job\($0)" }

    private func fixture(cacheBytesMax: Int) -> ResponderFixture {
        let targets = jobs.flatMap { SnapshotFixture.many(20, job: $0, collector: "c") }
        return ResponderFixture(SnapshotFixture.snapshot(targets, collectors: ["c"]), cacheBytesMax: cacheBytesMax)
    }

    private func body(_ fixture: ResponderFixture, _ job: String) throws -> ByteBuffer {
        let request = StandardRequest("/jobs/\(job)/targets?collector_id=c")
        guard case .bytes(let body) = try #require(fixture.responder.respond(to: request, for: .task)).body else {
            throw UnexpectedBody()
        }
        return body
    }

    private struct UnexpectedBody: Error {}

    @Test func theBoundHoldsAndBodiesStayRight() throws {
        let bounded = fixture(cacheBytesMax: 40_000)
        let reference = fixture(cacheBytesMax: 1 << 30)
        for _ in 0..<3 {
            for job in jobs {
                #expect(try body(bounded, job) == body(reference, job))
                #expect(bounded.cache.byteCount <= 40_000)
            }
        }
        #expect(bounded.cache.byteCount > 0)
        #expect(reference.cache.byteCount > 40_000)
    }

    @Test func whatIsAskedForStays() throws {
        let bounded = fixture(cacheBytesMax: 40_000)
        let snapshot = try #require(bounded.publisher.current)
        let favourite = try #require(snapshot.targetList(job: "job0", collector: "c"))
        var hits = 0
        for job in jobs {
            _ = try body(bounded, "job0")
            let answer = favourite.preparedAnswer.withLock { $0 as? PreparedAnswer }
            if answer?.plain != nil { hits += 1 }
            _ = try body(bounded, job)
        }
        #expect(hits == jobs.count)
    }

    @Test func aDroppedListGivesItsBytesBack() throws {
        var fixture = Optional(fixture(cacheBytesMax: 1 << 20))
        let cache = try #require(fixture?.cache)
        for job in jobs { _ = try body(#require(fixture), job) }
        #expect(cache.byteCount > 0)
        fixture = nil
        #expect(cache.byteCount == 0)
    }

    @Test func evictedAnswersKeepTheirTag() throws {
        let bounded = fixture(cacheBytesMax: 40_000)
        var request = StandardRequest("/jobs/job0/targets?collector_id=c")
        request.ifNoneMatch = try #require(bounded.responder.respond(to: request, for: .task)?.etag).text
        for job in jobs.dropFirst() { _ = try body(bounded, job) }
        let held = bounded.cache.byteCount
        #expect(bounded.responder.respond(to: request, for: .eventLoop)?.status == 304)
        #expect(bounded.cache.byteCount == held)
    }

    @Test func whatIsTooLargeIsStreamed() throws {
        let targets = SnapshotFixture.many(3000, job: "j", collector: "c", labelCount: 10)
        let snapshot = SnapshotFixture.snapshot(targets, collectors: ["c"])
        let fixture = ResponderFixture(snapshot, cacheBytesMax: 1 << 20)
        var request = StandardRequest("/jobs/j/targets?collector_id=c")
        request.acceptsGzip = true
        #expect(fixture.responder.respond(to: request, for: .eventLoop) == nil)
        let response = try #require(fixture.responder.respond(to: request, for: .task))
        guard case .pieces(let pieces) = response.body else { throw UnexpectedBody() }
        let whole = AnswerPieces(
            list: try #require(snapshot.targetList(job: "j", collector: "c")), in: snapshot.table)
        #expect(pieces.rendered() == whole.rendered())
        #expect(fixture.cache.byteCount == 0)
        request.ifNoneMatch = try #require(response.etag).text
        #expect(fixture.responder.respond(to: request, for: .eventLoop)?.status == 304)
    }
}
