//
// ShippedMistakesTests.swift: the two mistakes that other allocators ship, in whole processes.
//

import Foundation
import Glibc
import Synchronization
import TestSupport
import Testing

/// Goal: a leader that slept through the end of its lease writes and serves nothing of its old term; a leader that has
/// discovered nothing yet takes nothing away.
///
/// A stale write is refused three times over: by the leader's own clock, the fence and the head's digest. LeaseTests show what
/// the fence alone refuses; here all three together have to.
///
/// Method: real processes; one is stopped while what it discovers goes on changing, one finds its sources empty-handed.
@ProcessTests @Suite struct ShippedMistakesTests {
    private static let collectors = ["one", "two", "three"]

    private static func process(_ folder: URL, _ database: String) throws -> AllocatorProcess {
        try AllocatorProcess(
            jobs: "    - {job_name: shop, file_sd_configs: [{files: ['\(folder.path())*.json']}]}",
            ledger: "  collectors: {static: [one, two, three]}", database: database)
    }

    private static func write(_ folder: URL, _ name: String, _ addresses: [String]) throws {
        let list = addresses.map { "\"\($0)\"" }.joined(separator: ",")
        let draft = folder.appending(path: "draft")
        try "[{\"targets\": [\(list)]}]".write(to: draft, atomically: false, encoding: .utf8)
        guard rename(draft.path(), folder.appending(path: name + ".json").path()) == 0 else {
            throw AllocatorProcess.Failure(description: "rename: errno \(errno)")
        }
    }

    /// A folder of its own for what is discovered.
    private static func folder() throws -> URL {
        let folder = FileManager.default.temporaryDirectory.appending(
            path: "mistakes-\(UUID().uuidString.prefix(8))/", directoryHint: .isDirectory)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return folder
    }

    /// Two replicas that serve thirty targets.
    private static func startTwo(on folder: URL, _ server: PlainServer) throws -> [AllocatorProcess] {
        try write(folder, "a", (0..<30).map { "10.0.0.\($0):80" })
        let replicas = try (0..<2).map { _ in try process(folder, server.url()) }
        for replica in replicas {
            try replica.start()
            try replica.wait(for: "/jobs/shop/targets") { $0.text.contains("10.0.0.29:80") }
        }
        return replicas
    }

    // MARK: A paused leader that wakes up and writes

    @Test("A leader that was stopped beyond its lease records and serves nothing of its term when it goes on")
    func pausedLeader() throws {
        let server = try PlainServer()
        let shared = try Self.folder()
        defer { try? FileManager.default.removeItem(at: shared) }
        let replicas = try Self.startTwo(on: shared, server)
        for round in 1...3 {
            guard let sleeper = try replicas.first(where: { try $0.get("/readyz").text.contains("leading") }),
                let other = replicas.first(where: { $0 !== sleeper }), let process = sleeper.identifier
            else { throw AllocatorProcess.Failure(description: "nobody leads") }
            let epoch = try Self.epoch(server)
            Glibc.kill(process, SIGSTOP)
            // It will find this when it wakes, before it hears anything else.
            try Self.write(shared, "a", (round..<30 + round).map { "10.0.0.\($0):80" })
            try other.wait { $0.text.contains("leading") }
            try OutageFixture.wait("the other one records") {
                try server.value("SELECT max(epoch) > \(epoch) FROM ledger.revision") == "t"
            }
            // And this the moment it goes on, so that it has something to write.
            for number in 0..<20 {
                try Self.write(shared, "b\(number)", ["10.\(round).1.\(number):80"])
                if number == 5 { Glibc.kill(process, SIGCONT) }
            }
            try Self.expectSame(replicas, has: "10.\(round).1.19:80")
            let stale = try server.sql(
                """
                SELECT r.revision, r.epoch, r.at, t.epoch, t.acquired_at FROM ledger.revision r JOIN ledger.term t \
                ON t.epoch > r.epoch AND t.acquired_at < r.at
                """)
            #expect(stale == [], "written in a term that was over")
            #expect(try sleeper.get("/readyz").text.contains("following"))
        }
        #expect(try RecordedHistory.brokenRules(server) == [])
        try Self.expectServedIsRecorded(replicas, server)
        for replica in replicas { #expect(replica.stop() == 0) }
    }

    @Test("A leader that is stopped in the middle of a write records nothing once another one has its lease")
    func pausedInAWrite() throws {
        let server = try PlainServer()
        let shared = try Self.folder()
        defer { try? FileManager.default.removeItem(at: shared) }
        let replicas = try Self.startTwo(on: shared, server)
        guard let sleeper = try replicas.first(where: { try $0.get("/readyz").text.contains("leading") }),
            let process = sleeper.identifier
        else { throw AllocatorProcess.Failure(description: "nobody leads") }
        // A write that comes now waits for the head, behind its fence, until long after its lease has run out.
        let holder = Thread {
            _ = try? server.sql("BEGIN; SELECT FROM ledger.head FOR UPDATE; SELECT pg_sleep(8); COMMIT")
        }
        holder.start()
        func waiting(_ event: String) throws -> Bool {
            try server.value("SELECT count(*) FROM pg_stat_activity WHERE datname = 'ledger' AND \(event)") != "0"
        }
        try OutageFixture.wait("the head is held") { try waiting("wait_event = 'PgSleep'") }
        try Self.write(shared, "b", ["10.1.1.1:80"])
        try OutageFixture.wait("the leader's write waits") { try waiting("wait_event_type = 'Lock'") }
        Glibc.kill(process, SIGSTOP)
        try OutageFixture.wait("the head is free") { try !waiting("wait_event = 'PgSleep'") }
        Glibc.kill(process, SIGCONT)
        try Self.write(shared, "c", ["10.1.1.2:80"])
        try Self.expectSame(replicas, has: "10.1.1.2:80")
        #expect(try RecordedHistory.brokenRules(server) == [])
        try Self.expectServedIsRecorded(replicas, server)
        for replica in replicas { #expect(replica.stop() == 0) }
    }

    private static func epoch(_ server: PlainServer) throws -> Int {
        Int(try server.value("SELECT epoch FROM ledger.lease")) ?? 0
    }

    private static func expectSame(_ replicas: [AllocatorProcess], has address: String) throws {
        try OutageFixture.wait("all serve \(address)") {
            try replicas.allSatisfy { try $0.get("/jobs/shop/targets").text.contains("\"\(address)\"") }
        }
        try OutageFixture.wait("all serve the same") {
            let answers = try replicas.map { try $0.get("/jobs/shop/targets") }
            return Set(answers.map(\.body)).count == 1 && Set(answers.map(\.revision)).count == 1
        }
    }

    private static func expectServedIsRecorded(_ replicas: [AllocatorProcess], _ server: PlainServer) throws {
        let history = try RecordedHistory.read(server, job: "shop", collectors: Self.collectors)
        for replica in replicas {
            let answer = try replica.get("/jobs/shop/targets")
            let revision = try #require(answer.revision.map { Int64($0) })
            var isSame = false
            history.replay(only: [revision]) { _, state in
                isSame = state.digests()[.everyList] == ServedAnswer.digest(answer.body)
            }
            #expect(isSame, "revision \(revision) is served otherwise than recorded")
        }
    }

    // MARK: An empty first discovery after takeover

    @Test("A new leader whose sources have shown nothing takes no target and no collector away, whatever fails")
    func emptyFirstDiscovery() throws {
        let server = try PlainServer()
        let (full, empty) = (try Self.folder(), try Self.folder())
        defer { for folder in [full, empty] { try? FileManager.default.removeItem(at: folder) } }
        let list = #"[{"targets": ["h:1", "h:2", "h:3", "h:4", "h:5", "h:6"]}]"#
        let answering = try TestServer { _, connection in connection.answer("200 OK", list) }
        let isSilent = Mutex(true)
        let silent = try TestServer { _, connection in
            if isSilent.withLock(\.self) { usleep(200_000) } else { connection.answer("200 OK", list) }
        }
        let nobody = try PlainHTTP.freePort()
        func process(_ folder: URL, _ shop: String, _ depot: TestServer) throws -> AllocatorProcess {
            try AllocatorProcess(
                jobs: """
                        - {job_name: shop, http_sd_configs: [{url: '\(shop)', refresh_interval: 1s}]}
                        - {job_name: depot, http_sd_configs: [{url: '\(depot.url("/"))', refresh_interval: 1s}]}
                    """, ledger: "  collectors: {file: '\(folder.path())collectors'}", database: server.url())
        }
        try (Self.collectors.joined(separator: "\n") + "\n")
            .write(to: full.appending(path: "collectors"), atomically: true, encoding: .utf8)
        let first = try process(full, answering.url("/"), answering)
        try first.start()
        for job in ["shop", "depot"] {
            try first.wait(for: "/jobs/\(job)/targets") { $0.text.contains("h:6") && $0.text.contains("three") }
        }
        func lists(_ process: AllocatorProcess) throws -> [[UInt8]] {
            try Self.collectors.flatMap { collector in
                try ["shop", "depot"].map { try process.targets(job: $0, collector: collector).body }
            }
        }
        let before = try lists(first)
        // One source refuses, one takes the question and is silent, the collectors' file is not there.
        let second = try process(empty, "http://127.0.0.1:\(nobody)/", silent)
        try second.start()
        try second.wait { $0.status == 200 && $0.text.contains("following") }
        first.kill()
        try second.wait { $0.text.contains("leading") }
        let asked = silent.received.count
        try second.wait(seconds: 60) { _ in silent.received.count > asked + 3 }
        #expect(try lists(second) == before)
        let removed = try server.value(
            "SELECT count(*) FROM ledger.target_event WHERE label_set_after IS NULL OR collector_after IS NULL")
        #expect(removed == "0")
        #expect(try server.value("SELECT count(*) FROM ledger.collector_event WHERE kind = 2") == "0")
        #expect(second.stop() == 0)
    }
}
