//
// OutageHoldTests.swift: the database goes away in each way in which one does, and nothing changes until it is back.
//

import Foundation
import TestSupport
import Testing

/// Goal: while PostgreSQL is stopped, frozen, or reachable for others only, everyone serves the last revision marked as old
/// and stays ready; what happened meanwhile is recorded when it is back, with the gap; a start without it serves the last
/// state from the disk, or says 503 where there is none.
///
/// Method: real processes on real servers. Read-only, full, and refusing servers are in DatabaseBadInputTests.
@ProcessTests @Suite struct OutageHoldTests {
    @Test("A server that is stopped, and one that is frozen: the last revision stays, and the gap is recorded")
    func stoppedAndFrozen() throws {
        let server = try PlainServer()
        let process = try OutageFixture.process(server.url(), "hold")
        try process.start()
        try OutageFixture.waitUntilServed("10.0.0.39:80", process)
        for (name, message, fault, lift) in [
            (
                "stopped", "the database cannot be reached: ", { try server.stop() }, { try server.start() }
            ),
            (
                "frozen", "the database cannot be reached: ", { server.freeze(true) }, { server.freeze(false) }
            ),
        ] as [(String, String, () throws -> Void, () throws -> Void)] {
            let (before, revision) = (try OutageFixture.bodies(process), try process.get("/jobs").revision)
            let gaps = try server.value("SELECT count(*) FROM ledger.gap")
            try fault()
            try process.write(file: "\(name).json", addresses: ["\(name):80"])
            try process.wait(seconds: 90) {
                $0.status == 200 && $0.text.contains("nothing new has been recorded for ")
                    && $0.text.contains(message)
            }
            try OutageFixture.expectHeld(before, revision, process)
            try lift()
            try OutageFixture.waitUntilServed("\(name):80", process)
            try process.wait { $0.status == 200 && !$0.text.contains("nothing new has been recorded") }
            try OutageFixture.wait("the gap of \(name)") {
                try server.value("SELECT count(*) > \(gaps) FROM ledger.gap WHERE cause = 'database_outage'") == "t"
            }
        }
        try OutageFixture.expectWhole(process, server)
        let report = try process.run(["report", "--since", "1h"])
        #expect(report.output.replacing("\\_", with: "_").contains("database_outage"), "\(report.output)")
        #expect(process.stop() == 0)
    }

    @Test("A replica that alone is cut off serves what it has; another takes over; it comes to what that recorded")
    func cutOffAlone() throws {
        let server = try PlainServer()
        try server.sql("CREATE ROLE ann LOGIN SUPERUSER", in: "postgres")
        let first = try OutageFixture.process(server.url("ann"), "hold")
        try first.start()
        try OutageFixture.waitUntilServed("10.0.0.39:80", first)
        let second = try OutageFixture.process(server.url(), "hold")
        try second.start()
        try second.wait(for: "/jobs") { $0.status == 200 }
        let (before, revision) = (try OutageFixture.bodies(first), try first.get("/jobs").revision)

        try server.sql(
            "ALTER ROLE ann NOLOGIN; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'ann'",
            in: "postgres")
        try second.write(file: "b.json", addresses: ["10.0.1.1:80"])
        try OutageFixture.waitUntilServed("10.0.1.1:80", second)
        try first.wait { $0.status == 200 && $0.text.contains("role \"ann\" is not permitted to log in") }
        try OutageFixture.expectHeld(before, revision, first)
        try server.sql("ALTER ROLE ann LOGIN", in: "postgres")
        try OutageFixture.waitUntilServed("10.0.1.1:80", first)
        try OutageFixture.wait("both serve the same") {
            try OutageFixture.bodies(first) == OutageFixture.bodies(second)
        }
        try OutageFixture.expectWhole(second, server)
        first.stop()
        second.stop()
    }

    @Test("A start without the database serves the state from the disk, marked as old; without one it says 503")
    func coldStart() throws {
        let server = try PlainServer()
        let process = try OutageFixture.process(server.url(), "hold")
        try process.start()
        try OutageFixture.waitUntilServed("10.0.0.39:80", process)
        let (before, revision) = (try OutageFixture.bodies(process), try process.get("/jobs").revision)
        let scrapeConfigs = try process.get("/scrape_configs").body
        #expect(process.stop() == 0)
        let file = process.folder.appending(path: "state/state").path()
        let mode = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        try server.stop()

        try process.start()
        try process.wait { $0.status == 200 && $0.text.contains("nothing new has been recorded for ") }
        try OutageFixture.expectHeld(before, revision, process)
        #expect(try process.get("/scrape_configs").body == scrapeConfigs)
        #expect(process.log.contains("serving the state that was kept on the disk"))
        try server.start()
        try process.write(file: "b.json", addresses: ["10.0.1.1:80"])
        try OutageFixture.waitUntilServed("10.0.1.1:80", process)
        try process.wait { $0.status == 200 && !$0.text.contains("nothing new has been recorded") }
        try OutageFixture.expectWhole(process, server)
        process.kill()
        try server.stop()

        // Killed right behind a change, it starts from what was written some seconds before at most, or from nothing.
        var bytes = try Data(contentsOf: URL(filePath: file))
        bytes[bytes.count / 2] ^= 1
        try bytes.write(to: URL(filePath: file))
        try process.start()
        let answer = try process.wait { $0.status == 503 && $0.text.contains("the ledger cannot be opened") }
        #expect(answer.text.contains("the database cannot be reached"))
        // It is read after the answer has been given.
        try OutageFixture.wait("the file is refused") { process.log.contains("its digest is not that of its content") }
        #expect(try process.targets(job: "shop", collector: OutageFixture.collectors[0]).status == 503)
        process.kill()
        try FileManager.default.removeItem(atPath: file)
        try process.start()
        try process.wait { $0.status == 503 && $0.text.contains("the ledger cannot be opened") }
        try server.start()
        try OutageFixture.waitUntilServed("10.0.1.1:80", process)
        process.stop()
    }

    @Test("A private PostgreSQL that does not start: the state from the disk, and recording once it does")
    func embedded() throws {
        let process = try AllocatorProcess(
            jobs: "    - {job_name: shop, static_configs: [{targets: ['a:1', 'b:1', 'c:1', 'd:1']}]}",
            ledger: "  collectors: {static: [one, two]}")
        try process.start()
        try process.wait(for: "/jobs/shop/targets") { $0.text.contains("d:1") }
        let before = try process.targets(job: "shop", collector: "one")
        #expect(process.stop() == 0)
        let control = process.folder.appending(path: "data/data/global/pg_control").path()
        #expect(rename(control, control + ".away") == 0)
        try process.start()
        try process.wait { $0.status == 200 && $0.text.contains("nothing new has been recorded for ") }
        let answer = try process.targets(job: "shop", collector: "one")
        #expect(answer.body == before.body && answer.revision == before.revision)
        #expect(answer.headers["target-ledger-stale-seconds"] != nil)
        #expect(rename(control + ".away", control) == 0)
        try process.wait { $0.status == 200 && !$0.text.contains("nothing new has been recorded") }
        #expect(try process.targets(job: "shop", collector: "one").body == before.body)
        let verified = try process.run(["verify"])
        #expect(verified.status == 0, "\(verified.output) \(verified.errors)")
        process.stop()
    }
}
