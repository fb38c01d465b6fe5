//
// HTTPStream.swift: an answer whose body is still coming.
//

/// The head of an answer, and its body to come.
package struct HTTPStream: Sendable {
    package let head: HTTPHead
    package let body: HTTPBody

    package var status: Int { head.status }
    package var fields: HTTPFields { head.fields }
}

/// The pieces of a body, for one reader. Let go before its end, the transfer is cancelled; while the reader is slow, the
/// server is held back.
package final class HTTPBody: AsyncSequence, Sendable {
    package typealias Element = [UInt8]
    package typealias Failure = HTTPTransportError

    private let transfer: Transfer
    private let loop: CurlLoop

    init(_ transfer: Transfer, _ loop: CurlLoop) {
        self.transfer = transfer
        self.loop = loop
    }

    deinit { loop.cancel(transfer) }

    /// The next piece. Nil: the body is over.
    package func next() async throws(HTTPTransportError) -> [UInt8]? {
        let result = await withTaskCancellationHandler {
            await transfer.chunk(resume: { [loop, transfer] in loop.resume(transfer) })
        } onCancel: {
            loop.cancel(transfer)
        }
        switch result {
        case .success(let chunk): return chunk
        case .failure(let cause):
            throw HTTPTransportError(method: transfer.request.method, url: transfer.url.description, cause: cause)
        }
    }

    package struct Iterator: AsyncIteratorProtocol {
        fileprivate let body: HTTPBody

        package mutating func next() async throws(HTTPTransportError) -> [UInt8]? { try await body.next() }

        package mutating func next(
            isolation actor: isolated (any Actor)?
        ) async throws(HTTPTransportError) -> [UInt8]? {
            try await body.next()
        }
    }

    package func makeAsyncIterator() -> Iterator { Iterator(body: self) }
}
