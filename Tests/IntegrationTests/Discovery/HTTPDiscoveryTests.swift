import AllocationCore
import Discovery
import Foundation
import HTTPTransport
import Logging
import PrometheusConfig
import Synchronization
import Testing

/// Goal: whatever a server does, its last targets stay until it brings others, and what went wrong is told.
///
/// Method: a server on loopback whose next answer the test decides; the refresh interval is short, and each step waits for
/// the batch or the report that must follow.
@Suite(.timeLimit(.minutes(1))) struct HTTPDiscoveryTests {
    /// How the server answers now.
    enum Mood: Sendable {
        case targets([String])
        case raw(status: String, type: String, body: String)
        case hundredMegabytes
        case never
        case endless
        case redirect
    }

    /// What the server's threads read.
    final class Script: Sendable {
        let mood = Mutex(Mood.targets(["a", "b"]))
    }

    final class Stage {
        let script = Script()
        let table = LabelTable()
        let manager: DiscoveryManager
        let server: TestServer
        private(set) var known: [String: [[String: String]]] = [:]
        private(set) var isSynchronised = false
        private var reports: [DiscoveryReport] = []

        init() throws {
            let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            manager = DiscoveryManager(
                table: table, watcher: FileWatcher(logger: logger), http: HTTPClient(userAgent: "test"), logger: logger)
            server = try TestServer { [script] request, connection in
                Self.answer(script.mood.withLock { $0 }, request, connection)
            }
        }

        private static func answer(_ mood: Mood, _ request: TestServer.Request, _ connection: TestServer.Connection) {
            switch mood {
            case .targets(let addresses):
                connection.answer(
                    "200 OK", "[" + addresses.map { "{\"targets\": [\"\($0)\"]}" }.joined(separator: ",") + "]")
            case .redirect where request.path == "/sd":
                connection.answer("302 Found", fields: "Location: /elsewhere\r\n", "")
            case .redirect: connection.answer("200 OK", "[{\"targets\": [\"redirected\"]}]")
            case .raw(let status, let type, let body): connection.answer(status, type: type, body)
            case .hundredMegabytes:
                connection.send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[")
                let piece = [UInt8](repeating: 32, count: 1 << 20)
                for _ in 0..<100 { guard connection.send(piece) else { return } }
                connection.send("]")
            case .never: connection.waitForClose()
            case .endless:
                connection.send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[")
                while connection.send(" ") { usleep(10_000) }
            }
        }

        func answer(_ next: Mood) { script.mood.withLock { $0 = next } }

        func take() async throws {
            let batch = try await manager.nextBatch()
            reports += batch.reports
            for (key, group) in batch.jobs["job"]?.changed ?? [:] {
                let labels = group.labels.dictionary(in: table)
                let targets = group.targets.map { labels.merging($0.dictionary(in: table)) { $1 } }
                known[key.source] = targets.isEmpty ? nil : targets
            }
            isSynchronised = batch.jobs["job"]?.isSynchronised ?? isSynchronised
        }

        var addresses: [String] { known.values.joined().compactMap { $0["__address__"] }.sorted() }

        func expect(_ wanted: [String]) async throws {
            while addresses != wanted { try await take() }
        }

        /// Waits for a failure whose message has this in it.
        func expectFailure(_ text: String) async throws -> DiscoveryReport {
            reports = []
            while true {
                if let report = reports.first(where: { $0.error?.contains(text) == true }) { return report }
                try await take()
            }
        }
    }

    func run(interval: Int64 = 200, first: Mood = .targets(["a", "b"]), _ body: (Stage, String) async throws -> Void)
        async throws
    {
        let stage = try Stage()
        stage.answer(first)
        let url = stage.server.url("/sd")
        var config = HTTPSDConfig(url: url, refreshInterval: PrometheusDuration(milliseconds: interval))
        config.http.authorization = HTTPClientConfig.Authorization()
        config.http.authorization?.credentials = Secret("token")
        await stage.manager.apply([JobDiscovery(job: "job", http: [config])])
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { [manager = stage.manager] in try await manager.run() }
            try await body(stage, url)
            group.cancelAll()
        }
    }

    @Test("Targets come, change and go, and the request says who asks")
    func life() async throws {
        try await run { stage, url in
            try await stage.expect(["a", "b"])
            #expect(stage.isSynchronised)
            #expect(stage.known["\(url):0"] == [["__address__": "a", "__meta_url": url]])
            stage.answer(.targets(["a", "c", "d"]))
            try await stage.expect(["a", "c", "d"])
            stage.answer(.targets(["d"]))
            try await stage.expect(["d"])
            stage.answer(.redirect)
            try await stage.expect(["redirected"])
            #expect(stage.known.values.joined().map { $0["__meta_url"] } == [url])
            stage.answer(.raw(status: "200 OK", type: "application/json; charset=utf-8", body: "null"))
            try await stage.expect([])
            let request = try #require(stage.server.received.first)
            #expect(request.line == "GET /sd HTTP/1.1")
            #expect(request.fields["accept"] == "application/json")
            #expect(request.fields["user-agent"]?.hasPrefix("Prometheus/") == true)
            #expect(request.fields["x-prometheus-refresh-interval-seconds"] == "0.2")
            #expect(request.fields["authorization"] == "Bearer token")
            #expect(request.fields["accept-encoding"] == nil)
        }
    }

    static let mishaps: [(Mood, String)] = [
        (
            .raw(status: "500 Internal Server Error", type: "application/json", body: "[]"),
            "server returned HTTP status 500 Internal Server Error"
        ),
        (
            .raw(status: "204 No Content", type: "application/json", body: ""),
            "server returned HTTP status 204 No Content"
        ),
        (
            .raw(status: "200 OK", type: "text/html", body: "<html>Please log in</html>"),
            "unsupported content type \"text/html\""
        ),
        (
            .raw(status: "200 OK", type: "application/json", body: "<html>"),
            "line 1, column 1: a list of target groups is expected, not “<”"
        ),
        (.hundredMegabytes, "the answer is larger than the limit of 67108864 bytes"),
        (.never, "no whole answer within 1.5 seconds"),
        (.endless, "no whole answer within 1.5 seconds"),
    ]

    @Test("What a server does wrong fails the round, keeps the targets, and is told with its URL", arguments: mishaps)
    func mishap(mood: Mood, message: String) async throws {
        try await run(interval: 1500) { stage, url in
            try await stage.expect(["a", "b"])
            stage.answer(mood)
            let report = try await stage.expectFailure(message)
            #expect(report.error?.contains(url) == true)
            #expect(report.targets == 2)
            #expect(report.jobs == ["job"])
            #expect(stage.addresses == ["a", "b"])
            stage.answer(.targets(["c"]))
            try await stage.expect(["c"])
        }
    }

    @Test("A server that fails from the start leaves its job unsynchronised, without targets")
    func neverWell() async throws {
        try await run(first: .raw(status: "503 Busy", type: "text/plain", body: "")) { stage, _ in
            _ = try await stage.expectFailure("503 Busy")
            #expect(!stage.isSynchronised)
            #expect(stage.known.isEmpty)
            stage.answer(.targets(["a"]))
            try await stage.expect(["a"])
            #expect(stage.isSynchronised)
        }
    }

    @Test("A password in a URL is sent, and is in no source, label or message")
    func password() async throws {
        let stage = try Stage()
        let plain = stage.server.url("/sd")
        let url = plain.replacing("127.0.0.1", with: "me:geheim@127.0.0.1")
        let config = HTTPSDConfig(url: url, refreshInterval: PrometheusDuration(milliseconds: 100))
        await stage.manager.apply([JobDiscovery(job: "job", http: [config])])
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { [manager = stage.manager] in try await manager.run() }
            try await stage.expect(["a", "b"])
            #expect(stage.known["\(plain):0"] == [["__address__": "a", "__meta_url": plain]])
            #expect(stage.server.received.first?.fields["authorization"] == "Basic bWU6Z2VoZWlt")
            stage.answer(.raw(status: "401 No", type: "text/plain", body: ""))
            let report = try await stage.expectFailure("401")
            #expect(report.error?.contains("geheim") == false)
            #expect(report.provider.description.contains("geheim") == false)
            #expect(report.source == plain)
            group.cancelAll()
        }
    }

    @Test("What cannot be sent as configured fails, and is never left out")
    func unsupported() async throws {
        let stage = try Stage()
        var config = HTTPSDConfig(url: stage.server.url("/sd"))
        config.http.oauth2 = OAuth2()
        await stage.manager.apply([JobDiscovery(job: "job", http: [config])])
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { [manager = stage.manager] in try await manager.run() }
            _ = try await stage.expectFailure("oauth2 is not supported yet for http_sd_configs")
            #expect(stage.server.received.isEmpty)
            group.cancelAll()
        }
    }
}
