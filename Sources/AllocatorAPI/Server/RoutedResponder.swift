//
// RoutedResponder.swift: the standard API behind Hummingbird's decoder, for what the fast path does not answer.
//

import HTTPTypes
import Hummingbird
import NIOCore

/// Answers from a task, where rendering may take its time.
struct RoutedResponder: HTTPResponder {
    let standard: StandardResponder
    let metrics: HTTPMetrics.Accumulator
    /// Nil: the history has another listener, or none.
    let history: HistoryResponder?
    let elsewhere: HistoryElsewhere

    func respond(to request: Request, context: BasicRequestContext) async throws -> Response {
        if let history, HistoryResponder.answers(request.head) {
            return try await history.respond(to: request, context: context)
        }
        if HistoryPages.answers(request.uri.path), StaticFile.at(request.uri.path) == nil {
            return elsewhere.response(to: request)
        }
        let start = NIODeadline.now()
        // From a task there is an answer to everything.
        guard let prepared = standard.respond(to: StandardRequest(decoded: request.head), for: .task) else {
            preconditionFailure("no answer to \(request.head)")
        }
        let response = Self.response(prepared)
        metrics.record(prepared.route, .now() - start)
        return response
    }

    static func response(_ prepared: PreparedResponse) -> Response {
        let body =
            switch prepared.body {
            case .bytes(let buffer) where !prepared.omitsBody: ResponseBody(byteBuffer: buffer)
            case .pieces(let pieces) where !prepared.omitsBody:
                ResponseBody(contentLength: pieces.byteCount) { writer in
                    var cursor = pieces.makeCursor()
                    while let piece = cursor.next(bytesMax: StandardResponder.pieceBytesMax) {
                        try await writer.write(piece)
                    }
                    try await writer.finish(nil)
                }
            default: ResponseBody()
            }
        var response = Response(status: .init(code: prepared.status), headers: prepared.headerFields, body: body)
        if prepared.status == 304 { response.headers[.contentLength] = nil }
        return response
    }
}

extension StandardRequest {
    /// The same request as ``RequestScanner`` reads, from decoded fields.
    package init(decoded head: HTTPRequest) {
        let method: Method =
            switch head.method {
            case .get: .get
            case .head: .head
            default: .other
            }
        self.init(method, head.path ?? "/")
        for field in head.headerFields {
            switch field.name {
            case .accept: field.value.withBytes { add(accept: $0) }
            case .acceptEncoding: field.value.withBytes { add(acceptEncoding: $0) }
            case .ifNoneMatch: ifNoneMatch = ifNoneMatch.map { "\($0), \(field.value)" } ?? field.value
            default: break
            }
        }
    }
}

extension String {
    fileprivate func withBytes(_ body: (UnsafeRawBufferPointer) -> Void) {
        var text = self
        text.withUTF8 { body(UnsafeRawBufferPointer($0)) }
    }
}
