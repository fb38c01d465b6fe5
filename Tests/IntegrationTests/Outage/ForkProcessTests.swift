//
// ForkProcessTests.swift: a standby is promoted that lacks commits which were served.
//

import Foundation
import TestSupport
import Testing

/// Goal: what was served and lost is recorded again behind every number that can have been served; no number comes twice with
/// other contents, none goes back at any replica, and the record says what was lost.
///
/// Method: a primary and a copy of it; the copy lags, the primary dies, the copy is promoted. Each replica is polled all the
/// time.
@ProcessTests @Suite struct ForkProcessTests {
    /// A server with a state, and a copy that gets nothing of what follows.
    ///
    /// - Parameter roles: What is run first, for both.
    private static func primaryAndCopy(with roles: String = "SELECT") throws -> (PlainServer, PlainServer) {
        let primary = try PlainServer()
        try primary.sql(roles, in: "postgres")
        let first = try OutageFixture.process(primary.url(), "hold")
        try first.start()
        try OutageFixture.waitUntilServed("10.0.0.39:80", first)
        #expect(first.stop() == 0)
        return (primary, try primary.standby())
    }

    @Test("One replica: what was lost is recorded again, and nothing that collectors are told changes")
    func alone() throws {
        let primary = try PlainServer()
        let process = try OutageFixture.process(primary.url(), "hold")
        try process.start()
        try OutageFixture.waitUntilServed("10.0.0.39:80", process)
        let standby = try primary.standby()
        let both = try OutageFixture.process(primary.url(or: standby), "hold")
        // The same folder's process, with both servers named.
        #expect(process.stop() == 0)
        try both.start()
        try OutageFixture.waitUntilServed("10.0.0.39:80", both)
        try both.write(file: "b.json", addresses: ["10.0.1.1:80"])
        try OutageFixture.waitUntilServed("10.0.1.1:80", both)
        try both.write(file: "c.json", addresses: ["10.0.2.1:80", "10.0.2.2:80"])
        try OutageFixture.waitUntilServed("10.0.2.2:80", both)
        let lost = try #require(try both.get("/jobs").revision)
        let digest = try primary.value("SELECT encode(digest, 'hex') FROM ledger.head")
        let before = try OutageFixture.bodies(both)
        try primary.stop()
        try standby.promote()
        let kept = try #require(Int(try standby.value("SELECT revision FROM ledger.head")))
        #expect(kept < lost)
        try both.wait(for: "/jobs", seconds: 120) {
            $0.revision ?? 0 > lost && $0.headers["target-ledger-stale-seconds"] == nil
        }
        let isSame = try OutageFixture.bodies(both) == before
        #expect(isSame, "what was served changed by the repair")
        let row = try #require(
            try standby.sql(
                "SELECT revision, cause_detail, targets_added, epoch FROM ledger.revision WHERE cause = 'fork_repaired'"
            ).first)
        let number = try #require(Int(row[0]))
        #expect(number > kept + 50_000)
        #expect(
            row[1].contains(" fork: revisions \(kept + 1)-\(number - 1) are not used: the database lost "), "\(row[1])")
        #expect(row[1].contains("\(lost) \(digest)"))
        #expect(row[2] == "3")
        #expect(try standby.value("SELECT max(epoch) FROM ledger.term WHERE epoch < \(row[3])") != row[3])
        #expect(try standby.value("SELECT count(*) FROM ledger.gap WHERE cause = 'fork'") == "1")
        try OutageFixture.expectWhole(both, standby)
        let verified = try both.run(["verify"])
        #expect(verified.output.contains("GAP (declared)"), "\(verified.output)")
        let report = try both.run(["report", "--since", "1h"])
        #expect(report.output.contains("fork"), "\(report.output)")
        let absent = try both.get("/api/v1/revisions/\(lost)")
        #expect(absent.status == 404 && absent.text.contains("is not used"), "\(absent.text)")
        // It goes on.
        try both.write(file: "d.json", addresses: ["10.0.3.1:80"])
        try OutageFixture.waitUntilServed("10.0.3.1:80", both)
        #expect(both.stop() == 0)
    }

    @Test("Two replicas: neither ever serves a lower number, and both come to the repaired history")
    func two() throws {
        let (primary, standby) = try Self.primaryAndCopy()
        let replicas = try (0..<2).map { _ in try OutageFixture.process(primary.url(or: standby), "hold") }
        for replica in replicas {
            try replica.start()
            try replica.wait(for: "/jobs") { $0.status == 200 }
        }
        for number in 1...3 {
            for replica in replicas { try replica.write(file: "b.json", addresses: ["10.0.1.\(number):80"]) }
            for replica in replicas { try OutageFixture.waitUntilServed("10.0.1.\(number):80", replica) }
        }
        let lost = try #require(try replicas.compactMap { try $0.get("/jobs").revision }.max())
        var highest = try replicas.map { try $0.get("/jobs").revision ?? 0 }
        try primary.stop()
        // The leader dies with it: who takes over has only followed.
        replicas[0].kill()
        try standby.promote()
        let deadline = Date.now.addingTimeInterval(120)
        while highest[1] < 50_000 {
            let answer = try replicas[1].get("/jobs")
            #expect(answer.status == 200)
            let revision = answer.revision ?? 0
            #expect(revision >= highest[1], "\(revision) after \(highest[1])")
            highest[1] = max(highest[1], revision)
            guard Date.now < deadline else {
                throw AllocatorProcess.Failure(description: "never repaired:\n\(replicas[1].log.suffix(4000))")
            }
            usleep(20_000)
        }
        #expect(highest[1] > lost)
        try replicas[0].start()
        try OutageFixture.wait("both serve the same") {
            try OutageFixture.bodies(replicas[0]) == OutageFixture.bodies(replicas[1])
        }
        let numbers = try standby.sql("SELECT count(*), count(DISTINCT revision) FROM ledger.revision")
        #expect(numbers[0][0] == numbers[0][1])
        try OutageFixture.expectWhole(replicas[1], standby)
        for replica in replicas { replica.stop() }
    }

    @Test("What only one of two replicas had served of what was lost is stated too, when the other one has repaired it")
    func servedByOne() throws {
        // The copy lets it in only when the other one has repaired.
        let (primary, standby) = try Self.primaryAndCopy(with: "CREATE ROLE ann NOLOGIN SUPERUSER")
        try primary.sql("ALTER ROLE ann LOGIN", in: "postgres")
        let leader = try OutageFixture.process(primary.url("ann", or: standby), "hold")
        let follower = try OutageFixture.process(primary.url(or: standby), "hold")
        try leader.start()
        var digests: [String] = []
        for number in 1...3 {
            if number == 3 {
                try follower.start()
                try OutageFixture.waitUntilServed("10.0.1.2:80", follower)
            }
            for replica in [leader, follower] { try replica.write(file: "b.json", addresses: ["10.0.1.\(number):80"]) }
            try OutageFixture.waitUntilServed("10.0.1.\(number):80", leader)
            digests.append(try primary.value("SELECT encode(digest, 'hex') FROM ledger.head"))
        }
        try OutageFixture.waitUntilServed("10.0.1.3:80", follower)
        try primary.stop()
        try standby.promote()
        let repair = "SELECT cause_detail FROM ledger.revision WHERE cause = 'fork_repaired'"
        try OutageFixture.wait("the follower repairs") { try standby.sql(repair).count == 1 }
        let repaired = try standby.value(repair)
        #expect(!repaired.contains(digests[0]) && repaired.contains(digests[2]), "\(repaired)")
        try standby.sql("ALTER ROLE ann LOGIN", in: "postgres")
        let stated = "SELECT detail FROM ledger.gap WHERE detail LIKE '%\(digests[0])%'"
        try OutageFixture.wait("the former leader has the rest stated") { try standby.sql(stated).count == 1 }
        let statement = try standby.value(stated)
        #expect(statement.contains("served revisions that the database lost"))
        #expect(!statement.contains(digests[2]), "stated twice: \(statement)")
        try OutageFixture.wait("both serve the same") {
            try OutageFixture.bodies(leader) == OutageFixture.bodies(follower)
        }
        try OutageFixture.expectWhole(follower, standby)
        leader.stop()
        follower.stop()
    }

    @Test("What was stated of a journal, and then lost with its server, is stated again")
    func lostStatement() throws {
        let (primary, standby) = try Self.primaryAndCopy(with: "CREATE ROLE ann LOGIN SUPERUSER")
        let alone = try OutageFixture.process(primary.url("ann", or: standby), "continue")
        try alone.start()
        try OutageFixture.waitUntilServed("10.0.0.39:80", alone)
        let other = try OutageFixture.process(primary.url(or: standby), "continue")
        try other.start()
        try other.wait(for: "/jobs") { $0.status == 200 }
        try OutageFixture.cutOff(alone, user: "ann", beside: other, primary)
        try primary.sql("ALTER ROLE ann LOGIN", in: "postgres")
        let stated = "SELECT detail FROM ledger.gap WHERE cause = 'journal'"
        try OutageFixture.wait("what was served is stated") { try primary.sql(stated).count == 1 }
        let statement = try primary.value(stated)
        let folder = alone.folder.appending(path: "state").path()
        try OutageFixture.wait("the journal is put aside") {
            try FileManager.default.contentsOfDirectory(atPath: folder).contains { $0.hasPrefix("journal.") }
        }
        try primary.stop()
        try standby.promote()
        try OutageFixture.wait("it is stated again") { try standby.sql(stated).count == 1 }
        let tip = try #require(statement.components(separatedBy: "journal ").last)
        let isSame = try standby.value(stated).contains(tip)
        #expect(isSame, "another statement than \(statement)")
        try OutageFixture.wait("the journal is put aside again") {
            let files = try FileManager.default.contentsOfDirectory(atPath: folder)
            return files.contains { $0.hasPrefix("journal.") } && !files.contains("journal")
        }
        try OutageFixture.wait("both serve the same") {
            try OutageFixture.bodies(alone) == OutageFixture.bodies(other)
        }
        try OutageFixture.expectWhole(other, standby)
        alone.stop()
        other.stop()
    }
}
