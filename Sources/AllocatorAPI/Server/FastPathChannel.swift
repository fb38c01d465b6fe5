//
// FastPathChannel.swift: puts the fast path in front of whatever else a connection's pipeline holds.
//

import HummingbirdCore
import Logging
import NIOCore

/// A server's child channel with the fast path before it. `base` must hold a ``RoutedAnswerObserver``.
struct FastPathChannel<Base: ServerChildChannel>: ServerChildChannel {
    let base: Base
    let responder: StandardResponder
    let metrics: HTTPMetrics
    let limits: FastPathHandler.Limits

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Base.Value> {
        channel.eventLoop.makeCompletedFuture {
            let handler = FastPathHandler(
                responder: responder, metrics: metrics.accumulator(of: channel.eventLoop), limits: limits)
            try channel.pipeline.syncOperations.addHandler(handler)
        }.flatMap { base.setup(channel: channel, logger: logger) }
    }

    func handle(value: Base.Value, logger: Logger) async { await base.handle(value: value, logger: logger) }
}
