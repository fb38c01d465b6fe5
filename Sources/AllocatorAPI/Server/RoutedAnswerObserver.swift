//
// RoutedAnswerObserver.swift: tells the fast path when the router's answer is out.
//

import NIOCore
import NIOHTTPTypes

/// Sits behind the decoder, where answers still have an end.
final class RoutedAnswerObserver: ChannelOutboundHandler, RemovableChannelHandler {
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private var fastPath: FastPathHandler?

    func handlerAdded(context: ChannelHandlerContext) {
        fastPath = try? context.pipeline.syncOperations.handler(type: FastPathHandler.self)
    }

    func handlerRemoved(context: ChannelHandlerContext) { fastPath = nil }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let part = unwrapOutboundIn(data)
        context.write(data, promise: promise)
        if case .end = part { fastPath?.routedAnswerEnded() }
    }
}

@available(*, unavailable)
extension RoutedAnswerObserver: Sendable {}
