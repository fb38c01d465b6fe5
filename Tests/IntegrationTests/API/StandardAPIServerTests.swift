//
// StandardAPIServerTests.swift
//

import AllocationCore
import AllocatorAPI
import AllocatorRuntime
import Logging
import NIOCore
import Telemetry
import Testing

/// Goal: over a real socket, every answer is the state at the revision it names, in the order of the requests.
@Suite struct StandardAPIServerTests {
    private static let targets = "/jobs/j/targets?collector_id=c"

    @Test func routesAnswerOverASocket() async throws {
        try await StandardAPIFixture.with { api in
            try await HTTPConnection.with(port: api.port) { connection in
                let early = try await connection.get("/scrape_configs")
                #expect(early.status == 503)
                #expect(early.fields["content-type"] == "application/problem+json")
                #expect(early.text.contains(#""title":"Service Unavailable""#))
                #expect(try await connection.get("/readyz").status == 503)
                #expect(try await connection.get("/livez").status == 200)

                api.publish(StandardAPIFixture.snapshot(revision: 5, targets: 1))
                #expect(try await connection.get("/readyz").status == 200)
                let list = try await connection.get(Self.targets)
                #expect(
                    list.text == #"[{"targets":["host-0:5"],"labels":{"__address__":"host-0:5","#
                        + #""filling":"xxxxxxxxxxxxxxxxxxxx","revision":"5"}}]"# + "\n")
                #expect(list.fields["content-type"] == "application/json")
                #expect(list.fields["target-ledger-revision"] == "5")
                #expect(list.fields["date"]?.hasSuffix(" GMT") == true)
                // Answered by the router, all else by the fast path.
                let metrics = try await connection.get("/metrics")
                #expect(metrics.text.contains(#"http_duration_seconds_count{otel_scope_name="targetallocator","#))
                #expect(metrics.text.contains(#"path="/jobs/:job_id/targets"} 1"#))
                #expect(metrics.fields["date"]?.hasSuffix(" GMT") == true)
                #expect(try await connection.get("/nothing").text == "404 page not found")
                #expect(try await connection.get("/jobs/j/targets").text.hasPrefix(#"{"c":{"_link":"/jobs/j/targets?"#))
                let etag = try #require(list.fields["etag"])
                let unchanged = try await connection.get(Self.targets, ["If-None-Match: \(etag)"])
                #expect(unchanged.status == 304 && unchanged.fields["content-length"] == nil)
                #expect(try await connection.get("/jobs").text == "{\"j\":{\"_link\":\"/jobs/j/targets\"}}\n")
            }
        }
    }

    @Test func pipelinedRequestsAreAnsweredInOrder() async throws {
        try await StandardAPIFixture.with { api in
            api.publish(StandardAPIFixture.snapshot(revision: 1, targets: 3))
            try await HTTPConnection.with(port: api.port) { connection in
                // Some are the fast path's, some the router's; the connection ends behind the last.
                let paths = ["/livez", "/metrics", Self.targets, "/nothing", "/jobs", "/", "/scrape_configs"]
                for path in paths + paths { try await connection.send(HTTPConnection.request(path)) }
                try await connection.send(HTTPConnection.request("/readyz", ["Connection: close"]))
                for path in paths + paths {
                    let answer = try await connection.answer()
                    let expected: String =
                        switch path {
                        case "/livez": ""
                        case "/metrics": "# HELP"
                        case "/nothing": "404"
                        case "/jobs": "{\"j\""
                        case "/": "<!DOCTYPE"
                        case "/scrape_configs": "{\"j\":{\"job_name\""
                        default: "[{\"targets\""
                        }
                    #expect(answer.text.hasPrefix(expected), "\(path)")
                }
                #expect(try await connection.answer().fields["connection"] == "close")
                #expect(try await connection.isEnded())
            }
        }
    }

    @Test func requestsWithBodiesDoNotConfuseTheConnection() async throws {
        try await StandardAPIFixture.with { api in
            api.publish(StandardAPIFixture.snapshot(revision: 1, targets: 1))
            try await HTTPConnection.with(port: api.port) { connection in
                let smuggled = HTTPConnection.request("/livez")
                try await connection.send(
                    "POST /jobs HTTP/1.1\r\nHost: a\r\nContent-Length: \(smuggled.utf8.count)\r\n\r\n" + smuggled
                        + HTTPConnection.request(Self.targets))
                let refused = try await connection.answer()
                #expect(refused.status == 404 && refused.text == "404 page not found")
                #expect(try await connection.answer().text.hasPrefix("[{"))
                #expect(try await connection.get("/livez").status == 200)
            }
        }
    }

    @Test(arguments: ["GET / HTTP/1.1\r\nbad\u{1}name: x\r\n\r\n", "nonsense\r\n\r\n"])
    func nonsenseIsRefusedAndEndsTheConnection(request: String) async throws {
        try await StandardAPIFixture.with { api in
            try await HTTPConnection.with(port: api.port) { connection in
                try await connection.send(request)
                #expect(try await connection.answer().status == 400)
                #expect(try await connection.isEnded())
            }
        }
    }

    @Test func aClientThatStopsSendingIsStillAnswered() async throws {
        try await StandardAPIFixture.with { api in
            // Larger than any socket buffer, so that closing early would cut it.
            api.publish(StandardAPIFixture.snapshot(revision: 1, targets: 2000, labelBytes: 4000))
            try await HTTPConnection.with(port: api.port) { connection in
                try await connection.send(HTTPConnection.request(Self.targets))
                try await connection.send(HTTPConnection.request(Self.targets, ["Connection: close"]))
                connection.finishSending()
                let first = try await connection.answer()
                #expect(first.body.readableBytes > 8_000_000)
                #expect(try await connection.answer().body == first.body)
                #expect(try await connection.isEnded())
            }
        }
    }

    /// The router answers it, and only then is the connection closed.
    @Test(arguments: [64 << 20, 1 << 20])
    func theLastAnswerOfAConnectionIsWhole(cacheBytesMax: Int) async throws {
        try await StandardAPIFixture.with(cacheBytesMax: cacheBytesMax) { api in
            api.publish(StandardAPIFixture.snapshot(revision: 1, targets: 2000, labelBytes: 10_000))
            try await HTTPConnection.with(port: api.port) { connection in
                try await connection.send(HTTPConnection.request("/jobs/j/targets", ["Connection: close"]))
                let answer = try await connection.answer()
                #expect(answer.body.readableBytes > 20_000_000 && answer.text.hasSuffix("}}]}}\n"))
                #expect(try await connection.isEnded())
            }
        }
    }

    @Test func answersOnTheirWaySurviveTheShutdown() async throws {
        try await StandardAPIFixture.with { api in
            api.publish(StandardAPIFixture.snapshot(revision: 1, targets: 2000, labelBytes: 4000))
            try await HTTPConnection.with(port: api.port) { connection in
                // Once the first answer is read, the second is being written.
                try await connection.send(HTTPConnection.request("/livez") + HTTPConnection.request(Self.targets))
                #expect(try await connection.answer().status == 200)
                await api.shutdown()
                let answer = try await connection.answer()
                #expect(answer.body.readableBytes > 8_000_000 && answer.text.hasSuffix("}}]\n"))
                #expect(try await connection.isEnded())
            }
        }
    }

    @Test func listsTooLargeToKeepAreStreamedWhole() async throws {
        try await StandardAPIFixture.with(cacheBytesMax: 1 << 20) { api in
            api.publish(StandardAPIFixture.snapshot(revision: 1, targets: 1000, labelBytes: 4000))
            try await HTTPConnection.with(port: api.port) { connection in
                let streamed = try await connection.get(Self.targets)
                #expect(streamed.body.readableBytes > 4_000_000 && streamed.text.hasSuffix("}}]\n"))
                #expect(try await connection.get("/livez").status == 200)
                let etag = try #require(streamed.fields["etag"])
                #expect(try await connection.get(Self.targets, ["If-None-Match: \(etag)"]).status == 304)
            }
        }
    }

    /// What a reader sees at revision N is the content of N, however often N changes meanwhile.
    @Test func everyAnswerIsTheStateOfTheRevisionItNames() async throws {
        let revisions: ClosedRange<Int64> = 1...300
        try await StandardAPIFixture.with { api in
            api.publish(StandardAPIFixture.snapshot(revision: 1, targets: 1))
            try await withThrowingTaskGroup { group in
                group.addTask {
                    for revision in revisions.dropFirst() {
                        api.publish(StandardAPIFixture.snapshot(revision: revision, targets: Int(revision % 7)))
                        await Task.yield()
                    }
                }
                for _ in 0..<4 {
                    group.addTask {
                        try await HTTPConnection.with(port: api.port) { connection in
                            var last: Int64 = 0
                            while last < revisions.upperBound {
                                for path in [Self.targets, "/jobs/j/targets", "/scrape_configs", "/jobs"] {
                                    let answer = try await connection.get(path)
                                    last = try #require(Int64(answer.fields["target-ledger-revision"] ?? ""))
                                    #expect(answer.text == Self.expected(path, revision: last), "\(path) at \(last)")
                                }
                            }
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    private static func expected(_ path: String, revision: Int64) -> String {
        let addresses = (0..<(revision == 1 ? 1 : Int(revision % 7))).map { "host-\($0):\(revision)" }
        let elements = addresses.map { address in
            #"{"targets":["\#(address)"],"labels":{"__address__":"\#(address)","#
                + #""filling":"xxxxxxxxxxxxxxxxxxxx","revision":"\#(revision)"}}"#
        }.joined(separator: ",")
        switch path {
        case "/jobs": return addresses.isEmpty ? "{}\n" : "{\"j\":{\"_link\":\"/jobs/j/targets\"}}\n"
        case "/scrape_configs": return #"{"j":{"job_name":"j","revision":"\#(revision)"}}"#
        case "/jobs/j/targets":
            return #"{"c":{"_link":"/jobs/j/targets?collector_id=c","targets":[\#(elements)]}}"# + "\n"
        default: return "[\(elements)]\n"
        }
    }

    @Test func aPortInUseIsNamed() async throws {
        try await StandardAPIFixture.with { api in
            let address = try ListenAddress(parsing: "127.0.0.1:\(api.port)")
            let second = StandardAPIServer(
                configuration: .init(address: address),
                context: StandardAPIContext(publisher: SnapshotPublisher(), metrics: MetricsRegistry()),
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            await #expect(throws: ListenError.addressInUse(address)) { try await second.run() }
            #expect(ListenError.addressInUse(address).description.contains("127.0.0.1:\(api.port)"))
        }
    }
}
