//
// FastPathHandler.swift: answers collectors on the event loop, before any decoding.
//
// First in the pipeline, it sees bytes. A request that the scanner understands and the responder answers at once costs
// one read, one scan and one write. Everything else is handed to the HTTP decoder and the router behind it, one request
// at a time, and what the client sent behind that request waits here until its answer is out, so pipelined answers keep
// their order:
//
//     scanning ──cannot answer──▶ routed ──answer's end written──▶ scanning
//        └────────body, upgrade, oddity────────▶ transparent (until the connection ends)
//
// It also keeps the connection's clocks, since only here it is known when a request begins: a head must be complete
// 90 s after its first byte, or after the connection was opened, as upstream demands (spec/target-allocator.md 4.1).
//

import NIOCore

/// The first handler of a connection.
final class FastPathHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = IOData
    typealias OutboundOut = IOData

    struct Limits: Sendable {
        /// From the first byte of a request to the end of its head.
        var readHead: TimeAmount = .seconds(90)
        /// Between requests. Longer than the five minutes after which Go clients close, so that they close first.
        var idle: TimeAmount = .minutes(10)
    }

    private enum Mode {
        case scanning
        /// The router has a request; its answer's end is still to come.
        case routed(closesAfter: Bool)
        case transparent
    }

    /// Bytes that wait behind a routed request, or for the client to read its answers, before reading pauses.
    private static let waitingBytesMax = 64 * 1024
    /// Bodies up to here are copied behind their head: cheaper than a second entry in the system call.
    private static let copiedBodyBytesMax = 8 * 1024

    private let responder: StandardResponder
    private let metrics: HTTPMetrics.Accumulator
    private let limits: Limits
    private var mode = Mode.scanning
    private var waiting = ByteBuffer()
    private var head = ByteBuffer()
    private var date = HTTPDate()
    private var context: ChannelHandlerContext?
    private var isProcessing = false
    private var needsFlush = false
    private var isReadHeld = false
    private var isInputClosedHeld = false
    /// No further request is answered.
    private var isClosing = false
    private var deadline = NIODeadline.distantFuture
    private var timer: Scheduled<Void>?

    init(responder: StandardResponder, metrics: HTTPMetrics.Accumulator, limits: Limits) {
        self.responder = responder
        self.metrics = metrics
        self.limits = limits
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if context.channel.isActive { startClock(limits.readHead) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        timer?.cancel()
        self.context = nil
    }

    func channelActive(context: ChannelHandlerContext) {
        startClock(limits.readHead)
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        isClosing = true
        timer?.cancel()
        context.fireChannelInactive()
    }

    // MARK: Reading

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        switch mode {
        case .transparent:
            deadline = context.eventLoop.now + limits.idle
            context.fireChannelRead(data)
        case .scanning, .routed:
            if waiting.readableBytes == 0 { waiting = bytes } else { waiting.writeBuffer(&bytes) }
            process(context)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        flush(context)
        context.fireChannelReadComplete()
    }

    func read(context: ChannelHandlerContext) {
        if case .transparent = mode { return context.read() }
        if waiting.readableBytes > Self.waitingBytesMax { isReadHeld = true } else { context.read() }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { resume(context) }
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // What was sent before the end of input is still to be answered.
        if case ChannelEvent.inputClosed = event, waiting.readableBytes > 0, !isClosing, canProceed(context) == false {
            isInputClosedHeld = true
            return
        }
        context.fireUserInboundEventTriggered(event)
    }

    /// The router's answer is written.
    func routedAnswerEnded() {
        guard case .routed(let closesAfter) = mode, let context else { return }
        mode = .scanning
        startClock(limits.idle)
        if closesAfter {
            isClosing = true
            // Behind the flush of the answer, which is still to come in this very call; and by the way that lets it out
            // first, however slowly the client reads.
            context.eventLoop.assumeIsolated().execute { self.close(context: context, mode: .all, promise: nil) }
        } else if waiting.readableBytes > 0 || isReadHeld || isInputClosedHeld {
            // Not from inside a write.
            context.eventLoop.assumeIsolated().execute { self.resume(context) }
        }
    }

    private func resume(_ context: ChannelHandlerContext) {
        process(context)
        flush(context)
        if isReadHeld, waiting.readableBytes <= Self.waitingBytesMax {
            isReadHeld = false
            context.read()
        }
        if isInputClosedHeld, canProceed(context) {
            isInputClosedHeld = false
            context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        }
    }

    /// Whether waiting bytes are left only because they are no whole request.
    private func canProceed(_ context: ChannelHandlerContext) -> Bool {
        if case .routed = mode { return false }
        return context.channel.isWritable
    }

    // MARK: Answering

    private func process(_ context: ChannelHandlerContext) {
        // Writing can change writability, which leads here again.
        guard !isProcessing else { return }
        isProcessing = true
        defer { isProcessing = false }
        while case .scanning = mode, !isClosing, waiting.readableBytes > 0, context.channel.isWritable {
            switch waiting.withUnsafeReadableBytes(RequestScanner.scan) {
            case .incomplete:
                expectHead()
                return
            case .opaque:
                mode = .transparent
                deadline = context.eventLoop.now + limits.idle
                pass(waiting.readableBytes, context)
            case .request(let scanned): handle(scanned, context)
            }
        }
        // Gives the read buffer back.
        if waiting.readableBytes == 0 { waiting = ByteBuffer() }
    }

    private func handle(_ scanned: RequestScanner.Scanned, _ context: ChannelHandlerContext) {
        isHeadExpected = false
        let start = context.eventLoop.now
        guard scanned.isPlain, let response = responder.respond(to: scanned.request, for: .eventLoop) else {
            mode = .routed(closesAfter: !scanned.keepsAlive)
            return pass(scanned.byteCount, context)
        }
        waiting.moveReaderIndex(forwardBy: scanned.byteCount)
        write(response, scanned, context)
        let end = context.eventLoop.now
        metrics.record(response.route, end - start)
        deadline = end + limits.idle
    }

    /// Hands the next bytes to the decoder.
    private func pass(_ byteCount: Int, _ context: ChannelHandlerContext) {
        // Asked for no more than is there.
        guard let bytes = waiting.readSlice(length: byteCount) else { return }
        context.fireChannelRead(wrapInboundOut(bytes))
        context.fireChannelReadComplete()
    }

    private func write(
        _ response: PreparedResponse, _ scanned: RequestScanner.Scanned, _ context: ChannelHandlerContext
    ) {
        let connection: StaticString? = scanned.keepsAlive ? (scanned.isVersion10 ? "keep-alive" : nil) : "close"
        var body = ByteBuffer()
        if !response.omitsBody, case .bytes(let bytes) = response.body { body = bytes }
        let copies = body.readableBytes <= Self.copiedBodyBytesMax
        head.clear(minimumCapacity: PreparedResponse.headBytesMax + (copies ? body.readableBytes : 0))
        response.writeHead(to: &head, date: date.text(), connection: connection)
        if copies {
            head.writeBuffer(&body)
            context.write(wrapOutboundOut(.byteBuffer(head)), promise: nil)
        } else {
            context.write(wrapOutboundOut(.byteBuffer(head)), promise: nil)
            context.write(wrapOutboundOut(.byteBuffer(body)), promise: nil)
        }
        needsFlush = true
        if !scanned.keepsAlive {
            isClosing = true
            close(context: context, mode: .all, promise: nil)
        }
    }

    private func flush(_ context: ChannelHandlerContext) {
        guard needsFlush else { return }
        needsFlush = false
        context.flush()
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .transparent = mode { deadline = context.eventLoop.now + limits.idle }
        context.write(data, promise: promise)
    }

    // MARK: Closing

    /// Answers that are on their way are finished first: closing a channel drops what it has not sent.
    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        guard mode != .input else { return context.close(mode: mode, promise: promise) }
        isClosing = true
        guard context.channel.isActive else { return context.close(mode: mode, promise: promise) }
        needsFlush = false
        // For a client that does not read.
        startClock(limits.idle)
        let sent = context.eventLoop.makePromise(of: Void.self)
        sent.futureResult.assumeIsolated().whenComplete { _ in context.close(mode: mode, promise: promise) }
        context.writeAndFlush(wrapOutboundOut(.byteBuffer(ByteBuffer())), promise: sent)
    }

    // MARK: Clocks

    private var isHeadExpected = false

    /// A request has begun and its head is not complete.
    private func expectHead() {
        guard !isHeadExpected else { return }
        isHeadExpected = true
        startClock(limits.readHead)
    }

    private func startClock(_ limit: TimeAmount) {
        guard let context else { return }
        deadline = context.eventLoop.now + limit
        schedule(context)
    }

    private func schedule(_ context: ChannelHandlerContext) {
        timer?.cancel()
        timer = context.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) { self.timePassed() }
    }

    private func timePassed() {
        timer = nil
        guard let context else { return }
        let now = context.eventLoop.now
        // The router takes its time; looked at again later.
        if case .routed = mode { deadline = now + limits.idle }
        // The clock was set forward since the timer was made.
        if deadline > now { return schedule(context) }
        isClosing = true
        context.close(promise: nil)
    }
}

@available(*, unavailable)
extension FastPathHandler: Sendable {}
