//
// PreparedResponse.swift: a whole answer as a value, before anything is written to a connection.
//
// The event loop's fast path and the router send the same value; only how its fields reach the wire differs.
//

import AllocationLedger
import NIOCore

/// A body's strong entity tag: its hash and its coding.
package struct EntityTag: Sendable, Hashable {
    /// Quoted, as it stands in the header.
    package let text: String

    package init(hash: UInt64, isGzip: Bool = false) {
        let digits = String(hash, radix: 16)
        text = "\"" + String(repeating: "0", count: 16 - digits.count) + digits + (isGzip ? "-gzip\"" : "\"")
    }

    /// Whether a value of `If-None-Match` names this tag. The comparison is weak, as RFC 9110 13.1.2 has it.
    package func isNamed(by ifNoneMatch: String) -> Bool {
        if ifNoneMatch == text { return true }
        for part in ifNoneMatch.split(separator: ",") {
            var candidate = part.drop { $0 == " " || $0 == "\t" }
            while candidate.last == " " || candidate.last == "\t" { candidate.removeLast() }
            if candidate == "*" { return true }
            if candidate.hasPrefix("W/") { candidate = candidate.dropFirst(2) }
            if candidate == text { return true }
        }
        return false
    }
}

/// An answer of the standard API.
package struct PreparedResponse: Sendable {
    package enum Body: Sendable {
        case none
        case bytes(ByteBuffer)
        /// Too large to be held at once.
        case pieces(AnswerPieces)

        package var byteCount: Int {
            switch self {
            case .none: 0
            case .bytes(let buffer): buffer.readableBytes
            case .pieces(let pieces): pieces.byteCount
            }
        }
    }

    package enum ContentType: String, Sendable {
        case json = "application/json"
        case problem = "application/problem+json"
        case text = "text/plain"
        case html = "text/html; charset=utf-8"
        case metrics = "text/plain; version=0.0.4; charset=utf-8"
        case css = "text/css; charset=utf-8"
        case svg = "image/svg+xml"
    }

    package var status: Int
    package var route: RoutePattern
    package var contentType: ContentType?
    package var body: Body
    package var etag: EntityTag?
    package var isGzip = false
    /// The revision whose content the body is.
    package var revision: Revision?
    package var staleSeconds: Int64?
    /// The last change that it has beyond the revision, of those that are only in the journal of this process.
    package var journal: Int64?
    package var location: String?
    /// The same for everybody and for ever.
    package var keepsForGood = false
    /// An answer to HEAD: the length is told, the body is not sent.
    package var omitsBody = false

    package init(_ status: Int, _ route: RoutePattern, _ contentType: ContentType? = nil, _ body: Body = .none) {
        self.status = status
        self.route = route
        self.contentType = contentType
        self.body = body
    }

    /// Every header field but those of the connection and the date, in the order in which they are sent.
    package func forEachField(_ visit: (_ name: StaticString, _ value: String) -> Void) {
        if let contentType { visit("Content-Type", contentType.rawValue) }
        // RFC 9110 15.4.5: a 304 tells no length of its own.
        if status != 304 { visit("Content-Length", String(body.byteCount)) }
        if isGzip { visit("Content-Encoding", "gzip") }
        if let etag { visit("ETag", etag.text) }
        if let varies { visit("Vary", varies) }
        if let revision { visit("Target-Ledger-Revision", String(revision.number)) }
        if let staleSeconds { visit("Target-Ledger-Stale-Seconds", String(staleSeconds)) }
        if let journal { visit("Target-Ledger-Journal", String(journal)) }
        if let location { visit("Location", location) }
        if keepsForGood { visit("Cache-Control", "public, max-age=31536000, immutable") }
        switch contentType {
        case .html: for field in PageHeaders.all { visit(field.name, field.value) }
        case .css, .svg: visit("X-Content-Type-Options", "nosniff")
        default: break
        }
    }

    private var varies: String? {
        switch route {
        case .scrapeConfigs, .jobs: "Accept, Accept-Encoding"
        case .targets, .metrics: "Accept-Encoding"
        default: nil
        }
    }
}
