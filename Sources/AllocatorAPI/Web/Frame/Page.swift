//
// Page.swift: one page as a value: what it is called, which revision it shows, what is on it.
//

import AllocationLedger
import NIOCore
import PostgresDriver

/// Which of the pages are to be had where a page is served.
struct PageSite: Sendable, Hashable {
    /// The allocator's own pages, `/` and `/debug/…`.
    var hasStandard = true
    /// The pages under `/history`, here or by a redirect to where they are.
    var hasHistory = true
    /// There is a session that can be ended.
    var isSignedIn = false
}

/// What a page tells.
struct Page: Sendable {
    /// The revision whose content is shown, and in which sense.
    enum Shows: Sendable, Hashable {
        case state(RevisionPoint)
        case recordedUpTo(RevisionPoint)
        case between(RevisionPoint, RevisionPoint)
        /// A page about no state.
        case nothing
    }

    var status = 200
    var title: String
    var shows: Shows
    /// The page of the navigation that this one belongs to.
    var place: NavigationEntry?
    var content: HTML

    init(
        _ title: String, _ shows: Shows, at place: NavigationEntry? = nil, status: Int = 200,
        @HTMLBuilder content: () throws -> HTML
    ) rethrows {
        self.title = title
        self.shows = shows
        self.place = place
        self.status = status
        self.content = try content()
    }

    func body(_ site: PageSite) -> ByteBuffer { ByteBuffer(bytes: html(site).bytes) }

    /// What every page begins with, whatever it will be: a browser that has it already asks for the style sheet.
    static let beginning: [UInt8] = {
        let (one, other) = (
            Page("a", .nothing) {}.html(PageSite()).bytes, Page("b", .nothing) {}.html(PageSite()).bytes
        )
        return zip(one, other).prefix { $0 == $1 }.map(\.0)
    }()

    /// The whole document.
    func html(_ site: PageSite) -> HTML {
        HTML.document(
            Tag.html(.lang("en")) {
                Tag.head {
                    Tag.meta(.utf8)
                    Tag.meta(.name("viewport"), .content("width=device-width, initial-scale=1"))
                    Tag.meta(.name("color-scheme"), .content("light dark"))
                    Tag.link(.rel("stylesheet"), .href(StaticFile.style.link))
                    Tag.link(.rel("icon"), .type("image/svg+xml"), .href(StaticFile.icon.link))
                    Tag.title { "\(title) · Target Ledger" }
                }
                Tag.body {
                    Tag.a(.class("skip"), .href(Link(fragment: "content"))) { "Skip to the content" }
                    Navigation(site: site, current: place).html
                    Tag.main(.id("content"), .jumpTarget) {
                        Tag.h1 { title }
                        showsLine
                        content
                    }
                    Tag.footer { "All times are UTC, as RFC 3339 has them." }
                }
            })
    }

    private var showsLine: HTML {
        Tag.p(.class("shows")) {
            switch shows {
            case .state(let point):
                "Shows the state at revision "
                Self.named(point)
            case .recordedUpTo(let point):
                "Shows what is recorded up to revision "
                Self.named(point)
            case .between(let from, let to):
                "Shows what differs from revision "
                Self.named(from)
                " to revision "
                Self.named(to)
            case .nothing: "Shows no revision."
            }
        }
    }

    private static func named(_ point: RevisionPoint) -> HTML {
        HTML {
            "\(point.revision) of "
            TimeText.html(point.at)
        }
    }
}

/// Header fields of every page.
enum PageHeaders {
    /// Nothing from elsewhere, nothing inline, nothing that runs.
    static let policy =
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
        + "frame-ancestors 'none'"

    static let all: [(name: StaticString, value: String)] = [
        ("X-Content-Type-Options", "nosniff"), ("Content-Security-Policy", policy),
        ("Referrer-Policy", "no-referrer"),
    ]
}
