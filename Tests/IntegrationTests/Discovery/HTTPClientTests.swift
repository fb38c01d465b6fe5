import Foundation
import HTTPTransport
import Synchronization
import Testing

/// Goal: every way in which a server can fail becomes an error that says what and where, and nothing waits for ever.
///
/// Method: a server on loopback that misbehaves on request; the client is the real one.
@Suite(.timeLimit(.minutes(1))) struct HTTPClientTests {
    let client = HTTPClient(userAgent: "test/1")

    func error(
        _ request: HTTPRequest, deadline: Duration = .seconds(20), bodyBytesMax: Int = 1 << 20
    ) async -> HTTPTransportError? {
        do throws(HTTPTransportError) {
            _ = try await client.send(request, deadline: deadline, bodyBytesMax: bodyBytesMax)
            return nil
        } catch {
            return error
        }
    }

    @Test("A whole answer, whatever its status")
    func whole() async throws {
        let server = try TestServer { request, connection in
            connection.answer("418 I'm a teapot", fields: "X-Kind: pot\r\n", request.fields["x-mine"] ?? "none")
        }
        var request = HTTPRequest(url: server.url("/a?b=c"), fields: ["X-Mine": "yes"])
        request.authentication = .basic(user: "Aladdin", password: "open sesame")
        let response = try await client.send(request, deadline: .seconds(20), bodyBytesMax: 1000)
        #expect(response.status == 418)
        #expect(response.head.reason == "I'm a teapot")
        #expect(response.fields["x-kind"] == "pot")
        #expect(String(decoding: response.body, as: UTF8.self) == "yes")
        let received = try #require(server.received.first)
        #expect(received.line == "GET /a?b=c HTTP/1.1")
        #expect(received.fields["user-agent"] == "test/1")
        #expect(received.fields["authorization"] == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
    }

    @Test("A body is sent with its method")
    func post() async throws {
        let server = try TestServer { request, connection in
            var body = [UInt8](repeating: 0, count: Int(request.fields["content-length"] ?? "") ?? 0)
            _ = recv(connection.descriptor, &body, body.count, Int32(MSG_WAITALL))
            connection.answer("200 OK", request.line + " " + String(decoding: body, as: UTF8.self))
        }
        let request = HTTPRequest(method: "POST", url: server.url("/p"), body: Array("hello".utf8))
        let response = try await client.send(request, deadline: .seconds(20), bodyBytesMax: 1000)
        #expect(String(decoding: response.body, as: UTF8.self) == "POST /p HTTP/1.1 hello")
    }

    @Test("A server that never answers meets the deadline", arguments: ["/silent", "/endless", "/drip"])
    func never(path: String) async throws {
        let server = try TestServer { request, connection in
            switch request.path {
            case "/endless":
                connection.send("HTTP/1.1 200 OK\r\n\r\n")
                while connection.send([UInt8](repeating: 32, count: 1000)) { usleep(20_000) }
            case "/drip":
                while connection.send("H") { usleep(20_000) }
            default: connection.waitForClose()
            }
        }
        let url = server.url(path)
        let error = await error(HTTPRequest(url: url), deadline: .milliseconds(300), bodyBytesMax: 1 << 30)
        if path == "/drip" {
            // libcurl may tell from the first bytes that this is no HTTP/1.
            #expect(error != nil)
        } else {
            #expect(error?.cause == .deadlineExceeded(.milliseconds(300)))
            #expect(error?.description == "GET \(url): no whole answer within 0.3 seconds")
        }
    }

    @Test("An answer that is too large is refused, told or not told", arguments: ["/told", "/untold"])
    func tooLarge(path: String) async throws {
        let sent = Mutex(0)
        let server = try TestServer { request, connection in
            let hundred = 100 << 20
            connection.send(
                request.path == "/told"
                    ? "HTTP/1.1 200 OK\r\nContent-Length: \(hundred)\r\n\r\n" : "HTTP/1.1 200 OK\r\n\r\n")
            let piece = [UInt8](repeating: 32, count: 1 << 16)
            for _ in 0..<(hundred / piece.count) {
                guard connection.send(piece) else { return }
                sent.withLock { $0 += piece.count }
            }
        }
        let error = await error(HTTPRequest(url: server.url(path)), bodyBytesMax: 1 << 20)
        #expect(error?.cause == .bodyTooLarge(bytesMax: 1 << 20))
        #expect(error?.description.hasSuffix("the answer is larger than the limit of 1048576 bytes") == true)
        // The server was cut off long before its end.
        #expect(sent.withLock { $0 } < 50 << 20)
    }

    @Test("A header without end is refused")
    func headTooLarge() async throws {
        let server = try TestServer { _, connection in
            connection.send("HTTP/1.1 200 OK\r\n")
            var number = 0
            while connection.send("X-\(number): \(String(repeating: "x", count: 1000))\r\n") { number += 1 }
        }
        // libcurl of newer versions has a limit of its own.
        #expect(await error(HTTPRequest(url: server.url("/"))) != nil)
    }

    @Test("Nobody listens; no such host; a broken answer; not a URL")
    func connection() async throws {
        let closed = try TestServer { _, _ in }.url("/")
        let refused = await error(HTTPRequest(url: closed.replacing("127.0.0.1", with: "user:geheim@127.0.0.1")))
        if case .notConnected = refused?.cause {} else { Issue.record("\(String(describing: refused))") }
        #expect(refused?.description.contains("geheim") == false)
        #expect(refused?.url == closed)

        let unknown = await error(HTTPRequest(url: "http://no-such-host.invalid/"))
        if case .hostNotFound = unknown?.cause {} else { Issue.record("\(String(describing: unknown))") }

        let server = try TestServer { _, connection in
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        }
        let broken = await error(HTTPRequest(url: server.url("/")))
        if case .connectionLost = broken?.cause {} else { Issue.record("\(String(describing: broken))") }

        for text in ["", "ftp://a/", "http://", "http:// /", "file:///etc/passwd"] {
            let error = await error(HTTPRequest(url: text))
            if case .invalidRequest = error?.cause {} else { Issue.record("\(text): \(String(describing: error))") }
        }
        let injected = await error(HTTPRequest(url: server.url("/"), fields: ["X": "a\r\nY: b"]))
        #expect(injected?.cause == .invalidRequest("the value of X has a line break"))
    }

    @Test("Redirects are followed, ten at most, and credentials stay at home")
    func redirects() async throws {
        let other = try TestServer { _, connection in connection.answer("200 OK", "other") }
        let otherURL = other.url("/")
        let server = try TestServer { request, connection in
            switch request.path {
            case "/loop": connection.answer("302 Found", fields: "Location: /loop\r\n", "")
            case "/away":
                connection.answer(
                    "307 Temporary", fields: "Location: \(otherURL.replacing("127.0.0.1", with: "localhost"))\r\n", "")
            case "/near": connection.answer("301 Moved", fields: "Location: here?x=1\r\n", "")
            case "/file": connection.answer("302 Found", fields: "Location: file:///etc/passwd\r\n", "")
            default: connection.answer("200 OK", request.path + " " + (request.fields["authorization"] ?? ""))
            }
        }
        func request(_ path: String) -> HTTPRequest {
            HTTPRequest(
                url: server.url(path), fields: [.init("X-Token", "t", isSensitive: true), .init("X-Plain", "p")],
                authentication: .credentials(scheme: "Bearer", "secret"))
        }
        let near = try await client.send(request("/near"), deadline: .seconds(20), bodyBytesMax: 1000)
        #expect(String(decoding: near.body, as: UTF8.self) == "/here?x=1 Bearer secret")

        let away = try await client.send(request("/away"), deadline: .seconds(20), bodyBytesMax: 1000)
        #expect(String(decoding: away.body, as: UTF8.self) == "other")
        let received = try #require(other.received.first)
        #expect(received.fields["authorization"] == nil)
        #expect(received.fields["x-token"] == nil)
        #expect(received.fields["x-plain"] == "p")

        #expect(await error(request("/loop"))?.cause == .tooManyRedirects(max: 10))
        #expect(server.received.count { $0.path == "/loop" } == 11)
        if case .invalidRequest = await error(request("/file"))?.cause {} else { Issue.record("followed to a file") }

        var stay = request("/near")
        stay.followsRedirects = false
        #expect(try await client.send(stay, deadline: .seconds(20), bodyBytesMax: 1000).status == 301)
    }

    @Test("A stream comes in pieces and holds its server back")
    func stream() async throws {
        let sent = Mutex(0)
        let total = 64 << 20
        let server = try TestServer { _, connection in
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(total)\r\n\r\n")
            let piece = (0..<(1 << 16)).map { UInt8(truncatingIfNeeded: $0) }
            while sent.withLock({ $0 }) < total, connection.send(piece) { sent.withLock { $0 += piece.count } }
        }
        let stream = try await client.stream(HTTPRequest(url: server.url("/")), deadline: .seconds(20))
        #expect(stream.status == 200)
        // While one stream rests, another request goes through; meanwhile the server of the first is stuck.
        let other = try TestServer { _, connection in connection.answer("200 OK", "other") }
        for _ in 0..<20 {
            _ = try await client.send(HTTPRequest(url: other.url("/")), deadline: .seconds(20), bodyBytesMax: 100)
        }
        #expect(sent.withLock { $0 } < total)
        var count = 0
        for try await piece in stream.body {
            #expect(piece.first == UInt8(truncatingIfNeeded: count))
            count += piece.count
        }
        #expect(count == total)
    }

    @Test("A stream without an answer meets its deadline, one that stalls its limit")
    func streamLimits() async throws {
        let server = try TestServer { request, connection in
            if request.path == "/stall" { connection.send("HTTP/1.1 200 OK\r\n\r\nfirst") }
            connection.waitForClose()
        }
        await #expect(
            throws: HTTPTransportError(
                method: "GET", url: server.url("/"), cause: .deadlineExceeded(.milliseconds(200)))
        ) {
            try await client.stream(HTTPRequest(url: server.url("/")), deadline: .milliseconds(200))
        }
        let stream = try await client.stream(
            HTTPRequest(url: server.url("/stall")), deadline: .milliseconds(200), stallLimit: .seconds(1))
        #expect(try await stream.body.next() == Array("first".utf8))
        await #expect(
            throws: HTTPTransportError(method: "GET", url: server.url("/stall"), cause: .stalled(.seconds(1)))
        ) {
            try await stream.body.next()
        }
    }

    @Test("Cancelling the task and dropping the stream end the connection")
    func cancel() async throws {
        let (closed, signal) = AsyncStream<String>.makeStream()
        let (begun, begin) = AsyncStream<String>.makeStream()
        let server = try TestServer { request, connection in
            if request.path == "/stream" { connection.send("HTTP/1.1 200 OK\r\n\r\nfirst") }
            begin.yield(request.path)
            connection.waitForClose()
            signal.yield(request.path)
        }
        var closings = closed.makeAsyncIterator()
        var beginnings = begun.makeAsyncIterator()
        let url = server.url("/send")
        let result = await withTaskGroup(of: HTTPTransportError?.self) { group in
            group.addTask { await error(HTTPRequest(url: url)) }
            #expect(await beginnings.next() == "/send")
            group.cancelAll()
            return await group.next() ?? nil
        }
        #expect(result?.cause == .cancelled)
        #expect(await closings.next() == "/send")

        do {
            let stream = try await client.stream(HTTPRequest(url: server.url("/stream")), deadline: .seconds(20))
            #expect(try await stream.body.next() == Array("first".utf8))
        }
        #expect(await closings.next() == "/stream")
    }

    @Test("A client that is shut down ends what is under way")
    func shutDown() async throws {
        let (begun, begin) = AsyncStream<Void>.makeStream()
        let server = try TestServer { _, connection in
            begin.yield()
            connection.waitForClose()
        }
        let url = server.url("/")
        let client = HTTPClient(userAgent: "test")
        let cause = await withTaskGroup(of: HTTPTransportError.Cause?.self) { group in
            group.addTask {
                do throws(HTTPTransportError) {
                    _ = try await client.send(HTTPRequest(url: url), deadline: .seconds(20), bodyBytesMax: 100)
                    return nil
                } catch {
                    return error.cause
                }
            }
            for await _ in begun { break }
            client.shutDown()
            return await group.next() ?? nil
        }
        #expect(cause == .closed)
        await #expect(throws: HTTPTransportError(method: "GET", url: url, cause: .closed)) {
            try await client.send(HTTPRequest(url: url), deadline: .seconds(20), bodyBytesMax: 100)
        }
    }

    @Test("A proxy is asked for what is not excepted")
    func proxy() async throws {
        let proxy = try TestServer { request, connection in connection.answer("200 OK", request.line) }
        let server = try TestServer { _, connection in connection.answer("200 OK", "direct") }
        var request = HTTPRequest(url: "http://somewhere.invalid/x")
        request.proxy = .url(proxy.url(""), exceptions: "127.0.0.1", connectFields: [])
        let through = try await client.send(request, deadline: .seconds(20), bodyBytesMax: 100)
        #expect(String(decoding: through.body, as: UTF8.self) == "GET http://somewhere.invalid/x HTTP/1.1")
        request.url = server.url("/")
        let direct = try await client.send(request, deadline: .seconds(20), bodyBytesMax: 100)
        #expect(String(decoding: direct.body, as: UTF8.self) == "direct")
    }

    @Test("A hundred requests at once, each with its own answer")
    func many() async throws {
        let server = try TestServer { request, connection in connection.answer("200 OK", request.path) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<100 {
                let url = server.url("/\(number)")
                group.addTask {
                    let response = try await client.send(
                        HTTPRequest(url: url), deadline: .seconds(20), bodyBytesMax: 100)
                    #expect(String(decoding: response.body, as: UTF8.self) == "/\(number)")
                }
            }
            try await group.waitForAll()
        }
    }
}
