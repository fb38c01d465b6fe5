//
// LedgerReplica.swift: a follower without a process: the state, the log and the session of one, driven by the test.
//

import AllocationCore
import PostgresDriver
import Synchronization
import TestSupport
import Testing

@testable import AllocationLedger

/// One replica that follows, with a label table of its own, as another process has.
struct LedgerReplica {
    let table = LabelTable()
    let writer: LedgerWriter
    var log = FollowerLog()
    var state: AllocationState
    private(set) var head: LedgerHead?
    /// Decisions in order, but for those to do nothing.
    private(set) var decisions: [FollowerLog.Decision] = []

    init(_ configuration: PostgresConfiguration) async throws {
        writer = LedgerWriter(configuration: configuration, table: table, logger: TestPostgres.logger)
        state = AllocationState(table: table, strategy: LedgerFixture.strategy)
        try await load()
    }

    mutating func load() async throws {
        let loaded = try await writer.load(into: AllocationLoader(table: table, strategy: LedgerFixture.strategy))
        (state, head) = (loaded.state, loaded.head)
        log.loaded(FollowerLog.Tip(head), now: .now)
    }

    /// Applies what there is up to the head.
    ///
    /// - Returns: Revisions applied one by one.
    @discardableResult
    mutating func follow() async throws -> Int {
        var count = 0
        while true {
            let (log, targets) = (log, state.targetCount)
            let seen = Seen()
            let batch = try await writer.tail(behind: head) { reading in
                seen.take(reading)
                var copy = log
                return copy.read(reading, targets: targets, now: .now)
            }
            if let reading = seen.reading { _ = self.log.read(reading, targets: targets, now: .now) }
            if batch.decision != .upToDate { decisions.append(batch.decision) }
            switch batch.decision {
            case .upToDate, .forked: return count
            case .reload:
                try await load()
                return count
            case .apply(_, let readMore):
                for revision in batch.revisions {
                    guard let change = revision.apply(to: &state) else {
                        throw LedgerError.corrupted("revision \(revision.head.revision) does not fit")
                    }
                    head = revision.head
                    self.log.applied(through: revision.link, now: .now)
                    await writer.follow(revision, change)
                    count += 1
                }
                guard readMore else { return count }
            }
        }
    }

    /// The state is that of this revision.
    mutating func take(_ revision: RecordedRevision) {
        head = revision.head
        log.loaded(FollowerLog.Tip(revision.head), now: .now)
    }

    /// Takes the lease and goes on from here, without loading.
    mutating func lead(_ configuration: PostgresConfiguration) async throws -> LedgerFixture {
        let token = try await LedgerFixture.takeLease(configuration)
        #expect(try await writer.prepareToLead()?.digest == head?.digest)
        return LedgerFixture(going: configuration, table: table, writer: writer, token: token, state: state)
    }

    private final class Seen: Sendable {
        private let value = Mutex<FollowerLog.Reading?>(nil)
        var reading: FollowerLog.Reading? { value.withLock(\.self) }
        func take(_ reading: FollowerLog.Reading) { value.withLock { $0 = reading } }
    }
}

extension LedgerReplica {
    /// Applies the one revision that there is.
    mutating func followOne() async throws -> AllocationChange {
        let (log, targets) = (log, state.targetCount)
        let batch = try await writer.tail(behind: head) { reading in
            var copy = log
            return copy.read(reading, targets: targets, now: .now)
        }
        guard let revision = batch.revisions.first, batch.revisions.count == 1,
            let change = revision.apply(to: &state)
        else { throw LedgerError.corrupted("expected one revision, and got \(batch.decision)") }
        take(revision)
        await writer.follow(revision, change)
        return change
    }
}
