import Foundation
import PostgresDriver
import Synchronization
import TestSupport
import Testing

/// Goal: a new leader takes nothing away because it has not found it yet: an empty first discovery after a takeover is no
/// discovery at all, and neither is a collector watch that has not seen its source.
///
/// Method: two real processes that discover over HTTP; the second one's server gives no answer, and its file of collectors
/// is missing. The first is killed.
@Suite struct TakeoverTests {
    @Test(
        "A leader whose discovery has shown nothing yet removes no target and no collector; then it removes what is gone"
    )
    @ProcessTests func emptyFirstDiscovery() async throws {
        try await TestPostgres.withDatabase { connectionString in
            let list = #"[{"targets": ["a:1", "b:1", "c:1", "d:1"]}]"#
            let answering = try TestServer { _, connection in connection.answer("200 OK", list) }
            let later = Mutex<String?>(nil)
            let silent = try TestServer { _, connection in
                guard let body = later.withLock(\.self) else {
                    return connection.answer("503 Service Unavailable", "")
                }
                connection.answer("200 OK", body)
            }
            func jobs(_ server: TestServer) -> String {
                "    - {job_name: shop, http_sd_configs: [{url: '\(server.url("/"))', refresh_interval: 1s}]}"
            }
            let first = try AllocatorProcess(jobs: jobs(answering), database: connectionString)
            try first.write(collectors: ["one", "two"])
            try first.start()
            try first.wait(for: "/jobs/shop/targets") { $0.text.contains("d:1") }
            let second = try AllocatorProcess(jobs: jobs(silent), database: connectionString)
            try second.start()
            try second.wait { $0.status == 200 && $0.text.contains("following") }
            let before = try ["one", "two"].map { try first.targets(job: "shop", collector: $0).body }
            first.kill()
            try second.wait { $0.text.contains("leading") }
            // Its discovery has failed several times within this term.
            let asked = silent.received.count
            try second.wait { _ in silent.received.count > asked + 3 }
            #expect(try ["one", "two"].map { try second.targets(job: "shop", collector: $0).body } == before)
            // Now it shows what there is, and that counts.
            try second.write(collectors: ["one", "two"])
            later.withLock { $0 = #"[{"targets": ["a:1"]}]"# }
            try second.wait(for: "/jobs/shop/targets") { $0.text.contains("a:1") && !$0.text.contains("d:1") }
            #expect(second.stop() == 0)
        }
    }

    @Test("What changes while a term begins does not take away what did not change then")
    @ProcessTests func changesMeanwhile() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "takeover-\(UUID().uuidString.prefix(8))")
        let churn = try Churn(folder: folder, seed: 1, every: 20_000)
        defer {
            churn.stop()
            try? FileManager.default.removeItem(at: folder)
        }
        try await TestPostgres.withDatabase { connectionString in
            let replicas = try (0..<2).map { _ in
                try AllocatorProcess(
                    jobs: "    - {job_name: shop, file_sd_configs: [{files: ['\(folder.path())/targets/*.json']}]}",
                    ledger: "  collectors: {file: '\(folder.path())/collectors'}", database: connectionString)
            }
            for replica in replicas {
                try replica.start()
                let last = "\"10.0.\(Churn.fileCount - 1)."
                try replica.wait(for: "/jobs/shop/targets") { $0.text.contains(last) }
            }
            churn.start()
            for round in 0..<6 {
                let (leader, next) = (replicas[round % 2], replicas[(round + 1) % 2])
                try next.wait { $0.status == 200 && $0.text.contains("following") }
                #expect(leader.stop() == 0)
                try next.wait { $0.text.contains("leading") }
                let revision = try next.get("/jobs").revision ?? 0
                try next.wait(for: "/jobs") { $0.revision ?? 0 > revision + 5 }
                try leader.start()
            }
            let connection = try await PostgresConnection.connect(
                try PostgresConfiguration(connectionString: connectionString), logger: TestPostgres.logger)
            // A file always names as many targets as before.
            let rows = try await connection.query(
                "SELECT count(*), count(*) FILTER (WHERE targets_removed > targets_added) FROM ledger.revision")
            await connection.close()
            let row = try #require(rows.first)
            #expect(try row.decode(0, as: Int64.self) > 30)
            #expect(try row.decode(1, as: Int64.self) == 0)
            for replica in replicas { replica.stop() }
        }
    }

    @Test("A cold replica asks nobody before it leads, and then does")
    @ProcessTests func cold() async throws {
        try await TestPostgres.withDatabase { connectionString in
            let list = #"[{"targets": ["a:1", "b:1"]}]"#
            let one = try TestServer { _, connection in connection.answer("200 OK", list) }
            let other = try TestServer { _, connection in connection.answer("200 OK", list) }
            func process(_ server: TestServer) throws -> AllocatorProcess {
                try AllocatorProcess(
                    jobs:
                        "    - {job_name: shop, http_sd_configs: [{url: '\(server.url("/"))', refresh_interval: 1s}]}",
                    ledger: "  collectors: {static: [one]}\n  standby_discovery: cold", database: connectionString)
            }
            let first = try process(one)
            try first.start()
            try first.wait(for: "/jobs/shop/targets") { $0.text.contains("b:1") }
            let second = try process(other)
            try second.start()
            try second.wait { $0.status == 200 && $0.text.contains("following") }
            let asked = one.received.count
            try first.wait { _ in one.received.count > asked + 2 }
            #expect(other.received.isEmpty)
            #expect(first.stop() == 0)
            try second.wait { _ in !other.received.isEmpty }
            #expect(try second.targets(job: "shop", collector: "one").text.contains("b:1"))
            #expect(second.stop() == 0)
        }
    }

    @Test("While a replica with the configuration in force is alive, one with an older one does not win the lease back")
    @ProcessTests func rollingUpdate() async throws {
        try await TestPostgres.withDatabase { connectionString in
            func process(_ job: String) throws -> AllocatorProcess {
                try AllocatorProcess(
                    jobs: "    - {job_name: \(job), static_configs: [{targets: ['a:1', 'b:1']}]}",
                    ledger: "  collectors: {static: [one]}", database: connectionString)
            }
            let (old, new, restarted) = (try process("old"), try process("new"), try process("old"))
            try old.start()
            try old.wait(for: "/jobs/old/targets") { $0.text.contains("b:1") }
            try new.start()
            try new.wait { $0.status == 200 && $0.text.contains("following") }
            #expect(old.stop() == 0)
            try new.wait(for: "/jobs/new/targets") { $0.text.contains("b:1") }
            // In the middle of the update a process of the old version comes back, and later the leader crashes: another
            // one with its configuration is there.
            try restarted.start()
            try restarted.wait { $0.status == 200 && $0.text.contains("following") }
            let successor = try process("new")
            try successor.start()
            try successor.wait { $0.status == 200 && $0.text.contains("following") }
            new.kill()
            try successor.wait { $0.text.contains("leading") }
            #expect(restarted.log.contains("the lease is left to those that have it"))
            #expect(try restarted.get("/readyz").text.contains("following"))
            #expect(try restarted.get("/jobs/new/targets").text.contains("b:1"))
            // Left alone, it leads: better an old configuration than none.
            successor.kill()
            try restarted.wait { $0.text.contains("leading") }
            try restarted.wait(for: "/jobs/old/targets") { $0.text.contains("b:1") }
            #expect(restarted.stop() == 0)
        }
    }
}
