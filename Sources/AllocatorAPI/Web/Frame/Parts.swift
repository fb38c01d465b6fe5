//
// Parts.swift: small pieces that many pages have.
//

enum Parts {
    /// A part of a page under its own heading.
    static func section(_ title: String, id: String? = nil, @HTMLBuilder content: () throws -> HTML) rethrows -> HTML {
        try Tag.section(id.map { .id($0) }) {
            Tag.h2 { title }
            try content()
        }
    }

    /// Names and values; values that are nil are left out.
    static func facts(_ facts: [(name: String, value: HTML?)]) -> HTML {
        Tag.dl(.class("facts")) {
            for (name, value) in facts {
                if let value {
                    Tag.dt { name }
                    Tag.dd { value }
                }
            }
        }
    }

    /// Large numbers in a row.
    static func numbers(_ numbers: [(value: String, of: String)]) -> HTML {
        Tag.ul(.class("numbers")) {
            for number in numbers {
                Tag.li {
                    Tag.strong { number.value }
                    number.of
                }
            }
        }
    }

    enum Tone: String {
        case normal = "badge"
        case plain = "badge plain"
        case good = "badge good"
        case warning = "badge warning"
        case bad = "badge bad"
        case special = "badge special"
    }

    static func badge(_ text: String, _ tone: Tone) -> HTML { Tag.span(.class(tone.rawValue)) { text } }

    static func notice(_ text: String, isBad: Bool = false) -> HTML {
        Tag.p(.class(isBad ? "notice bad" : "notice"), .role("note")) { text }
    }

    /// A name that somebody gave: kept apart from the text around it, and in one piece when it is short.
    static func name(_ text: String) -> HTML {
        Tag.span(.class(text.utf8.count <= 28 ? "name tight" : "name")) { text }
    }

    static func link(_ text: String, _ link: Link) -> HTML { Tag.a(.href(link)) { text } }

    static func button(_ text: String, _ link: Link) -> HTML {
        Tag.a(.class("button"), .href(link)) { text }
    }

    static let none = Tag.span(.class("muted")) { "–" }

    static func optional(_ text: String?) -> HTML {
        guard let text, !text.isEmpty else { return none }
        return HTML(text)
    }

    /// Many names, the first ones at once and the rest when they are asked for.
    static func names(_ names: [String], shown: Int = 12, _ link: ((String) -> Link)? = nil) -> HTML {
        func list(_ names: some Sequence<String>) -> HTML {
            Tag.ul(.class("names")) {
                for text in names {
                    Tag.li {
                        if let link { Tag.a(.href(link(text))) { name(text) } } else { name(text) }
                    }
                }
            }
        }
        guard names.count > shown else { return names.isEmpty ? none : list(names) }
        return HTML {
            list(names.prefix(shown))
            Tag.details {
                Tag.summary { "and \(names.count - shown) more" }
                list(names.dropFirst(shown))
            }
        }
    }
}
