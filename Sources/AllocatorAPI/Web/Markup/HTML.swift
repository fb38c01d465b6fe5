//
// HTML.swift: markup in which text is escaped because there is no other way to put it in.
//
// A value of HTML is made from text, which is escaped, and from elements, whose names and attributes are written here.
// Nothing outside this folder can write a byte of markup.
//

/// A piece of a page.
struct HTML: Sendable, Hashable {
    private(set) var bytes: [UInt8] = []

    init() {}

    /// Text as it is to be read.
    init(_ text: String) { append(escaping: text) }

    /// Made of what `content` lists: texts and elements.
    init(@HTMLBuilder _ content: () throws -> HTML) rethrows { self = try content() }

    var text: String { String(decoding: bytes, as: UTF8.self) }
    var isEmpty: Bool { bytes.isEmpty }

    mutating func append(_ other: HTML) { bytes += other.bytes }

    /// The whole document, whose only element is `html`.
    static func document(_ root: HTML) -> HTML {
        var document = HTML()
        document.append(raw: "<!DOCTYPE html>\n")
        document.append(root)
        document.append(raw: "\n")
        return document
    }

    /// What browsers read as markup is escaped, what steers terminals and readers is shown as U+FFFD.
    fileprivate mutating func append(escaping text: String) {
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": append(raw: "&amp;")
            case "<": append(raw: "&lt;")
            case ">": append(raw: "&gt;")
            case "\"": append(raw: "&#34;")
            case "'": append(raw: "&#39;")
            case "\n", "\t": bytes.append(UInt8(truncatingIfNeeded: scalar.value))
            case "\u{00}"..."\u{1F}", "\u{7F}"..."\u{9F}": append(raw: "\u{FFFD}")
            default: bytes.append(contentsOf: UTF8.encode(scalar).unsafelyUnwrapped)  // every scalar has an encoding
            }
        }
    }

    fileprivate mutating func append(raw text: StaticString) {
        bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    fileprivate mutating func append(raw text: String) { bytes.append(contentsOf: text.utf8) }

    fileprivate mutating func append(_ attribute: Attribute) {
        append(raw: " ")
        append(raw: attribute.name)
        guard let value = attribute.value else { return }
        append(raw: "=\"")
        append(escaping: value)
        append(raw: "\"")
    }
}

/// The elements that pages are made of.
enum Tag: String {
    case html, head, title, meta, link, body, header, nav, main, footer, section, div, p, h1, h2, h3, ul, ol, li
    case a, span, strong, em, code, pre, small, time, details, summary, dl, dt, dd
    case table, caption, thead, tbody, tr, th, td
    case form, label, input, select, option, button
    case svg, g, rect, line, path, circle, text, desc

    /// An element; attributes that are nil are left out.
    func callAsFunction(_ attributes: Attribute?..., @HTMLBuilder content: () throws -> HTML) rethrows -> HTML {
        element(attributes, try content())
    }

    /// An element without content.
    func callAsFunction(_ attributes: Attribute?...) -> HTML { element(attributes, HTML()) }

    private func element(_ attributes: [Attribute?], _ content: HTML) -> HTML {
        var html = HTML()
        html.append(raw: "<")
        html.append(raw: rawValue)
        for case let attribute? in attributes { html.append(attribute) }
        html.append(raw: ">")
        if isVoid { return html }
        html.append(content)
        html.append(raw: "</")
        html.append(raw: rawValue)
        html.append(raw: ">")
        if endsLine { html.append(raw: "\n") }
        return html
    }

    /// Has no content and no end tag.
    private var isVoid: Bool {
        switch self {
        case .meta, .link, .input: true
        default: false
        }
    }

    /// For whoever reads the source; between blocks a line's end is nothing.
    private var endsLine: Bool {
        switch self {
        case .tr, .p, .h1, .h2, .h3, .table, .section, .div, .header, .nav, .main, .footer, .form, .dd, .li, .svg: true
        default: false
        }
    }
}

/// Joins texts and elements in the order in which they are written.
@resultBuilder
enum HTMLBuilder {
    static func buildExpression(_ text: String) -> HTML { HTML(text) }
    static func buildExpression(_ html: HTML) -> HTML { html }
    static func buildExpression(_ html: HTML?) -> HTML { html ?? HTML() }
    static func buildExpression(_ parts: [HTML]) -> HTML { buildArray(parts) }
    static func buildBlock() -> HTML { HTML() }
    static func buildPartialBlock(first: HTML) -> HTML { first }

    static func buildPartialBlock(accumulated: HTML, next: HTML) -> HTML {
        var joined = accumulated
        joined.append(next)
        return joined
    }

    static func buildOptional(_ html: HTML?) -> HTML { html ?? HTML() }
    static func buildEither(first: HTML) -> HTML { first }
    static func buildEither(second: HTML) -> HTML { second }

    static func buildArray(_ parts: [HTML]) -> HTML {
        var joined = HTML()
        for part in parts { joined.append(part) }
        return joined
    }
}
