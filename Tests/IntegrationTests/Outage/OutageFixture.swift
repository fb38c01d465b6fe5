//
// OutageFixture.swift: an allocator whose database goes away, and what it has to look like meanwhile.
//

import Foundation
import Testing

/// Real allocators on a server of the test's own.
struct OutageFixture {
    static let collectors = ["collector-a", "collector-b", "collector-c"]

    /// - Parameters:
    ///   - mode: `hold` or `continue`.
    ///   - directory: Where the state is kept; nil: in the process's folder.
    static func process(_ url: String, _ mode: String, directory: String? = nil) throws -> AllocatorProcess {
        let process = try AllocatorProcess(
            jobs: "    - {job_name: shop, file_sd_configs: [{files: [FOLDER/targets/*.json]}]}",
            ledger: """
                  collectors: {file: FOLDER/collectors}
                  on_database_outage: \(mode)
                  state_directory: \(directory ?? "FOLDER/state")
                """, database: url)
        let config = try String(contentsOf: process.folder.appending(path: "config.yaml"), encoding: .utf8)
        try process.write("config.yaml", config.replacing("FOLDER", with: process.folder.path()))
        try process.write(collectors: collectors)
        try process.write(file: "a.json", addresses: (0..<40).map { "10.0.0.\($0):80" })
        return process
    }

    static func bodies(_ process: AllocatorProcess) throws -> [[UInt8]] {
        try collectors.map { try process.targets(job: "shop", collector: $0).body }
    }

    static func all(_ process: AllocatorProcess) throws -> String {
        try collectors.map { try process.targets(job: "shop", collector: $0).text }.joined()
    }

    /// Waits until an address is served to one of the collectors.
    static func waitUntilServed(_ address: String, _ process: AllocatorProcess, seconds: Double = 90) throws {
        try process.wait(for: "/jobs/shop/targets", seconds: seconds) { _ in
            (try? all(process))?.contains("\"\(address)\"") ?? false
        }
    }

    static func waitUntilKept(_ process: AllocatorProcess) throws {
        let state = process.folder.appending(path: "state/state").path()
        let deadline = Date.now.addingTimeInterval(60)
        while !FileManager.default.fileExists(atPath: state) {
            guard Date.now < deadline else { throw AllocatorProcess.Failure(description: "no state was kept") }
            usleep(20_000)
        }
    }

    static func wait(_ what: String, seconds: Double = 90, until condition: () throws -> Bool) throws {
        let deadline = Date.now.addingTimeInterval(seconds)
        while (try? condition()) != true {
            guard Date.now < deadline else { throw AllocatorProcess.Failure(description: "never: \(what)") }
            usleep(20_000)
        }
    }

    /// Lets the user of one process in no more, until that serves a change of its own from its journal and the other one has
    /// taken over and serves another.
    static func cutOff(
        _ alone: AllocatorProcess, user: String, beside other: AllocatorProcess, _ server: PlainServer
    ) throws {
        try server.sql(
            "ALTER ROLE \(user) NOLOGIN; "
                + "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '\(user)'",
            in: "postgres")
        try other.write(file: "b.json", addresses: ["10.0.1.1:80"])
        try alone.write(file: "c.json", addresses: ["10.0.2.1:80"])
        try waitUntilServed("10.0.1.1:80", other)
        try waitUntilServed("10.0.2.1:80", alone)
    }

    /// Ready, the same bytes, the same revision, marked as old.
    static func expectHeld(
        _ before: [[UInt8]], _ revision: Int?, _ process: AllocatorProcess,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let isSame = try bodies(process) == before
        #expect(isSame, "served something else than before", sourceLocation: sourceLocation)
        let answer = try process.targets(job: "shop", collector: collectors[0])
        #expect(answer.revision == revision, sourceLocation: sourceLocation)
        #expect(answer.headers["target-ledger-stale-seconds"] != nil, sourceLocation: sourceLocation)
        #expect(answer.headers["target-ledger-journal"] == nil, sourceLocation: sourceLocation)
        #expect(try process.get("/readyz").status == 200, sourceLocation: sourceLocation)
    }

    /// The product and a program that is none of it find the record whole.
    static func expectWhole(
        _ process: AllocatorProcess, _ server: PlainServer, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let verified = try process.run(["verify"])
        #expect(verified.status == 0, "\(verified.output) \(verified.errors)", sourceLocation: sourceLocation)
        let independent = try IndependentVerifier.run(server.url())
        #expect(independent.status == 0, "\(independent.output)", sourceLocation: sourceLocation)
        // What is served is what the ledger holds.
        let state = try server.value("SELECT count(*) FROM ledger.current_target WHERE collector IS NOT NULL")
        let served = try all(process).components(separatedBy: "\"targets\"").count - 1
        #expect(Int(state) == served, sourceLocation: sourceLocation)
    }
}
