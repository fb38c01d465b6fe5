//
// OutageJournalProcessTests.swift: the last leader goes on without the database, and what it served is recorded afterwards.
//

import Foundation
import TestSupport
import Testing

/// Goal: with `continue` the last leader serves changes while the database is away, each on its disk before it is served,
/// also over a kill -9; they become revisions with their own times, or are stated where another has written meanwhile.
///
/// Method: real processes and servers; what was served is compared with what is recorded.
@ProcessTests @Suite struct OutageJournalProcessTests {
    @Test("What was served from the journal becomes revisions with their times, also over a kill -9 in between")
    func journal() throws {
        let server = try PlainServer()
        let process = try OutageFixture.process(server.url(), "continue")
        try process.start()
        try OutageFixture.waitUntilServed("10.0.0.39:80", process)
        let revision = try #require(try process.get("/jobs").revision)
        let before = try OutageFixture.bodies(process)
        try server.stop()
        let stoppedAt = Date.now
        try process.write(file: "b.json", addresses: ["10.0.1.1:80"])
        try process.wait { $0.text.contains("nothing new has been recorded") }
        // The grace period: twice the lease's five seconds.
        try OutageFixture.expectHeld(before, revision, process)
        try OutageFixture.waitUntilServed("10.0.1.1:80", process)
        #expect(Date.now.timeIntervalSince(stoppedAt) > 8)
        let served = try process.targets(job: "shop", collector: OutageFixture.collectors[0])
        #expect(served.revision == revision)
        #expect(served.headers["target-ledger-journal"] == "1")
        #expect(served.headers["target-ledger-stale-seconds"] != nil)
        #expect(try process.get("/readyz").status == 200)
        let changed = try zip(OutageFixture.collectors, before).filter {
            try process.targets(job: "shop", collector: $0).body != $1
        }
        #expect(changed.count == 1)

        // A collector leaves, and a target goes; then the process is killed and starts without the database.
        try process.write(collectors: Array(OutageFixture.collectors.dropLast()))
        try process.wait(for: "/jobs/shop/targets?collector_id=collector-a") {
            $0.headers["target-ledger-journal"] == "2"
        }
        try process.write(file: "b.json", addresses: [])
        try process.wait(for: "/jobs/shop/targets?collector_id=collector-a") {
            $0.headers["target-ledger-journal"] == "3"
        }
        let last = try OutageFixture.bodies(process)
        process.kill()
        // A crash leaves half of a record, which nobody was served.
        let file = process.folder.appending(path: "state/journal")
        let handle = try FileHandle(forWritingTo: file)
        try handle.seekToEnd()
        try handle.write(contentsOf: Data([0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 90, 69, 1, 2, 3]))
        try handle.close()
        try process.start()
        try process.wait { $0.status == 200 }
        let isSame = try OutageFixture.bodies(process) == last
        #expect(isSame, "another state after the restart")
        #expect(try process.get("/jobs").headers["target-ledger-journal"] == "3")
        try process.write(file: "c.json", addresses: ["10.0.2.1:80"])
        try OutageFixture.waitUntilServed("10.0.2.1:80", process)
        #expect(try process.get("/jobs").headers["target-ledger-journal"] == "4")

        let final = try OutageFixture.bodies(process)
        let backAt = Date.now
        try server.start()
        try process.wait { $0.status == 200 && !$0.text.contains("nothing new has been recorded") }
        let recorded = try server.sql(
            """
            SELECT cause_detail, extract(epoch FROM occurred_at), targets_added, targets_removed, targets_moved \
            FROM ledger.revision WHERE occurred_at IS NOT NULL AND cause = 'outage_recovered' ORDER BY revision
            """)
        #expect(recorded.count == 4)
        for (index, row) in recorded.enumerated() {
            #expect(row[0].hasPrefix("journal entry \(index + 1) "))
            let at = try #require(Double(row[1]))
            #expect(at > stoppedAt.timeIntervalSince1970 && at < backAt.timeIntervalSince1970)
        }
        #expect(recorded.map { $0[2] } == ["1", "0", "0", "1"])
        #expect(recorded.map { $0[3] } == ["0", "0", "1", "0"])
        #expect(Int(recorded[1][4]) ?? 0 > 0, "a collector left")
        let isKept = try OutageFixture.bodies(process) == final
        #expect(isKept, "what was served changed by being recorded")
        #expect(try process.get("/jobs").headers["target-ledger-journal"] == nil)
        #expect(!FileManager.default.fileExists(atPath: file.path()))
        try OutageFixture.expectWhole(process, server)
        #expect(process.stop() == 0)
    }

    @Test("A time in which the lease is held and changes still go to the journal is on record")
    func heldWithoutRecording() throws {
        let server = try PlainServer()
        let process = try OutageFixture.process(server.url(), "continue")
        try process.start()
        try OutageFixture.waitUntilServed("10.0.0.39:80", process)
        // Once it is back the server lets the lease be taken, and has no room for a revision.
        try server.sql(
            """
            CREATE TABLE public.lacks_room AS SELECT true;
            CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF EXISTS (SELECT FROM public.lacks_room) THEN
                RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full';
            END IF; RETURN NEW; END $$;
            CREATE TRIGGER refuse BEFORE INSERT ON ledger.revision FOR EACH ROW EXECUTE FUNCTION public.refuse()
            """)
        try server.stop()
        try process.write(file: "b.json", addresses: ["10.0.1.1:80"])
        try OutageFixture.waitUntilServed("10.0.1.1:80", process)
        try server.start()
        let acquired = "SELECT acquired_at FROM ledger.term WHERE epoch > 1"
        try OutageFixture.wait("it has the lease again") { try server.sql(acquired).count == 1 }
        try process.write(file: "c.json", addresses: ["10.0.2.1:80"])
        try OutageFixture.waitUntilServed("10.0.2.1:80", process)
        #expect(try process.get("/jobs").headers["target-ledger-journal"] == "2")
        let madeRoom = try server.sql("TRUNCATE public.lacks_room; SELECT clock_timestamp()")[0][0]
        try process.wait { $0.status == 200 && !$0.text.contains("nothing new has been recorded") }
        let stated = try server.sql(
            """
            SELECT cause FROM ledger.gap WHERE from_at = (\(acquired)) AND to_at > '\(madeRoom)'
            """)
        #expect(stated == [["database_outage"]])
        try OutageFixture.expectWhole(process, server)
        #expect(process.stop() == 0)
    }

    @Test("Where another has led meanwhile, what was served from the journal is stated, and the ledger's state counts")
    func anotherLed() throws {
        let server = try PlainServer()
        try server.sql("CREATE ROLE ann LOGIN SUPERUSER", in: "postgres")
        let alone = try OutageFixture.process(server.url("ann"), "continue")
        try alone.start()
        try OutageFixture.waitUntilServed("10.0.0.39:80", alone)
        let other = try OutageFixture.process(server.url(), "continue")
        try other.start()
        try other.wait(for: "/jobs") { $0.status == 200 }
        try OutageFixture.cutOff(alone, user: "ann", beside: other, server)
        #expect(try alone.get("/jobs").headers["target-ledger-journal"] == "1")
        try server.sql("ALTER ROLE ann LOGIN", in: "postgres")
        try OutageFixture.wait("what was served is stated") {
            try server.value("SELECT count(*) FROM ledger.gap WHERE cause = 'journal'") == "1"
        }
        let gap = try server.value("SELECT detail FROM ledger.gap WHERE cause = 'journal'")
        #expect(gap.contains("served 1 change of its own"), "\(gap)")
        #expect(gap.contains("1 targets added, 0 removed, 0 moved, 0 relabelled; journal "))
        try OutageFixture.waitUntilServed("10.0.1.1:80", alone)
        try OutageFixture.wait("both serve the same") {
            try OutageFixture.bodies(alone) == OutageFixture.bodies(other)
        }
        #expect(try alone.get("/jobs").headers["target-ledger-journal"] == nil)
        try OutageFixture.wait("the journal is put aside") {
            try FileManager.default.contentsOfDirectory(atPath: alone.folder.appending(path: "state").path())
                .contains { $0.hasPrefix("journal.") }
        }
        let report = try other.run(["report", "--since", "1h"])
        #expect(report.output.contains("journal"), "\(report.output)")
        try OutageFixture.expectWhole(other, server)
        alone.stop()
        other.stop()
    }

    @Test(
        "A journal that cannot be written means holding", .enabled(if: TinyDisk.isPossible, "a file system is mounted"))
    func journalFull() throws {
        let server = try PlainServer()
        let disk = try #require(TinyDisk())
        let process = try OutageFixture.process(server.url(), "continue", directory: disk.folder + "/state")
        try process.start()
        try OutageFixture.waitUntilServed("10.0.0.39:80", process)
        try OutageFixture.wait("the state is kept") {
            FileManager.default.fileExists(atPath: disk.folder + "/state/state")
        }
        let (before, revision) = (try OutageFixture.bodies(process), try process.get("/jobs").revision)
        disk.fill()
        try server.stop()
        try process.write(file: "b.json", addresses: ["10.0.1.1:80"])
        try process.wait(seconds: 60) {
            $0.status == 200 && $0.text.contains("the journal takes no more, so nothing changes: ")
                && $0.text.contains("No space left on device")
        }
        try OutageFixture.expectHeld(before, revision, process)
        disk.makeRoom()
        try server.start()
        try OutageFixture.waitUntilServed("10.0.1.1:80", process)
        try process.wait { $0.status == 200 && !$0.text.contains("nothing new has been recorded") }
        try OutageFixture.expectWhole(process, server)
        process.stop()
    }
}
