//
// DiscoveryBadInputTests.swift: files and servers that turn bad under a running allocator.
//

import Foundation
import Glibc
import Synchronization
import Testing

/// Goal: whatever a source of targets does, what it gave last stays served byte for byte, also across a kill -9; the
/// failure is recorded with its error, logged and counted, without a credential; and recovery is seen.
///
/// Method: the real executable with one job for each mishap; all sources are good, turn bad together, and recover.
@ProcessTests @Suite struct DiscoveryBadInputTests {
    /// A job, how its source turns bad, and the error that must be recorded, where `FILE` and `URL` stand for it.
    struct Mishap: Sendable {
        enum Source: Sendable {
            /// The name of the file and what it holds when it is bad; nil: a folder is put in its place.
            case file(String, bad: String?)
            case server(BadServer.Mood)
        }

        let job: String
        let source: Source
        let error: String
    }

    static let mishaps = [
        Mishap(
            job: "broken-json", source: .file("broken.json", bad: #"[{"targets": ["a:1", "b:1"}]"#),
            error: "FILE: line 1, column 29: “,” or “]” is expected after a target group, not the end of the text"),
        Mishap(
            job: "cut-json", source: .file("cut.json", bad: #"[{"targets": ["a:1", "b:"#),
            error: "FILE: line 1, column 22: this string has no end"),
        Mishap(
            job: "broken-yaml", source: .file("broken.yaml", bad: "- targets: [a:1, b:1\n  labels: {}\n"),
            error:
                "FILE: line 2, column 9: not valid YAML: did not find expected ',' or ']' while parsing a flow sequence that "
                + "begins in line 1"),
        Mishap(
            job: "wrong-shape", source: .file("shape.yml", bad: "targets: [a:1, b:1]\n"),
            error: "FILE: line 1, column 1: a list of target groups is expected, not a mapping"),
        Mishap(
            job: "wrong-type", source: .file("type.json", bad: #"[{"targets": "a:1"}]"#),
            error: "FILE: line 1, column 14: targets must be a list of strings, not a string"),
        Mishap(
            job: "unreadable", source: .file("unreadable.json", bad: nil),
            error: "FILE: not a regular file"),
        Mishap(
            job: "http-500", source: .server(.status),
            error: "GET URL: server returned HTTP status 500 Internal Server Error"),
        Mishap(
            job: "http-html", source: .server(.html), error: #"GET URL: unsupported content type "text/html""#),
        Mishap(
            job: "http-huge", source: .server(.hundredMegabytes),
            error: "GET URL: the answer is larger than the limit of 67108864 bytes"),
        Mishap(job: "http-never", source: .server(.never), error: "GET URL: no whole answer within 2.0 seconds"),
        Mishap(
            job: "http-shape", source: .server(.wrongShape),
            error: "URL: line 1, column 1: a list of target groups is expected, not an object"),
    ]
    static let collectors = ["collector-a", "collector-b"]

    @Test("What sources gave last stays when they turn bad, each failure is told, and recovery is seen")
    func mishaps() throws {
        let server = try BadServer()
        let process = try process(server)
        try setSources(process, server, to: .good, targets: ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"])
        try process.start()
        for mishap in Self.mishaps { try process.wait(for: "/jobs") { $0.text.contains("\"\(mishap.job)\"") } }
        let before = try bodies(process)
        let revision = try process.get("/jobs").revision

        let turned = Date.now
        try setSources(process, server, to: .bad)
        try expectFailures(since: turned, process, server)
        #expect(try bodies(process) == before)
        #expect(try process.get("/jobs").revision == revision, "a failure is not a change")
        #expect(try process.get("/readyz").status == 200)
        let log = process.log
        for mishap in Self.mishaps {
            let isLogged = log.contains(Self.message(mishap, process, server).logged)
            #expect(isLogged, "\(mishap.job) is not in the log")
        }
        let metrics = try process.get("/metrics").text
        for (name, least) in [
            ("prometheus_sd_file_read_errors_total", 6.0), ("prometheus_sd_http_failures_total", 5.0),
        ] {
            let line = metrics.split(separator: "\n").first { $0.hasPrefix(name + " ") || $0.hasPrefix(name + "{") }
            let value = line?.split(separator: " ").last.flatMap { Double($0) }
            #expect(value ?? 0 >= least, "\(name): \(line ?? "missing")")
        }
        #expect(metrics.contains("prometheus_sd_refresh_failures_total{"))

        // A new process knows only what is recorded, and its sources are still bad.
        process.kill()
        let restarted = Date.now
        try process.start()
        try process.wait()
        #expect(try bodies(process) == before)
        try expectFailures(since: restarted, process, server)
        #expect(try bodies(process) == before)
        #expect(try process.get("/jobs").revision == revision.map { $0 + 1 }, "the new term's own, and no other")

        try setSources(process, server, to: .good, targets: ["10.0.0.1:80", "10.0.0.9:80"])
        for mishap in Self.mishaps {
            try process.wait(for: "/jobs/\(mishap.job)/targets?collector_id=collector-a") { first in
                guard let second = try? process.targets(job: mishap.job, collector: "collector-b") else { return false }
                let text = first.text + second.text
                return text.contains("10.0.0.9:80") && !text.contains("10.0.0.2:80")
            }
        }
        try expectRecovery(process)
        try expectNoSecret(process, metrics)
        #expect(process.stop() == 0, "\(process.log.suffix(2000))")
    }

    // MARK: Sources

    enum State { case good, bad }

    private func process(_ server: BadServer) throws -> AllocatorProcess {
        let jobs = Self.mishaps.map { mishap -> String in
            switch mishap.source {
            case .file(let name, _):
                return "    - {job_name: \(mishap.job), file_sd_configs: [{files: [FOLDER/targets/\(name)]}]}"
            case .server:
                let url = server.url(mishap.job).replacing("127.0.0.1", with: "me:geheim@127.0.0.1")
                // Also how long an answer may take.
                let interval = mishap.job == "http-huge" ? "5s" : "2s"
                return
                    "    - {job_name: \(mishap.job), http_sd_configs: [{url: '\(url)', refresh_interval: \(interval)}]}"
            }
        }
        let process = try AllocatorProcess(
            jobs: jobs.joined(separator: "\n"),
            ledger: "  collectors: {static: [\(Self.collectors.joined(separator: ", "))]}")
        let config = try String(contentsOf: process.folder.appending(path: "config.yaml"), encoding: .utf8)
        try process.write("config.yaml", config.replacing("FOLDER", with: process.folder.path()))
        return process
    }

    private func setSources(
        _ process: AllocatorProcess, _ server: BadServer, to state: State, targets: [String] = []
    ) throws {
        let list =
            "[{\"targets\": [\(targets.map { "\"\($0)\"" }.joined(separator: ", "))], \"labels\": {\"a\": \"b\"}}]"
        for mishap in Self.mishaps {
            switch (mishap.source, state) {
            // JSON is YAML, too.
            case (.file(let name, _), .good): try process.write("targets/\(name)", list)
            case (.file(let name, let bad?), .bad): try process.write("targets/\(name)", bad)
            case (.file(let name, nil), .bad): try putFolder(in: process.folder.appending(path: "targets/\(name)"))
            case (.server, .good): server.set(mishap.job, .targets(list))
            case (.server(let mood), .bad): server.set(mishap.job, mood)
            }
        }
    }

    /// At once, so that the file is never missing: a link to a folder takes its place.
    private func putFolder(in place: URL) throws {
        let link = place.deletingLastPathComponent().appending(path: ".link")
        try FileManager.default.createSymbolicLink(atPath: link.path(), withDestinationPath: "/")
        guard rename(link.path(), place.path()) == 0 else {
            throw AllocatorProcess.Failure(description: "rename: errno \(errno)")
        }
    }

    // MARK: What must be found

    private static func message(
        _ mishap: Mishap, _ process: AllocatorProcess, _ server: BadServer
    ) -> (recorded: String, logged: String) {
        var text = mishap.error.replacing("URL", with: server.url(mishap.job))
        if case .file(let name, _) = mishap.source {
            text = text.replacing("FILE", with: process.folder.path() + "/targets/" + name)
        }
        return (text, text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\""))
    }

    private func bodies(_ process: AllocatorProcess) throws -> [String: [UInt8]] {
        var bodies: [String: [UInt8]] = [:]
        for mishap in Self.mishaps {
            for collector in Self.collectors {
                bodies["\(mishap.job) \(collector)"] = try process.targets(job: mishap.job, collector: collector).body
            }
        }
        return bodies
    }

    /// Waits until every job has the failure on record that it must have, from a moment on.
    ///
    /// A busy machine may answer later than the interval allows, so other failures may stand beside it.
    private func expectFailures(since: Date, _ process: AllocatorProcess, _ server: BadServer) throws {
        let since = "to_timestamp(\(since.timeIntervalSince1970))"
        let expected = Set(Self.mishaps.map { [$0.job, Self.message($0, process, server).recorded] })
        _ = try process.rows(
            """
            SELECT job, error FROM ledger.discovery_run WHERE outcome = 'failed' AND last_at > \(since)
            UNION
            SELECT job, error FROM ledger.discovery_report WHERE outcome = 'failed' AND last_at > \(since)
            """, until: { expected.isSubset(of: $0) })
        let wrong = try LedgerInspection(process: process).rows(
            "SELECT job, outcome, targets FROM ledger.discovery_run WHERE outcome <> 'failed'")
        #expect(wrong.isEmpty, "bad sources that succeeded")
    }

    /// Every failed run has ended and stands in the report with its error.
    private func expectRecovery(_ process: AllocatorProcess) throws {
        let ended = try process.rows(
            """
            SELECT r.job FROM ledger.discovery_run r
            WHERE r.outcome = 'succeeded' AND r.targets = 2 AND r.error IS NULL AND EXISTS (
                SELECT FROM ledger.discovery_report d
                WHERE d.job = r.job AND d.outcome = 'failed' AND d.error <> '' AND d.rounds > 0)
            """, until: { $0.count == Self.mishaps.count })
        #expect(ended.count == Self.mishaps.count)
        #expect(process.log.contains("files of targets can be taken again"))
        #expect(process.log.contains("a server's targets can be taken again"))
    }

    private func expectNoSecret(_ process: AllocatorProcess, _ metrics: String) throws {
        #expect(!process.log.contains("geheim"))
        #expect(!metrics.contains("geheim"))
        #expect(try !process.get("/scrape_configs").text.contains("geheim"))
        let found = try LedgerInspection(process: process).value(
            """
            SELECT (SELECT count(*) FROM ledger.discovery_report d WHERE d::text LIKE '%geheim%')
                + (SELECT count(*) FROM ledger.discovery_run r WHERE r::text LIKE '%geheim%')
                + (SELECT count(*) FROM ledger.configuration c WHERE c.text LIKE '%geheim%')
                + (SELECT count(*) FROM ledger.label l WHERE l.value LIKE '%geheim%')
            """)
        #expect(found == "0", "a password is recorded")
    }
}

extension AllocatorProcess {
    /// Asks the ledger until `condition` holds.
    func rows(_ sql: String, seconds: Double = 60, until condition: ([[String]]) -> Bool) throws -> [[String]] {
        let deadline = Date.now.addingTimeInterval(seconds)
        while true {
            let rows = try LedgerInspection(process: self).rows(sql)
            if condition(rows) { return rows }
            guard Date.now < deadline, isRunning else {
                throw Failure(description: "waited for \(sql): \(rows)\n\(log.suffix(4000))")
            }
            // Between two questions; the database cannot signal this process.
            usleep(50_000)
        }
    }
}

/// A server of target lists whose answer to each path is decided by the test.
final class BadServer: Sendable {
    enum Mood: Sendable {
        case targets(String)
        case status
        case html
        case hundredMegabytes
        case never
        case wrongShape
    }

    private final class Script: Sendable {
        let moods = Mutex<[String: Mood]>([:])
    }

    private let script = Script()
    private let server: TestServer

    init() throws {
        server = try TestServer { [script] request, connection in
            let mood = script.moods.withLock { $0[String(request.path.dropFirst())] }
            switch mood {
            case .targets(let text): connection.answer("200 OK", text)
            case .status: connection.answer("500 Internal Server Error", "[]")
            case .html: connection.answer("200 OK", type: "text/html", "<html>Please log in</html>")
            case .hundredMegabytes:
                connection.send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[")
                let piece = [UInt8](repeating: 32, count: 1 << 20)
                for _ in 0..<100 { guard connection.send(piece) else { return } }
                connection.send("]")
            case .never: connection.waitForClose()
            case .wrongShape: connection.answer("200 OK", "{\"targets\": []}")
            case nil: connection.answer("404 Not Found", "")
            }
        }
    }

    func set(_ path: String, _ mood: Mood) { script.moods.withLock { $0[path] = mood } }

    func url(_ path: String) -> String { server.url("/\(path)") }
}
