//
// PageQuestion.swift: what a page is asked with: the API's parameters by the API's rules, and what forms need besides.
//
// A form sends its empty fields too; those count as not given. A moment may be written as people write it and is made the
// RFC 3339 time that it means before anything else sees it, so that links to further pages mean the same moment.
//

import AllocationLedger
import PostgresDriver
import PrometheusConfig

/// A page's question.
struct PageQuestion: Sendable {
    let path: String
    let question: HistoryQuestion
    /// Called by a page that has found nothing to refuse and has yet to read what may take its time.
    var settle: @Sendable () -> Void = {}
    /// As given, moments made absolute; what cannot be decoded is left out, since `question` has refused it.
    private let pairs: [(name: String, value: String)]

    /// - Throws: ``ProblemDetails`` for what the page does not know or cannot read.
    init(
        _ path: String, _ parameters: [HistoryParameter], query: Substring, now: Timestamp
    ) throws(ProblemDetails) {
        var texts: [Substring] = []
        var pairs: [(name: String, value: String)] = []
        for part in query.split(separator: "&") {
            let sides = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard sides.count < 2 || !sides[1].isEmpty else { continue }
            guard sides.count == 2, let name = Self.decoded(sides[0]), let value = Self.decoded(sides[1]) else {
                texts.append(part)
                continue
            }
            var meant = value
            if let form = parameters.first(where: { $0.name == name })?.form, case .instant = form {
                meant = InstantText.normalised(value, now: now)
            }
            pairs.append((name, meant))
            texts.append("\(QueryComponent.encoded(name))=\(QueryComponent.encoded(meant))")
        }
        self.path = path
        self.pairs = pairs
        question = try HistoryQuestion(parameters, path: [:], query: texts.joined(separator: "&")[...])
    }

    private static func decoded(_ text: Substring) -> String? {
        var text = String(text)
        return text.withUTF8 { try? QueryComponent.decoded(UnsafeRawBufferPointer($0)) }
    }

    /// The first value, for a form's field.
    func value(_ name: String) -> String { pairs.first { $0.name == name }?.value ?? "" }

    /// The ends of the window that is asked for.
    var windowFields: HTML {
        HTML {
            Form.instant("since", "Since", value("since"))
            Form.instant("until", "Until", value("until"))
        }
    }

    /// The same question with another value for one parameter; nil: without it.
    func link(_ name: String, _ value: String?) -> Link {
        var pairs = pairs.filter { $0.name != name }
        if let value { pairs.append((name, value)) }
        return Link(path: path, pairs: pairs)
    }

    /// Leads to the next page of a list, and back to the first.
    func pager<Item, Cursor>(_ page: HistoryPage<Item, Cursor>, next: String = "Older", first: String = "Newest")
        -> HTML?
    {
        let isFirst = value("cursor").isEmpty
        guard page.next != nil || !isFirst else { return nil }
        return Tag.p(.class("pager")) {
            if !isFirst { Parts.button(first, link("cursor", nil)) }
            if let cursor = page.next { Parts.button(next, link("cursor", cursor.text)) }
        }
    }
}

/// A moment as people write it: how long ago (`2h`), date and time in UTC (`2026-11-20 03:12`), RFC 3339, a revision.
enum InstantText {
    /// A text that means the same to everybody; what is no moment stays as it is, to be refused.
    static func normalised(_ text: String, now: Timestamp) -> String {
        if text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) { return text }
        if let ago = try? PrometheusDuration(parsing: text) {
            return "\(now.advanced(by: .zero - ago.duration))"
        }
        for suffix in ["", "Z", ":00Z", " 00:00:00Z"] {
            if let instant = Timestamp(rfc3339: text + suffix) { return "\(instant)" }
        }
        return text
    }
}
