//
// SignIn.swift: how a browser gets in where tokens are asked for: a form that takes the token once.
//
// The session's cookie is for `/history` alone, no script can read it, and it is sent from no other site.
//

import HTTPTypes
import Hummingbird
import NIOCore
import PostgresDriver

/// The form, its answer, and the end of a session.
struct SignIn: Sendable {
    static let path = "/history/sign-in"
    static let outPath = "/history/sign-out"
    static let cookie = "target_ledger_session"
    /// More than any token, and where to go on, needs.
    private static let formBytesMax = 16 * 1024

    let gateway: HistoryGateway
    let site: PageSite

    static func page(next: String, hasFailed: Bool) -> Page {
        Page("Sign in", .nothing, status: 401) {
            if hasFailed { Parts.notice("That is none of the tokens.", isBad: true) }
            Tag.section {
                Tag.p { "The history is read with a token: one of those in the files of ledger.history_api." }
                Tag.form(.post, .action(Link("/history/sign-in"))) {
                    Tag.input(.type("hidden"), .name("next"), .value(next))
                    Tag.div(.class("field wide")) {
                        Tag.label(.for("f-token")) { "Token" }
                        Tag.input(
                            .type("password"), .id("f-token"), .name("token"), .autocomplete("current-password"),
                            .required, .autofocus)
                    }
                    Tag.button(.type("submit")) { "Sign in" }
                }
                Tag.p(.class("muted")) {
                    "Signed in already? A link from another site does not bring the session along: "
                    Tag.a(.href(Link(path: safe(next), pairs: []))) { "go on" }
                    "."
                }
            }
        }
    }

    func respond(to request: Request) async throws -> Response {
        switch request.method {
        case .get, .head: return HistoryPages.response(Self.page(next: "/history", hasFailed: false), site, request)
        case .post: return try await take(request)
        default:
            return HistoryPages.response(PageError(405, "Forms are sent with POST.").page(), site, request)
        }
    }

    private func take(_ request: Request) async throws -> Response {
        guard let body = try? await request.body.collect(upTo: Self.formBytesMax) else {
            return HistoryPages.response(PageError(400, "The form is too long.").page(), site, request)
        }
        let form = DebugParameters(String(buffer: body))
        let next = Self.safe(form.values("next").first ?? "")
        guard let tokens = gateway.tokens else { return Self.redirect(to: next) }
        let token = form.values("token").first ?? ""
        let access = try? gateway.current().access
        guard let session = tokens.session(opening: token, now: .now()) else {
            access?.note(who: "refused", route: Self.path, parameters: "", status: 401)
            return HistoryPages.response(Self.page(next: next, hasFailed: true), site, request)
        }
        access?.note(who: "signed in", route: Self.path, parameters: "", status: 303)
        var response = Self.redirect(to: next)
        response.headers[.setCookie] = Self.cookieText(
            session, seconds: BearerTokens.sessionTime.components.seconds, HistoryRequest.isSecure(request))
        return response
    }

    /// Ends the session by taking the cookie away.
    func end(_ request: Request) -> Response {
        guard request.method == .post else {
            return HistoryPages.response(PageError(405, "Forms are sent with POST.").page(), site, request)
        }
        var response = Self.redirect(to: Self.path)
        response.headers[.setCookie] = Self.cookieText("", seconds: 0, HistoryRequest.isSecure(request))
        return response
    }

    private static func cookieText(_ value: String, seconds: Int64, _ isSecure: Bool) -> String {
        "\(cookie)=\(value); Path=/history; Max-Age=\(seconds); HttpOnly; SameSite=Strict"
            + (isSecure ? "; Secure" : "")
    }

    private static func redirect(to path: String) -> Response {
        Response(
            status: .seeOther, headers: [.location: path, .cacheControl: "no-store", .contentLength: "0"],
            body: ResponseBody())
    }

    /// A page of the history, and nothing that leads elsewhere.
    static func safe(_ next: String) -> String {
        let isPlain = next.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "\\") }
        guard isPlain, next == "/history" || next.hasPrefix("/history/") || next.hasPrefix("/history?") else {
            return "/history"
        }
        return next
    }
}
