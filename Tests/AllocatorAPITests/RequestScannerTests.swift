//
// RequestScannerTests.swift
//

import NIOCore
import Testing

@testable import AllocatorAPI

/// Goal: what the scanner accepts, the full decoder would read in the same way; what is doubtful it leaves alone.
@Suite struct RequestScannerTests {
    private func scan(_ text: String) -> RequestScanner.Outcome {
        ByteBuffer(string: text).withUnsafeReadableBytes(RequestScanner.scan)
    }

    private func scanned(_ text: String) -> RequestScanner.Scanned? {
        guard case .request(let request) = scan(text) else { return nil }
        return request
    }

    @Test func aCollectorsRequestIsRead() throws {
        let text = """
            GET /jobs/a%2Fb/targets?collector_id=c HTTP/1.1\r
            Host: ta:80\r
            User-Agent: Prometheus/3.0\r
            accept:application/json \r
            Accept-Encoding: gzip\r
            If-None-Match: "abc"\r
            X-Prometheus-Refresh-Interval-Seconds: 30\r
            \r

            """
        let request = try #require(scanned(text + "GET /next"))
        #expect(request.byteCount == text.utf8.count)
        #expect(request.request.method == .get)
        #expect(request.request.target == "/jobs/a%2Fb/targets?collector_id=c")
        #expect(request.request.acceptsGzip && !request.request.acceptsHTML)
        #expect(request.request.ifNoneMatch == "\"abc\"")
        #expect(request.keepsAlive && request.isPlain && !request.isVersion10)
    }

    @Test func everyPrefixIsIncomplete() {
        let text = "GET /jobs HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n"
        for length in 0..<text.utf8.count {
            #expect(scan(String(decoding: text.utf8.prefix(length), as: UTF8.self)) == .incomplete)
        }
        #expect(scanned(text) != nil)
    }

    @Test(arguments: [
        ("HTTP/1.1", "", true), ("HTTP/1.1", "Connection: close\r\n", false),
        ("HTTP/1.1", "connection: Keep-Alive, CLOSE\r\n", false), ("HTTP/1.0", "", false),
        ("HTTP/1.0", "Connection: keep-alive\r\n", true),
        ("HTTP/1.0", "Connection: keep-alive\r\nConnection: close\r\n", false),
    ])
    func connections(version: String, field: String, keepsAlive: Bool) throws {
        #expect(try #require(scanned("GET / \(version)\r\nHost: a\r\n\(field)\r\n")).keepsAlive == keepsAlive)
    }

    @Test(arguments: [
        "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nIf-None-Match: \"a\"\r\nIf-None-Match: \"b\"\r\n\r\n",
    ])
    func unusualRequestsAreTheRouters(text: String) throws {
        #expect(try #require(scanned(text)).isPlain == false)
    }

    @Test(arguments: [
        "POST / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\ntransfer-ENCODING: chunked\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET / HTTP/2.0\r\nHost: a\r\n\r\n", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", "GET /\u{1} HTTP/1.1\r\nHost: a\r\n\r\n", "GET /\r\n\r\n",
        "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\nHost: a\n\n", "GET / HTTP/1.1\r\nHost: a\n\r\n",
        "GET / HTTP/1.1\r\nHost : a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: a\u{0}b\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nnocolon\r\n\r\n",
    ])
    func doubtfulRequestsAreLeftAlone(text: String) {
        #expect(scan(text) == .opaque)
    }

    @Test func aHeadTooLongIsLeftAlone() {
        let text = "GET / HTTP/1.1\r\nX: " + String(repeating: "a", count: RequestScanner.headBytesMax)
        #expect(scan(text) == .opaque)
    }
}
