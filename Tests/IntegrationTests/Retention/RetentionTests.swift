//
// RetentionTests.swift: days that are sealed, held, given up and dropped, on a real server.
//

import AllocationCore
import Foundation
import PostgresDriver
import TestSupport
import Testing

@testable import AllocationLedger

/// Goal: what retention removes is sealed, recorded and named; what is held stays; nothing that is kept is read wrongly.
///
/// Method: real PostgreSQL, a database for each test; several days of history are written with a clock of the test's.
@Suite struct RetentionTests {
    private let first = PastLedger.firstDay

    @Test("Seal, hold, refused drop, release, drop; reads before the horizon say so, and the rest is exact")
    func lifecycle() async throws {
        try await PastLedger.with { past in
            let points = try await past.write(days: 4)
            let states = try await past.states(at: points)
            // The empty day before the first, too.
            #expect(try await past.run(.seal).split(separator: "\n").count == 5)
            #expect(try await past.run(.seal).hasPrefix("nothing to seal"))
            #expect(try await past.ledger.number("SELECT count(*) FROM ledger.seal") == 25)

            let hold = try await past.run(.hold(from: first.next.start, to: first.next.end, reason: "case 7"))
            #expect(hold.hasPrefix("hold 14 keeps"))
            // Day 0 goes, day 1 is held, day 2 follows it.
            let limit = first.next.next.next.start
            let dropped = try await past.run(.drop(before: limit))
            #expect(dropped.contains("dropped \(first), by revision 16"))
            #expect(dropped.contains("\(first.next) is not dropped: hold 14 keeps it"))
            await #expect(throws: LedgerError.self) { try await past.run(.drop(before: limit)) }
            #expect(try await past.tables(of: first) == 0)
            #expect(try await past.tables(of: first.next) == 5)

            #expect(try await past.run(.release(hold: 14, reason: "closed")).contains("released"))
            await #expect(throws: LedgerError.self) { try await past.run(.release(hold: 14, reason: "again")) }
            _ = try await past.run(.drop(before: limit))
            #expect(try await past.tables(of: first.next.next) == 0)

            try await checkReads(past, points, states)
            let report = try await ChainVerifier.verify(past.ledger.configuration, logger: TestPostgres.logger)
            #expect(report.isIntact, "\(report)")
        }
    }

    /// Days 0 to 2 are gone, day 3 is there.
    private func checkReads(_ past: PastLedger, _ points: [RevisionPoint], _ states: [Set<StateWalk.Row>]) async throws
    {
        let oldest = try await past.read { try await RecordedBounds.read($0) }.oldest
        #expect(oldest.revision == Revision(7))
        for point in points.prefix(3) {
            for instant in [Instant.revision(point.revision), .time(point.at)] {
                await #expect(throws: HistoryError.compacted(oldest: oldest)) {
                    try await past.read { try await instant.resolve($0) }
                }
            }
        }
        let kept = try await past.read { try await Set(StateWalk(at: points[3], $0).all($0)) }
        #expect(kept == states[3])
        // What is current says since when, whether or not that revision is still there.
        #expect(
            try await past.ledger.number("SELECT count(*) FROM ledger.current_target WHERE since_revision = 8") == 20)
        #expect(try await past.ledger.number("SELECT min(since_revision) FROM ledger.current_collector") < 7)
        // The link to what is gone is in the last seal before it.
        let row = try await past.ledger.query(
            """
            SELECT s.digest = v.previous_digest FROM ledger.revision v, ledger.seal s \
            WHERE v.revision = 7 AND s.partition LIKE 'revision%' AND s.last_revision = 6
            """)
        #expect(try row.first?.decode(0, as: Bool.self) == true)
    }

    @Test("A seal binds what its partition holds, and the log's tree goes on from it")
    func seals() async throws {
        try await PastLedger.with { past in
            _ = try await past.write(days: 3)
            _ = try await past.run(.seal)
            let digests = try await past.ledger.query("SELECT digest FROM ledger.revision ORDER BY revision").map {
                try Digest32($0.decode(0, as: [UInt8].self)) ?? .zero
            }
            let seals = try await past.ledger.query(
                "SELECT first_revision, last_revision, digest, tree, revision FROM ledger.seal WHERE first_revision IS NOT NULL AND tree IS NOT NULL "
                    + "ORDER BY from_at")
            var tree = MerkleTree()
            for (index, seal) in seals.enumerated() {
                let last = try seal.decode(1, as: Int64.self)
                #expect(try seal.decode(0, as: Int64.self) == Int64(2 * index + 1))
                #expect(last == Int64(2 * index + 2))
                for digest in digests[Int(tree.count)..<Int(last)] { tree.append(digest) }
                #expect(try seal.decode(2, as: [UInt8].self) == digests[Int(last) - 1].bytes)
                #expect(try seal.decode(3, as: [UInt8].self) == tree.edge)
            }
            // Each is named by the revision that recorded it.
            let details = try await past.ledger.query(
                "SELECT cause_detail FROM ledger.revision WHERE cause = 'operator' ORDER BY revision"
            ).map { try $0.decode(0, as: String.self) }
            let records = try await past.read { connection in
                var sealer = DaySealer(PastLedger.firstDay)
                return try await sealer.seals(connection)
            }
            #expect(records.map(\.rows) == [2, 20, 3, 1, 0])
            for record in records { #expect(details[1].contains("\(record.partition) \(record.mention)")) }
        }
    }

    @Test("Runs of discovery results end with their day, and what comes late counts from the day's end")
    func discoveryRuns() async throws {
        try await PastLedger.with { past in
            _ = try await past.write(days: 1)
            #expect(try await past.ledger.number("SELECT count(*) FROM ledger.discovery_run") == 1)
            _ = try await past.run(.seal)
            #expect(try await past.ledger.number("SELECT count(*) FROM ledger.discovery_run") == 0)
            #expect(try await past.ledger.number("SELECT count(*) FROM ledger.discovery_report") == 1)
            let late = DiscoveryReportDraft(
                job: "shop", provider: "file", source: "targets.json", succeeded: false, targets: 0, error: "gone",
                durationSeconds: 0.01, at: first.start.advanced(by: .seconds(80_000)))
            try await past.ledger.writer.record(reports: [late], fencedBy: past.ledger.token)
            let found = try await past.ledger.query("SELECT first_at FROM ledger.discovery_run").first
            #expect(try found?.decode(0, as: Timestamp.self) == first.end)
            // A writer that starts anew knows it too.
            try await past.ledger.reload()
            #expect(await past.ledger.writer.runsBeginAt == first.end)
        }
    }

    @Test("The server itself refuses what must not be, for every role")
    func guards() async throws {
        try await PastLedger.with { past in
            _ = try await past.write(days: 2)
            _ = try await past.run(.seal)
            _ = try await past.run(.hold(from: first.start, to: first.end, reason: "case 7"))
            let refused = [
                "UPDATE ledger.legal_hold SET reason = 'none'", "DELETE FROM ledger.legal_hold",
                "TRUNCATE ledger.legal_hold CASCADE", "TRUNCATE ledger.hold_release", "DELETE FROM ledger.seal",
                "UPDATE ledger.seal SET rows = 0",
                // A row for a day that is sealed.
                """
                INSERT INTO ledger.delivery VALUES ('\(first)T01:00:00Z', 'a', 'shop', 1, \
                '00000000-0000-0000-0000-000000000000')
                """,
                // Sealed, but no revision gave it up.
                "SELECT ledger.drop_partition('revision_\(first.suffix)')",
                "SELECT ledger.detach_partition('revision_\(first.suffix)')",
                // Not over.
                "SELECT ledger.close_partition('revision_' || to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD'))",
            ]
            for statement in refused {
                await #expect(throws: PostgresError.self, "\(statement)") { try await past.ledger.script(statement) }
            }
            // Given up behind the hold's back: the hold still keeps it.
            try await past.ledger.script(
                """
                INSERT INTO ledger.partition_drop SELECT partition, 1, now(), 'somebody' FROM ledger.seal \
                WHERE partition LIKE '%\(first.suffix)'
                """)
            let busy = try await past.executing { try await $0.finish($1) }
            #expect(busy == [first])
            #expect(try await past.tables(of: first) == 5)
            #expect(
                try await past.catalogue().days.first { $0.day == first }?.partitions.allSatisfy {
                    $0.state == .attached
                } == true)
        }
    }

    @Test("A drop that is interrupted at any step is finished later")
    func interrupted() async throws {
        try await PastLedger.with { past in
            _ = try await past.write(days: 2)
            _ = try await past.run(.seal)
            // Somebody reads: detaching the first table begins and cannot end.
            let reader = try await PostgresConnection.connect(past.ledger.configuration, logger: TestPostgres.logger)
            try await reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            let before = try await reader.query("SELECT count(*) FROM ledger.revision").first?.decode(0, as: Int64.self)
            try await past.giveUp(first)
            _ = try await past.executing { _, connection in
                var dropper = DayDropper(logger: TestPostgres.logger)
                dropper.readersPatience = .milliseconds(200)
                let status = try #require(try await past.catalogue().unfinished.first)
                #expect(status.partitions.count >= 5)
                #expect(try await dropper.drop(status, connection) == false)
            }
            #expect(try await past.catalogue().unfinished.first?.partitions.first?.state == .detaching)
            // Whoever comes now does not see the day; whoever was there before still does; writing goes on.
            #expect(try await past.read { try await RecordedBounds.read($0) }.oldest.revision == Revision(3))
            let after = try await reader.query("SELECT count(*) FROM ledger.revision").first?.decode(0, as: Int64.self)
            #expect(after == before)
            try await past.ledger.append(past.ledger.collectors(["a", "b"]), cause: .membership)
            try await reader.execute("COMMIT")
            await reader.close()

            // As if the process had died between the steps: detached, and not dropped.
            try await past.ledger.script(
                "ALTER TABLE ledger.revision DETACH PARTITION ledger.revision_\(first.suffix) FINALIZE")
            #expect(try await past.catalogue().unfinished.first?.partitions.first?.state == .detached)
            #expect(try await past.executing { try await $0.finish($1) }.isEmpty)
            #expect(try await past.tables(of: first) == 0)
            #expect(try await past.catalogue().unfinished.isEmpty)
            // Nothing brings the day back.
            _ = try await past.ledger.query("SELECT ledger.ensure_partitions(\(unsafeSQL: "date '\(first)'"), 1)")
            #expect(try await past.tables(of: first) == 0)
        }
    }

    @Test("Days are dropped while others write, and nobody who writes fails")
    func concurrentWrites() async throws {
        try await PastLedger.with { past in
            _ = try await past.write(days: 5)
            _ = try await past.run(.seal)
            for day in [first, first.next, first.next.next] { try await past.giveUp(day) }
            let before = try #require(try await past.ledger.writer.currentHead()).revision.number
            let dropping = past
            async let busy = dropping.executing { try await $0.finish($1) }
            for index in 0..<40 {
                try await past.ledger.append(
                    past.ledger.discover((0..<20).map { past.ledger.target($0, generation: 100 + index) }))
            }
            #expect(try await busy.isEmpty)
            let head = try #require(try await past.ledger.writer.currentHead())
            #expect(head.revision.number == before + 40)
            #expect(try await past.tables(of: first.next) == 0)
        }
    }

    @Test("A role that owns nothing drops too, by the ledger's own functions")
    func withoutOwnership() async throws {
        try await PastLedger.with { past in
            _ = try await past.write(days: 2)
            _ = try await past.run(.seal)
            try await past.ledger.script(
                "GRANT USAGE ON SCHEMA test_clock TO ledger_writer; GRANT SELECT ON test_clock.time TO ledger_writer")
            _ = try await past.executing { executor, connection in
                try await connection.execute("SET ROLE ledger_writer")
                _ = try await executor.run(.drop(before: first.end), askedBy: "test", connection)
            }
            #expect(try await past.tables(of: first) == 0)
            #expect(try await past.tables(of: first.next) == 5)
        }
    }

    @Test("Each day is in a file before retention drops it; one that cannot be written stays, with all after it")
    func scheduledExport() async throws {
        try await PastLedger.with { past in
            _ = try await past.write(days: 3)
            let folder = FileManager.default.temporaryDirectory.appending(path: "days-\(UUID().uuidString)")
            defer { try? FileManager.default.removeItem(at: folder) }
            let files = DayFiles(folder: folder.appending(path: "kept").path())
            func maintain() async throws -> Bool {
                try await past.executing { executor, connection in
                    try await executor.maintain(keeping: .seconds(86_400), exportingTo: files, connection)
                }
            }
            // The folder cannot be made: a file has its name.
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            try Data().write(to: folder.appending(path: "kept"))
            #expect(try await maintain() == false)
            #expect(try await past.tables(of: first.previous) == 5)
            #expect(try await past.ledger.number("SELECT count(*) FROM ledger.partition_drop") == 0)
            // Then one day's file cannot.
            try FileManager.default.removeItem(atPath: files.folder)
            let inTheWay = "\(files.folder)/ledger-\(first).ndjson.part"
            try FileManager.default.createDirectory(atPath: inTheWay, withIntermediateDirectories: true)
            #expect(try await maintain() == false)
            #expect(try await past.tables(of: first.previous) == 0)
            #expect(try await past.tables(of: first) == 5)
            #expect(try await past.tables(of: first.next) == 5)
            // And then nothing is in the way.
            try FileManager.default.removeItem(atPath: inTheWay)
            #expect(try await maintain())
            #expect(try await past.tables(of: first) == 0)
            #expect(try await past.tables(of: first.next) == 0)
            #expect(try await past.tables(of: first.next.next) == 5)
            for day in [first.previous, first, first.next] {
                let bytes = try Data(contentsOf: URL(filePath: "\(files.folder)/ledger-\(day).ndjson"))
                #expect(bytes.isEmpty == (day == first.previous))
                let recorded = try await past.ledger.query(
                    "SELECT DISTINCT export_sha256 FROM ledger.partition_drop WHERE partition LIKE \("%\(day.suffix)")")
                #expect(try recorded.map { try $0.decode(0, as: [UInt8].self) } == [Digest32.hash(Array(bytes)).bytes])
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: files.folder).count == 3)
            let report = try await ChainVerifier.verify(past.ledger.configuration, logger: TestPostgres.logger)
            #expect(report.isIntact, "\(report)")
        }
    }

    @Test("Tables are a week ahead on any day, and readers and writers may use new ones by name")
    func partitionsAhead() async throws {
        try await PastLedger.with { past in
            for offset in [0, 30, 31] as [Int64] {
                let day = RetentionDay(number: first.number + offset)
                try await past.move(to: day)
                _ = try await past.executing { executor, connection in
                    try await executor.maintain(keeping: nil, connection)
                }
                for ahead in -1...7 {
                    #expect(try await past.tables(of: RetentionDay(number: day.number + Int64(ahead))) == 5)
                }
            }
            let table = "ledger.target_event_\(RetentionDay(number: first.number + 38).suffix)"
            for (role, statement) in [
                ("ledger_reader", "SELECT count(*) FROM \(table)"), ("ledger_writer", "SELECT count(*) FROM \(table)"),
                ("ledger_writer", "INSERT INTO \(table) SELECT * FROM \(table)"),
            ] {
                try await past.ledger.script("SET ROLE \(role); \(statement)")
            }
            await #expect(throws: PostgresError.self) {
                try await past.ledger.script("SET ROLE ledger_reader; INSERT INTO \(table) SELECT * FROM \(table)")
            }
        }
    }
}

extension PastLedger {
    func states(at points: [RevisionPoint]) async throws -> [Set<StateWalk.Row>] {
        var states: [Set<StateWalk.Row>] = []
        for point in points { states.append(try await read { try await Set(StateWalk(at: point, $0).all($0)) }) }
        return states
    }
}
