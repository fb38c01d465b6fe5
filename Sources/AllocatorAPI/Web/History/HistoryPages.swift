//
// HistoryPages.swift: the history's pages over HTTP: the same gate, the same sessions of the database and the same record
// of who read as the history API.
//

import AllocationLedger
import HTTPTypes
import Hummingbird
import NIOCore
import PostgresDriver

/// Answers `/history…` and what pages refer to.
struct HistoryPages: Sendable {
    let gateway: HistoryGateway
    /// Whether `/` and `/debug/…` are on the same listener.
    let hasStandard: Bool

    static func answers(_ path: String) -> Bool {
        path == "/history" || path.hasPrefix("/history/") || path.hasPrefix("/assets/")
    }

    func respond(to request: Request, path: String, query: Substring) async throws -> Response {
        if let file = StaticFile.at(path) {
            return RoutedResponder.response(file.response(StandardRequest(decoded: request.head)))
        }
        switch path {
        case SignIn.path: return try await SignIn(gateway: gateway, site: site(signedIn: false)).respond(to: request)
        case SignIn.outPath: return SignIn(gateway: gateway, site: site(signedIn: false)).end(request)
        default: return try await page(request, path, query)
        }
    }

    private func site(signedIn: Bool) -> PageSite {
        PageSite(hasStandard: hasStandard, hasHistory: true, isSignedIn: signedIn)
    }

    private func page(_ request: Request, _ path: String, _ query: Substring) async throws -> Response {
        let reader = HistoryRequest.reader(request, gateway)
        var site = site(signedIn: false)
        if case .session = reader { site.isSignedIn = true }
        // Set once it is known who asks: the read is noted with what it was answered.
        var note: ((Int) -> Void)?
        do {
            guard request.method == .get || request.method == .head else {
                throw ProblemDetails(
                    status: 405, title: "Method Not Allowed", detail: "The history can be read and not changed.")
            }
            guard let route = PageRoute.at(path) else {
                throw ProblemDetails(status: 404, title: "Not Found", detail: "There is no page \(path).")
            }
            let context = try gateway.current()
            guard let who = reader.name else {
                context.access?.note(who: "refused", route: path, parameters: String(query), status: 401)
                let next = path + (query.isEmpty ? "" : "?\(query)")
                return Self.response(SignIn.page(next: next, hasFailed: false), site, request)
            }
            note = { status in
                context.access?.note(who: who, route: path, parameters: String(query), status: status)
            }
            let question = try PageQuestion(path, route.parameters, query: query, now: .now())
            let reading = PageReading { settle in
                var asked = question
                asked.settle = settle
                let settling = asked
                return try await context.source.read { try await route.make(settling, $0) }
            }
            let page = try await reading.soon()
            let response = page.map { Self.response($0, site, request) } ?? Self.streamed(reading, site)
            note?(response.status.code)
            return response
        } catch let error as CancellationError {
            throw error
        } catch {
            guard let problem = ProblemDetails(reading: error) else { throw error }
            note?(problem.status)
            return Self.response(Self.page(problem), site, request)
        }
    }

    /// Says what is wrong, and with which parameter.
    static func page(_ problem: ProblemDetails) -> Page {
        Page(PageError.title(problem.status), .nothing, status: problem.status) {
            Tag.section {
                Tag.p(.class("answer")) { problem.detail }
                if let parameter = problem.parameter {
                    Parts.facts([("Parameter", Parts.name(parameter))])
                }
                for reason in problem.reasons { Tag.p(.class("muted")) { reason } }
                Tag.p(.class("pager")) { Parts.button("Overview", Link("/history")) }
            }
        }
    }

    static func response(_ page: Page, _ site: PageSite, _ request: Request) -> Response {
        let body = page.body(site)
        var headers = headers
        headers[.contentLength] = "\(body.readableBytes)"
        if page.status == 401 { headers[.wwwAuthenticate] = "Bearer" }
        if page.status == 405 { headers[.allow] = "GET, HEAD" }
        return Response(
            status: .init(code: page.status), headers: headers,
            body: request.method == .head ? ResponseBody() : ResponseBody(byteBuffer: body))
    }

    private static let headers: HTTPFields = {
        var headers: HTTPFields = [
            .contentType: PreparedResponse.ContentType.html.rawValue, .cacheControl: "private, no-cache",
        ]
        for field in PageHeaders.all {
            // The names are ours and are tokens.
            if let name = HTTPField.Name(field.name.description) { headers[name] = field.value }
        }
        return headers
    }()

    /// A page that takes its time: its beginning at once, the rest when it is there. What goes wrong from here on is said
    /// on the page, behind a status that has been sent.
    private static func streamed(_ reading: PageReading, _ site: PageSite) -> Response {
        Response(
            status: .ok, headers: headers,
            body: ResponseBody { writer in
                try await writer.write(ByteBuffer(bytes: Page.beginning))
                var page: Page
                do {
                    page = try await reading.finished()
                } catch let error as CancellationError {
                    throw error
                } catch {
                    guard let problem = ProblemDetails(reading: error) else { throw error }
                    page = self.page(problem)
                }
                try await writer.write(ByteBuffer(bytes: page.html(site).bytes.dropFirst(Page.beginning.count)))
                try await writer.finish(nil)
            })
    }
}
