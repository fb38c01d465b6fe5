//
// HistoryResponder.swift: the history API behind Hummingbird's decoder.
//
// Reads the database over a small pool of its own, each read with a deadline, so no question about the past can slow
// what collectors are told.
//

import AllocationLedger
import HTTPTypes
import Hummingbird
import NIOCore

/// Answers `/api/v1/…` and `/openapi.json`.
struct HistoryResponder: HTTPResponder {
    let gateway: HistoryGateway
    /// Nothing else is on the listener, so `/` leads to the history.
    var isAlone = false

    private var pages: HistoryPages { HistoryPages(gateway: gateway, hasStandard: !isAlone) }

    // A constant token.
    private static let link = HTTPField.Name("Link")!

    private static let revision = HTTPField.Name("Target-Ledger-Revision")!

    /// The history's own routes, and the standard ones for a moment of the past.
    static func answers(_ head: HTTPRequest) -> Bool {
        guard let target = head.path else { return false }
        let path = target.prefix { $0 != "?" }
        if path.hasPrefix("/api/") || path == "/openapi.json" || HistoryPages.answers(String(path)) { return true }
        return head.method == .get && StandardTarget(target).asksThePast
    }

    func respond(to request: Request, context _: BasicRequestContext) async throws -> Response {
        let target = request.head.path ?? "/"
        let mark = target.firstIndex(of: "?") ?? target.endIndex
        let path = String(target[..<mark])
        let query = target[mark...].dropFirst()
        if isAlone, path == "/" { return HistoryElsewhere.redirect(to: "/history") }
        if HistoryPages.answers(path) { return try await pages.respond(to: request, path: path, query: query) }
        do {
            guard request.method == .get || request.method == .head else {
                var response = Self.problem(
                    ProblemDetails(
                        status: 405, title: "Method Not Allowed", detail: "The history can be read and not changed."))
                response.headers[.allow] = "GET, HEAD"
                return response
            }
            if path == "/openapi.json" {
                return Self.response(.init(bytes: OpenAPIDocument.bytes), "application/json")
            }
            return try await read(path, query, request, try gateway.current())
        } catch let error as CancellationError {
            throw error
        } catch {
            guard let problem = ProblemDetails(reading: error) else { throw error }
            var response = Self.problem(problem)
            if let seconds = problem.retryAfterSeconds { response.headers[.retryAfter] = "\(seconds)" }
            if problem.status == 401 { response.headers[.wwwAuthenticate] = "Bearer" }
            return response
        }
    }

    /// Answers, and notes who was answered how.
    private func read(
        _ path: String, _ query: Substring, _ request: Request, _ context: HistoryContext
    ) async throws -> Response {
        let reader = reader(request)
        var status = 500
        defer {
            context.access?.note(who: reader ?? "refused", route: path, parameters: String(query), status: status)
        }
        do {
            guard reader != nil else {
                throw ProblemDetails(
                    status: 401, title: "Unauthorized", detail: "The history is read with a bearer token.")
            }
            let response = try await answer(path, query, request, context)
            status = response.status.code
            return response
        } catch {
            status = error is CancellationError ? 499 : ProblemDetails(reading: error)?.status ?? 500
            throw error
        }
    }

    /// Who reads, for the record; nil: somebody without a token.
    private func reader(_ request: Request) -> String? {
        guard let tokens = gateway.tokens else { return "anonymous" }
        return tokens.file(opening: request.headers[.authorization]).map { "token \($0)" }
    }

    private func answer(
        _ path: String, _ query: Substring, _ request: Request, _ context: HistoryContext
    ) async throws -> Response {
        if case .past(let route) = StandardTarget(request.head.path ?? "/") {
            return Self.response(try await PastAnswers.read(route, query: query, context.source))
        }
        let segments = try Self.segments(path)
        for route in HistoryRoute.all {
            guard let values = route.match(segments) else { continue }
            let question = try HistoryQuestion(route.parameters, path: values, query: query)
            let form = AcceptedType.preferred(of: route.others.map(\.type), request.headers[values: .accept])
            let respond = route.others.first { $0.type == form }?.respond ?? route.respond
            var response = response(
                try await respond(question, context.source), path: path, query: query, request)
            if !route.others.isEmpty { response.headers[.vary] = "Accept" }
            return response
        }
        if path == RevisionFeed.path, let events = context.events {
            return try await events.respond(to: request, query)
        }
        throw ProblemDetails(
            status: 404, title: "Not Found", detail: "There is no such route; /openapi.json names all of them.")
    }

    /// The path's parts, decoded one by one, so that an encoded slash is none.
    private static func segments(_ path: String) throws(ProblemDetails) -> [String] {
        var segments: [String] = []
        for part in path.split(separator: "/", omittingEmptySubsequences: false).dropFirst() {
            // A plus is a plus in a path.
            guard let text = String(part).replacing("+", with: "%2B").percentDecoded, !text.utf8.contains(0) else {
                throw ProblemDetails(status: 400, title: "Bad Request", detail: "The path cannot be decoded.")
            }
            segments.append(text)
        }
        return segments
    }

    // MARK: Answers

    private func response(
        _ answer: HistoryAnswer, path: String, query: Substring, _ request: Request
    ) -> Response {
        switch answer {
        case .json(let buffer, let next):
            var response = Self.response(buffer, "application/json")
            if let next {
                let others = query.split(separator: "&").filter { !$0.hasPrefix("cursor=") }
                let target = (others + ["cursor=\(next)"]).joined(separator: "&")
                response.headers[Self.link] = "<\(path)?\(target)>; rel=\"next\""
            }
            return response
        case .text(let type, let text): return Self.response(ByteBuffer(string: text), type)
        case .page(let page):
            // What a bearer token opened leads to no page that only a session opens.
            return HistoryPages.response(
                page, PageSite(hasStandard: !isAlone, hasHistory: gateway.tokens == nil), request)
        case .stream(let type, let write):
            return Response(
                status: .ok, headers: [.contentType: type, .cacheControl: "no-cache"], body: ResponseBody(write))
        }
    }

    private static func response(_ answer: PastAnswers.Answer) -> Response {
        let body = ResponseBody(contentLength: answer.pieces.byteCount) { writer in
            var cursor = answer.pieces.makeCursor()
            while let piece = cursor.next(bytesMax: StandardResponder.pieceBytesMax) { try await writer.write(piece) }
            try await writer.finish(nil)
        }
        return Response(
            status: .ok,
            headers: [
                .contentType: "application/json", .cacheControl: "no-cache",
                .contentLength: "\(answer.pieces.byteCount)", Self.revision: "\(answer.point.revision.number)",
            ], body: body)
    }

    private static func response(_ buffer: ByteBuffer, _ type: String) -> Response {
        Response(
            status: .ok,
            headers: [.contentType: type, .cacheControl: "no-cache", .contentLength: "\(buffer.readableBytes)"],
            body: ResponseBody(byteBuffer: buffer))
    }

    private static func problem(_ problem: ProblemDetails) -> Response {
        let buffer = ByteBuffer(bytes: problem.json)
        return Response(
            status: .init(code: problem.status),
            headers: [.contentType: "application/problem+json", .contentLength: "\(buffer.readableBytes)"],
            body: ResponseBody(byteBuffer: buffer))
    }
}

extension String {
    /// Nil when it cannot be decoded.
    fileprivate var percentDecoded: String? {
        var text = self
        return text.withUTF8 { try? QueryComponent.decoded(UnsafeRawBufferPointer($0)) }
    }
}
