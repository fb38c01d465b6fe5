import AllocationCore
import AllocatorRuntime
import PostgresDriver
import TestSupport
import Testing

@testable import AllocationLedger

/// Goal: replay of the events, the current tables and the memory of every replica are the same at each revision, whoever
/// has written; and nothing that is not what its digest says is ever applied.
///
/// Method: random histories recorded by the real writer; replicas follow in steps of random size, then one of them leads.
@Suite struct LedgerTailTests {
    @Test("A replica that follows holds what was written, at every revision it stops at", arguments: [1, 2, 3, 4])
    func follows(seed: UInt64) async throws {
        try await LedgerFixture.with { ledger in
            var workload = HistoryWorkload(seed: seed)
            var replica = try await LedgerReplica(ledger.configuration)
            var applied = 0
            for step in 0..<120 {
                try await workload.step(&ledger)
                if Int.random(in: 0..<4, using: &workload.random) == 0 || step == 119 {
                    applied += try await replica.follow()
                    #expect(replica.state.contents == ledger.state.contents)
                    #expect(replica.state.collectorNames == ledger.state.collectorNames)
                }
            }
            #expect(replica.head?.digest == (try await replica.writer.currentHead())?.digest)
            #expect(applied == workload.model.latest, "one by one, never by loading: \(replica.decisions)")
            var loaded = try await LedgerReplica(ledger.configuration)
            #expect(loaded.state.contents == replica.state.contents)
            #expect(try await loaded.follow() == 0)
            await replica.writer.close()
            await loaded.writer.close()
        }
    }

    @Test("A follower leads from where it is, without loading, and the one that led follows it", arguments: [5, 6])
    func takesOver(seed: UInt64) async throws {
        try await LedgerFixture.with { ledger in
            var workload = HistoryWorkload(seed: seed)
            var replica = try await LedgerReplica(ledger.configuration)
            for _ in 0..<40 { try await workload.step(&ledger) }
            try await replica.follow()
            var next = try await replica.lead(ledger.configuration)
            var watcher = try await LedgerReplica(ledger.configuration)
            // What has no source here stays until its job's discovery has shown that it is gone.
            let known = next.state.contents
            try await next.append(next.collectors(["a", "b", "c", "new"]), cause: .membership)
            #expect(Set(next.state.contents.keys) == Set(known.keys))
            for round in 0..<20 {
                let change = next.discover((0..<30).map { next.target($0, generation: round + $0 % 3) }, job: "shop")
                if !change.isEmpty { try await next.append(change) }
            }
            try await watcher.follow()
            #expect(watcher.state.contents == next.state.contents)
            let loaded = try await LedgerReplica(ledger.configuration)
            #expect(loaded.state.contents == next.state.contents)
            // The old leader's writer is fenced; its state follows like any other's.
            await #expect(throws: LedgerError.self) { try await ledger.append(ledger.collectors(["z"])) }
            for writer in [replica.writer, watcher.writer, loaded.writer] { await writer.close() }
        }
    }

    @Test("Ids are forgotten when a state is loaded: a database that lost commits gives them to others")
    func forgetsIDs() async throws {
        try await LedgerFixture.with { ledger in
            var workload = HistoryWorkload(seed: 11)
            var replica = try await LedgerReplica(ledger.configuration)
            for _ in 0..<20 { try await workload.step(&ledger) }
            try await replica.follow()
            #expect(await !replica.writer.tailNames.labels.isEmpty)
            try await replica.load()
            let names = await replica.writer.tailNames
            #expect(names.labels.isEmpty && names.jobs.isEmpty && names.collectors.isEmpty && names.rings.isEmpty)
            await replica.writer.close()
        }
    }

    @Test("Snapshots advanced along the log serve the lists of one made from the whole state")
    func lists() async throws {
        try await LedgerFixture.with { ledger in
            var workload = HistoryWorkload(seed: 9)
            var replica = try await LedgerReplica(ledger.configuration)
            let nothing = ScrapeConfigDocument(redacted: Array("{}".utf8), clear: nil)
            var served: AllocationSnapshot?
            for _ in 0..<60 {
                try await workload.step(&ledger)
                guard let head = try await replica.writer.currentHead(), head.digest != replica.head?.digest else {
                    continue
                }
                let change = try await replica.followOne()
                served =
                    served?.advanced(by: change, state: replica.state, head: head)
                    ?? AllocationSnapshot(state: replica.state, head: head, scrapeConfigs: nothing)
                let whole = AllocationSnapshot(state: replica.state, head: head, scrapeConfigs: nothing)
                #expect(served.map(Self.lists) == Self.lists(whole))
            }
            await replica.writer.close()
        }
    }

    private static func lists(_ snapshot: AllocationSnapshot) -> [String: [String]] {
        var lists: [String: [String]] = [:]
        for job in snapshot.jobs {
            for collector in snapshot.collectors {
                guard let list = snapshot.targetList(job: job.name, collector: collector) else { continue }
                lists["\(job.name) \(collector)"] = list.targets.map { target in
                    "\(target.identity.rawValue) \(target.labels.dictionary(in: snapshot.table).sorted { $0.key < $1.key })"
                }
            }
        }
        return lists
    }

    @Test(
        "A revision that is not what its digest says is not applied",
        arguments: [
            "UPDATE ledger.target_event SET collector_after = 1 WHERE revision = 3 AND ordinal = 0",
            "UPDATE ledger.revision SET cause_detail = 'another' WHERE revision = 3",
            "DELETE FROM ledger.target_event WHERE revision = 3 AND ordinal = 0",
        ])
    func refusesWhatIsAltered(statement: String) async throws {
        try await LedgerFixture.with { ledger in
            try await ledger.fill(10)
            var replica = try await LedgerReplica(ledger.configuration)
            try await ledger.append(ledger.discover((5..<20).map { ledger.target($0) }))
            let before = replica.state.contents
            try await ledger.script(
                "ALTER TABLE ledger.target_event DISABLE TRIGGER ALL; ALTER TABLE ledger.revision DISABLE TRIGGER ALL;"
                    + "SET session_replication_role = replica; " + statement)
            await #expect(throws: LedgerError.self) { try await replica.follow() }
            #expect(replica.state.contents == before)
            #expect(replica.head?.revision.number == 2)
            await replica.writer.close()
        }
    }

    @Test("A replica whose memory is not what was recorded notices, and loads")
    func noticesItsOwnError() async throws {
        try await LedgerFixture.with { ledger in
            try await ledger.fill(10)
            var replica = try await LedgerReplica(ledger.configuration)
            _ = replica.state.apply(configuredJobs: [])
            try await ledger.append(ledger.discover((5..<20).map { ledger.target($0) }))
            await #expect(throws: LedgerError.self) { try await replica.follow() }
            try await replica.load()
            #expect(replica.state.contents == ledger.state.contents)
            await replica.writer.close()
        }
    }

    @Test("A replica that is ahead of the database keeps what it has and says that it is a fork")
    func fork() async throws {
        try await LedgerFixture.with { ledger in
            try await ledger.fill(10)
            var replica = try await LedgerReplica(ledger.configuration)
            let before = replica.state.contents
            try await ledger.script(
                """
                SET session_replication_role = replica;
                UPDATE ledger.head h SET revision = r.revision, epoch = r.epoch, at = r.at, digest = r.digest
                FROM ledger.revision r WHERE r.revision = 1
                """)
            try await replica.follow()
            #expect(replica.log.fork?.head.revision == 1)
            #expect(replica.log.applied?.revision == 2)
            #expect(replica.state.contents == before)
            await replica.writer.close()
        }
    }
}
