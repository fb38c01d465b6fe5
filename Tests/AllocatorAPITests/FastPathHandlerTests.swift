//
// FastPathHandlerTests.swift
//

import HTTPTypes
import NIOCore
import NIOEmbedded
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1
import Testing

@testable import AllocatorAPI

/// Goal: answers leave in the order of their requests, whoever gives them, and connections end when they should.
///
/// Method: the real pipeline in an embedded channel; the router is a handler that answers when the test says so.
@Suite struct FastPathHandlerTests {
    /// Stands in for the router: remembers the paths it was given and answers them on demand.
    private final class Router: ChannelInboundHandler {
        typealias InboundIn = HTTPRequestPart
        typealias OutboundOut = HTTPResponsePart
        var paths: [String] = []
        private var context: ChannelHandlerContext?

        func handlerAdded(context: ChannelHandlerContext) { self.context = context }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            if case .head(let head) = unwrapInboundIn(data) { paths.append(head.path ?? "") }
        }

        func answer(_ body: String) {
            guard let context else { return }
            let fields: HTTPFields = [.contentLength: "\(body.utf8.count)"]
            context.write(wrapOutboundOut(.head(HTTPResponse(status: .ok, headerFields: fields))), promise: nil)
            context.write(wrapOutboundOut(.body(ByteBuffer(string: body))), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        }
    }

    private let channel = EmbeddedChannel()
    private let router = Router()
    private let fixture = ResponderFixture(
        SnapshotFixture.snapshot([FixtureTarget("j", "c", ["__address__": "a:1"])], collectors: ["c"], revision: 7))

    init() throws {
        let limits = FastPathHandler.Limits(readHead: .seconds(90), idle: .minutes(10))
        try channel.pipeline.syncOperations.addHandler(
            FastPathHandler(responder: fixture.responder, metrics: HTTPMetrics.Accumulator(), limits: limits))
        try channel.pipeline.syncOperations.configureHTTPServerPipeline(
            withPipeliningAssistance: false, withErrorHandling: false)
        try channel.pipeline.syncOperations.addHandlers([
            HTTP1ToHTTPServerCodec(secure: false), RoutedAnswerObserver(),
        ])
        try channel.pipeline.syncOperations.addHandler(router)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
    }

    private func send(_ text: String) throws { try channel.writeInbound(ByteBuffer(string: text)) }

    /// Everything written since the last call.
    private func received() throws -> String {
        var text = ""
        while let data = try channel.readOutbound(as: IOData.self) {
            if case .byteBuffer(let buffer) = data { text += String(buffer: buffer) }
        }
        return text
    }

    private func get(_ path: String, _ fields: String = "", version: String = "HTTP/1.1") -> String {
        "GET \(path) \(version)\r\nHost: a\r\n\(fields)\r\n"
    }

    private let list = #"[{"targets":["a:1"],"labels":{"__address__":"a:1"}}]"# + "\n"
    private let targets = "/jobs/j/targets?collector_id=c"

    @Test func aCollectorIsAnsweredWithoutTheRouter() throws {
        try send(get(targets))
        let answer = try received()
        #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 53\r\nETag: \""))
        #expect(answer.contains("\r\nTarget-Ledger-Revision: 7\r\n") && answer.contains("\r\nDate: "))
        #expect(answer.hasSuffix("\r\n\r\n" + list) && !answer.contains("Connection:"))
        #expect(router.paths.isEmpty && channel.isActive)
    }

    @Test func requestsMayComeInAnyPieces() throws {
        for byte in (get(targets) + get("/livez")).utf8 { try channel.writeInbound(ByteBuffer(bytes: [byte])) }
        let answer = try received()
        #expect(answer.ranges(of: "HTTP/1.1 200 OK").count == 2)
        #expect(answer.contains(list))
    }

    @Test func answersKeepTheOrderOfTheirRequests() throws {
        try send(get("/livez") + get("/routed1") + get(targets) + get("/routed2") + get("/livez"))
        #expect(router.paths == ["/routed1"])
        #expect(try received().ranges(of: "HTTP/1.1 200 OK").count == 1)
        try send(get("/jobs"))
        #expect(try received() == "")
        router.answer("one")
        channel.embeddedEventLoop.run()
        let second = try received()
        #expect(second.hasPrefix("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\noneHTTP/1.1 200 OK"))
        #expect(second.hasSuffix(list))
        #expect(router.paths == ["/routed1", "/routed2"])
        router.answer("two")
        channel.embeddedEventLoop.run()
        let third = try received()
        #expect(
            third.hasPrefix("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ntwoHTTP/1.1 200 OK\r\nContent-Length: 0\r\n"))
        #expect(third.hasSuffix("{\"j\":{\"_link\":\"/jobs/j/targets\"}}\n"))
    }

    @Test func requestsWithBodiesBelongToTheRouterForGood() throws {
        try send("POST /livez HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody" + get(targets))
        #expect(router.paths == ["/livez", targets])
        try send(get("/livez"))
        #expect(router.paths.count == 3)
        #expect(try received() == "")
    }

    @Test(arguments: [("HTTP/1.1", "Connection: close\r\n"), ("HTTP/1.0", "")])
    func connectionsCloseBehindTheLastAnswer(version: String, field: String) throws {
        try send(get(targets, field, version: version) + get("/livez"))
        channel.embeddedEventLoop.run()
        let answer = try received()
        #expect(answer.contains("\r\nConnection: close\r\n") && answer.hasSuffix(list))
        #expect(!channel.isActive)
    }

    @Test func version10CanBeKeptAlive() throws {
        try send(get("/livez", "Connection: keep-alive\r\n", version: "HTTP/1.0"))
        #expect(try received().contains("\r\nConnection: keep-alive\r\n"))
        #expect(channel.isActive)
        try send(get("/routed", version: "HTTP/1.0"))
        router.answer("one")
        channel.embeddedEventLoop.run()
        #expect(try received().hasSuffix("one"))
        #expect(!channel.isActive)
    }

    @Test func headHasNoBody() throws {
        try send("HEAD /jobs HTTP/1.1\r\nHost: a\r\n\r\n")
        let answer = try received()
        #expect(answer.hasPrefix("HTTP/1.1 404 Not Found\r\n") && answer.contains("\r\nContent-Length: 18\r\n"))
        #expect(answer.hasSuffix("\r\n\r\n"))
    }

    @Test func aSlowHeadIsCutOff() throws {
        channel.embeddedEventLoop.advanceTime(by: .seconds(60))
        try send(get("/livez"))
        channel.embeddedEventLoop.advanceTime(by: .minutes(9))
        #expect(channel.isActive)
        try send("GET /li")
        channel.embeddedEventLoop.advanceTime(by: .seconds(60))
        try send("vez")
        #expect(channel.isActive)
        channel.embeddedEventLoop.advanceTime(by: .seconds(31))
        #expect(!channel.isActive)
    }

    @Test func aConnectionThatAsksNothingIsClosed() throws {
        channel.embeddedEventLoop.advanceTime(by: .seconds(89))
        #expect(channel.isActive)
        channel.embeddedEventLoop.advanceTime(by: .seconds(2))
        #expect(!channel.isActive)
    }

    @Test func anIdleConnectionIsClosed() throws {
        try send(get("/livez"))
        channel.embeddedEventLoop.advanceTime(by: .seconds(599))
        #expect(channel.isActive)
        channel.embeddedEventLoop.advanceTime(by: .seconds(92))
        #expect(!channel.isActive)
    }

    @Test func theRouterMayTakeItsTime() throws {
        try send(get("/routed"))
        channel.embeddedEventLoop.advanceTime(by: .hours(1))
        #expect(channel.isActive)
        router.answer("late")
        #expect(try received().hasSuffix("late"))
    }

    @Test func whatWasSentBeforeTheEndOfInputIsAnswered() throws {
        try send(get("/routed") + get(targets))
        channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        router.answer("one")
        channel.embeddedEventLoop.run()
        #expect(try received().hasSuffix(list))
    }
}
