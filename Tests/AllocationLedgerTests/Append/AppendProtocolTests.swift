//
// AppendProtocolTests.swift
//

import PostgresDriver
import Testing

@testable import AllocationLedger

/// Goal: no change is written twice, and none is given up that waiting can save.
///
/// Method: the replies of a database are handed to the values one by one; nothing waits.
@Suite struct AppendProtocolTests {
    private var append = AppendProtocol()
    private let head = LedgerHead(revision: Revision(7), epoch: 3, at: .now(), digest: .zero)

    @Test("What is committed is concluded")
    mutating func committed() {
        #expect(append.begin() == .write(makingPartitions: false))
        #expect(append.take(.committed(head)) == .conclude(head))
        #expect(!append.isUncertain)
    }

    @Test("A commit that was not heard of is looked up at once, and found")
    mutating func unknownAndFound() {
        _ = append.begin()
        #expect(append.take(.outcomeUnknown) == .lookUp)
        #expect(append.isUncertain)
        #expect(append.take(.found(head)) == .conclude(head))
    }

    @Test("A commit that is known not to have happened ends the attempt; the next one writes")
    mutating func unknownAndUndone() {
        _ = append.begin()
        _ = append.take(.outcomeUnknown)
        #expect(append.take(.found(nil)) == .endAttempt)
        #expect(append.begin() == .write(makingPartitions: false))
    }

    @Test(
        "While the look-up fails nothing is written, however often it is tried; then what it finds decides",
        arguments: [
            AppendProtocol.Reply.failed, .outcomeUnknown, .fenced, .headMoved,
        ])
    mutating func lookUpFails(_ reply: AppendProtocol.Reply) {
        _ = append.begin()
        _ = append.take(.outcomeUnknown)
        for _ in 0..<3 {
            #expect(append.take(reply) == .endAttempt)
            #expect(append.isUncertain)
            #expect(append.begin() == .lookUp)
        }
        #expect(append.take(.found(nil)) == .write(makingPartitions: false))
        #expect(append.take(.committed(head)) == .conclude(head))
    }

    @Test("An attempt that was broken off may have been committed: it is looked up")
    mutating func brokenOff() {
        _ = append.begin()
        #expect(append.begin() == .lookUp)
    }

    @Test(
        "What the database undid ends the attempt, and the next one writes without a question",
        arguments: [AppendProtocol.Reply.failed, .fenced, .headMoved])
    mutating func undone(_ reply: AppendProtocol.Reply) {
        _ = append.begin()
        #expect(append.take(reply) == .endAttempt)
        #expect(append.begin() == .write(makingPartitions: false))
    }

    @Test("Partitions are made once an attempt; a commit not heard of after that is looked up as well")
    mutating func partitions() {
        _ = append.begin()
        #expect(append.take(.noPartition) == .write(makingPartitions: true))
        #expect(append.take(.noPartition) == .endAttempt)
        _ = append.begin()
        _ = append.take(.noPartition)
        #expect(append.take(.outcomeUnknown) == .lookUp)
    }

    @Test("What passes is tried again after pauses that grow to a second, as long as the lease is trusted")
    func retry() {
        var retry = AppendRetry()
        var pauses: [AppendRetry.Action] = []
        for _ in 0..<7 { pauses.append(retry.next(after: .passing, isTrusted: true)) }
        #expect(
            pauses == [50, 100, 200, 400, 800, 1000, 1000].map { .again(after: .milliseconds($0)) })
        #expect(retry.next(after: .passing, isTrusted: false) == .reload)
    }

    @Test("A fence ends the term, trusted or not; what lasts loads the state anew")
    func endings() {
        for isTrusted in [true, false] {
            var retry = AppendRetry()
            #expect(retry.next(after: .fenced, isTrusted: isTrusted) == .stepDown)
            #expect(retry.next(after: .lasting, isTrusted: isTrusted) == .reload)
        }
    }

    @Test("Errors are sorted by what follows from them")
    func failures() {
        let lost = PostgresError(.connectionLost, "gone")
        #expect(AppendRetry.Failure(.unreachable(lost)) == .passing)
        #expect(AppendRetry.Failure(.diskFull(lost)) == .passing)
        #expect(AppendRetry.Failure(.fenced(FencingToken(holder: .random(), epoch: 1))) == .fenced)
        #expect(AppendRetry.Failure(.headMoved(expected: Revision(1), found: Revision(2))) == .lasting)
        #expect(AppendRetry.Failure(.corrupted("x")) == .lasting)
    }
}
