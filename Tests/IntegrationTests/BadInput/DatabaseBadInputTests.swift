//
// DatabaseBadInputTests.swift: databases that refuse, at the start and under a running allocator.
//

import Foundation
import Testing

/// Goal: whatever the database refuses, a person reads which database it is, why, and what to do, and never a password;
/// an allocator that has state goes on serving it byte for byte, and when the fault is lifted it records on without a
/// gap.
///
/// Method: the built executable on a real server with password authentication, to which each fault is done.
@ProcessTests @Suite struct DatabaseBadInputTests {
    private static let unreachable = "see that it runs there and takes connections"
    private static let refused = "correct the connection string, PGPASSWORD, ~/.pgpass, or the server's pg_hba.conf"
    private static let lacking =
        "to write it needs to be granted ledger_writer, to read ledger_reader, to migrate CREATE on the database"
    private static let readOnly = "name a read-write server, or switch default_transaction_read_only off"

    /// Runs each of the commands and compares all that it says.
    private func expect(
        _ commands: [String], url: String, _ place: String, _ complaint: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        for command in commands {
            let answer = try AllocatorProcess.run([command, "--database-url", url])
            #expect(answer.errors == "target-ledger: \(place): \(complaint)\n", sourceLocation: sourceLocation)
            #expect(answer.output.isEmpty, sourceLocation: sourceLocation)
            #expect(answer.status == 3, sourceLocation: sourceLocation)
        }
    }

    @Test("Commands end with status 3 and one line: which database, why, what to do")
    func commands() async throws {
        let all = ["migrate", "moves", "verify"]
        let nobody = try PlainHTTP.freePort()
        try expect(
            all, url: "postgresql://ann:hunter2@127.0.0.1:\(nobody)/ledger",
            "host=127.0.0.1 port=\(nobody) dbname=ledger user=ann",
            "the database cannot be reached: connection to server at \"127.0.0.1\", port \(nobody) failed: "
                + "Connection refused; \(Self.unreachable)")
        try await BadDatabase.run { database in
            let connection = "connection to server at \"127.0.0.1\", port \(database.port) failed: FATAL: "
            try expect(
                ["migrate", "verify"], url: database.url("ann", password: "hunter3"), database.place("ann"),
                "the database refuses this user or password: \(connection)password authentication failed for user "
                    + "\"ann\" (SQLSTATE 28P01); \(Self.refused)")
            try expect(
                ["moves"], url: "postgresql://ann@127.0.0.1:\(database.port)/ledger", database.place("ann"),
                "the database refuses this user or password: 127.0.0.1 asks for a password, and none is given "
                    + "(SQLSTATE 28P01); \(Self.refused)")
            let missing =
                "there is no such database: \(connection)database \"ledger\" does not exist (SQLSTATE 3D000); "
                + "create it, or name another"
            try expect(["migrate", "moves"], url: database.url("ann"), database.place("ann"), missing)
            // Serving has logged what it began, and ends with the same line; the server's own last words may follow it.
            let serving = try process(database.url("ann")).run(["serve"])
            #expect(serving.status == 3)
            #expect(
                serving.errors.split(separator: "\n").contains("target-ledger: \(database.place("ann")): \(missing)"))
            #expect(!serving.errors.contains(BadDatabase.password))

            try database.sql("CREATE DATABASE empty")
            try expect(
                ["migrate"], url: database.url("bob", database: "empty"), database.place("bob", database: "empty"),
                "the database role lacks a privilege: permission denied for database empty (SQLSTATE 42501); "
                    + Self.lacking)
            try expect(
                ["moves"], url: database.url("bob", database: "empty"),
                database.place("bob", database: "empty"), "the database has no ledger; run: target-ledger migrate")

            try database.makeLedgerDatabase()
            try expect(
                ["migrate", "verify"], url: database.url("bob"), database.place("bob"),
                "the database role lacks a privilege: permission denied for schema ledger (SQLSTATE 42501); "
                    + Self.lacking)

            try database.setReadOnly(true)
            try expect(
                ["migrate"], url: database.url("bob", database: "empty"), database.place("bob", database: "empty"),
                "the database takes no writes: 127.0.0.1 is read-only (default_transaction_read_only is on); a "
                    + "read-write server is needed (SQLSTATE 25006); \(Self.readOnly)")
            // What has nothing to write does not mind.
            for command in all {
                let answer = try AllocatorProcess.run([command, "--database-url", database.url("ann")])
                #expect(answer.status == 0, "\(command): \(answer.errors)")
            }
        }
    }

    // MARK: Serving

    private static let collectors = ["collector-a", "collector-b"]

    private func process(_ url: String) throws -> AllocatorProcess {
        let process = try AllocatorProcess(
            jobs: "    - {job_name: shop, file_sd_configs: [{files: [FOLDER/targets/*.json]}]}",
            ledger: "  collectors: {static: [\(Self.collectors.joined(separator: ", "))]}")
        try use(url, process)
        try process.write(file: "a.json", addresses: (0..<20).map { "10.0.0.\($0):80" })
        return process
    }

    /// Makes `url` the database of the process's next start.
    private func use(_ url: String, _ process: AllocatorProcess) throws {
        let config = try String(contentsOf: process.folder.appending(path: "config.yaml"), encoding: .utf8)
        let lines = config.replacing("FOLDER", with: process.folder.path()).split(separator: "\n").map { line in
            line.hasPrefix("  embedded:") || line.hasPrefix("  database_url:")
                ? "  database_url: '\(url)'" : String(line)
        }
        try process.write("config.yaml", lines.joined(separator: "\n") + "\n")
    }

    private func bodies(_ process: AllocatorProcess) throws -> [[UInt8]] {
        try Self.collectors.map { try process.targets(job: "shop", collector: $0).body }
    }

    private func waitUntilServed(_ address: String, _ process: AllocatorProcess) throws {
        try process.wait(for: "/jobs/shop/targets") { _ in
            (try? Self.collectors.map { try process.targets(job: "shop", collector: $0).text }.joined())?
                .contains("\"\(address)\"") ?? false
        }
    }

    /// As a log line in JSON has it.
    private func logged(_ text: String) -> String { text.replacing("\"", with: "\\\"") }

    @Test("A start on a database that refuses answers 503 with the reason, and goes on when it no longer does")
    func serveAtStart() async throws {
        try await BadDatabase.run { database in
            try database.makeLedgerDatabase()
            let process = try process(database.url("ann"))
            try database.setPassword("hunter3")
            try process.start()
            let reason =
                "the ledger cannot be opened: \(database.place("ann")): the database refuses this user or password: "
                + "connection to server at \"127.0.0.1\", port \(database.port) failed: FATAL: password authentication "
                + "failed for user \"ann\" (SQLSTATE 28P01); \(Self.refused)"
            for path in ["/readyz", "/jobs", "/scrape_configs"] {
                try process.wait(for: path) { $0.status == 503 && $0.text.contains(logged(reason)) }
            }
            #expect(process.log.components(separatedBy: "the ledger cannot be opened; trying again").count == 2)
            try database.setPassword(BadDatabase.password)
            try waitUntilServed("10.0.0.19:80", process)
            let before = try bodies(process)
            process.kill()

            // The state is there, and may be read: it is served, although nothing can be recorded.
            try database.setReadOnly(true)
            try process.start()
            try process.wait { $0.status == 200 && $0.text.contains("default_transaction_read_only is on") }
            try expectKept(before, process)
            try process.write(file: "b.json", addresses: ["10.0.1.1:80"])
            try database.setReadOnly(false)
            try waitUntilServed("10.0.1.1:80", process)
            #expect(process.stop() == 0, "\(process.log.suffix(2000))")

            // A reader serves what is recorded, and says why it records nothing.
            try database.sql("GRANT ledger_reader TO bob")
            try use(database.url("bob"), process)
            let log = process.log.count
            try process.start()
            try process.wait {
                $0.status == 200 && $0.text.contains("permission denied for table lease (SQLSTATE 42501); ")
                    && $0.text.hasSuffix("\(Self.lacking)\n")
            }
            #expect(try process.targets(job: "shop", collector: "collector-a").status == 200)
            #expect(process.log.dropFirst(log).components(separatedBy: "the lease cannot be asked for").count == 2)
            try process.write(file: "c.json", addresses: ["10.0.2.1:80"])
            try database.sql("GRANT ledger_writer TO bob")
            try waitUntilServed("10.0.2.1:80", process)
            try expectWhole(database, process)
            #expect(process.stop() == 0, "\(process.log.suffix(2000))")
        }
    }

    @Test("Faults of the database while serving: the last state stays, it is told, and recording goes on without a gap")
    func whileServing() async throws {
        try await BadDatabase.run { database in
            let disk = SmallDisk(beside: database.cluster)
            if let disk {
                try database.sql("CREATE TABLESPACE small LOCATION '\(disk.tables)'")
            }
            try database.makeLedgerDatabase(options: disk == nil ? "" : "TABLESPACE small")
            let process = try process(database.url("ann"))
            try process.start()
            try waitUntilServed("10.0.0.19:80", process)

            try interrupt(database, process, "password authentication failed for user \"ann\" (SQLSTATE 28P01)") {
                try database.setPassword("hunter3")
            } lift: {
                try database.setPassword(BadDatabase.password)
            }
            try interrupt(database, process, "in a read-only transaction (SQLSTATE 25006)") {
                try database.setReadOnly(true)
            } lift: {
                try database.setReadOnly(false)
            }
            try interrupt(database, process, "(SQLSTATE 42501)") {
                try database.sql("REVOKE ledger_writer FROM ann")
            } lift: {
                try database.sql("GRANT ledger_writer TO ann")
            }
            try interrupt(database, process, "(SQLSTATE 53100)") {
                if let disk { disk.fill() } else { try database.pretendToBeFull(true) }
            } lift: {
                if let disk { disk.makeRoom() } else { try database.pretendToBeFull(false) }
            }
            try expectWhole(database, process)
            #expect(process.stop() == 0, "\(process.log.suffix(2000))")
        }
    }

    /// Does a fault, changes the targets, sees that nothing changes and that it is told, lifts the fault, and sees that
    /// the change is served.
    private func interrupt(
        _ database: BadDatabase, _ process: AllocatorProcess, _ reason: String, fault: () throws -> Void,
        lift: () throws -> Void, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let before = try bodies(process)
        let revision = try process.get("/jobs").revision
        let name = "fault-\(revision ?? 0)"
        let log = process.log.count
        try fault()
        // Enough of them that no page with room in it takes them all.
        try process.write(file: "\(name).json", addresses: (0..<5_000).map { "\(name)-\($0):80" })
        try process.wait {
            // The lease may be lost meanwhile.
            $0.status == 200 && $0.text.hasPrefix("ready; ")
                && $0.text.contains("nothing new has been recorded for ") && $0.text.contains(reason)
        }
        try process.wait { _ in process.log.dropFirst(log).contains(logged(reason)) }
        // The gap that the fault before this one left may have been stated since.
        let held = try process.get("/jobs").revision
        try expectKept(before, process, sourceLocation: sourceLocation)
        #expect(try process.get("/jobs").revision == held, sourceLocation: sourceLocation)
        try lift()
        try waitUntilServed("\(name)-4999:80", process)
        try process.wait { $0.status == 200 && !$0.text.contains("nothing new has been recorded") }
        #expect(process.log.dropFirst(log).contains("again"), sourceLocation: sourceLocation)
    }

    /// The same bytes as before, marked as old.
    private func expectKept(
        _ before: [[UInt8]], _ process: AllocatorProcess, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let isKept = try bodies(process) == before
        #expect(isKept, "served something else than before", sourceLocation: sourceLocation)
        let answer = try process.targets(job: "shop", collector: Self.collectors[0])
        #expect(answer.headers["target-ledger-stale-seconds"] != nil, sourceLocation: sourceLocation)
    }

    private func expectWhole(_ database: BadDatabase, _ process: AllocatorProcess) throws {
        let numbers = try database.sql(
            "SELECT count(*), count(DISTINCT revision), min(revision), max(revision) FROM ledger.revision",
            in: "ledger")
        let row = try #require(numbers.first)
        #expect(row[0] == row[1] && row[2] == "1" && row[3] == row[0], "revisions are missing or double: \(row)")
        let verified = try process.run(["verify"])
        #expect(verified.status == 0, "\(verified.output) \(verified.errors)")
        #expect(!process.log.contains(BadDatabase.password))
        #expect(!process.log.contains("hunter3"))
    }
}
