//
// ProblemDetails.swift: errors as RFC 9457 has them.
//
// A collector does not look at the status of /scrape_configs and parses the body as job → scrape config. An object with
// a string as a member's value fails to parse and the collector keeps its jobs; an empty body or `{}` would make it
// drop all of them (spec/target-allocator.md 13.2). So every error has a body with strings in it.
//

import AllocationCore
import NIOCore

/// What went wrong with a request.
package struct ProblemDetails: Sendable {
    package var status: Int
    package var title: String
    package var detail: String
    /// The request's parameter that is at fault.
    package var parameter: String?
    /// One sentence each.
    package var reasons: [String] = []
    /// After which time asking again may help.
    package var retryAfterSeconds: Int?

    package static func noState(reasons: [String]) -> ProblemDetails {
        ProblemDetails(
            status: 503, title: "Service Unavailable",
            detail: "There is no allocation to serve yet. Keep what you have and ask again.", reasons: reasons)
    }

    package static func notReady(reasons: [String]) -> ProblemDetails {
        ProblemDetails(
            status: 503, title: "Service Unavailable", detail: "This process is not ready.", reasons: reasons)
    }

    /// The job has no targets because nobody has looked yet, which must not be taken for an empty list.
    package static func notDiscovered(job: String) -> ProblemDetails {
        ProblemDetails(
            status: 503, title: "Service Unavailable",
            detail:
                "Job \(job) is configured, but its discovery has not finished yet. Keep what you have and ask again.",
            parameter: "job")
    }

    package static let secretsUnknown = ProblemDetails(
        status: 503, title: "Service Unavailable",
        detail: "The configuration has secrets that this process does not know yet. Keep what you have and ask again.")

    package static func undecodable(
        _ parameter: String, _ error: QueryComponent.DecodingError
    ) -> ProblemDetails {
        let what =
            switch error {
            case .badEscape(let escape): "has an invalid escape: \(escape)"
            case .notUTF8: "is not UTF-8"
            }
        return ProblemDetails(
            status: 400, title: "Bad Request", detail: "The value of \(parameter) \(what)", parameter: parameter)
    }

    package func response(_ route: RoutePattern) -> PreparedResponse {
        PreparedResponse(status, route, .problem, .bytes(ByteBuffer(bytes: json)))
    }

    /// With sorted members and a newline.
    package var json: [UInt8] {
        var output: [UInt8] = []
        output += #"{"detail":"#.utf8
        JSONText.appendQuoted(detail, to: &output)
        if let parameter {
            output += #","parameter":"#.utf8
            JSONText.appendQuoted(parameter, to: &output)
        }
        if !reasons.isEmpty {
            output += #","reasons":["#.utf8
            for (index, reason) in reasons.enumerated() {
                if index > 0 { output.append(UInt8(ascii: ",")) }
                JSONText.appendQuoted(reason, to: &output)
            }
            output.append(UInt8(ascii: "]"))
        }
        output += #","status":\#(status),"title":"#.utf8
        JSONText.appendQuoted(title, to: &output)
        output += ",\"type\":\"about:blank\"}\n".utf8
        return output
    }
}
