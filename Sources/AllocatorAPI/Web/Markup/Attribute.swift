//
// Attribute.swift: the attributes that elements may have. There is none that runs or styles anything: the content
// security policy would refuse it.
//

/// One attribute of an element.
struct Attribute: Sendable, Hashable {
    let name: String
    /// Nil: there by its name alone.
    let value: String?

    private init(_ name: String, _ value: String?) { (self.name, self.value) = (name, value) }

    // MARK: Anywhere

    static func id(_ id: String) -> Attribute { Attribute("id", id) }
    static func `class`(_ names: String) -> Attribute { Attribute("class", names) }
    static func title(_ text: String) -> Attribute { Attribute("title", text) }
    static func role(_ role: String) -> Attribute { Attribute("role", role) }
    static func lang(_ code: String) -> Attribute { Attribute("lang", code) }
    static func ariaLabel(_ text: String) -> Attribute { Attribute("aria-label", text) }
    static func ariaLabelledBy(_ ids: String) -> Attribute { Attribute("aria-labelledby", ids) }
    static let ariaHidden = Attribute("aria-hidden", "true")
    static let currentPage = Attribute("aria-current", "page")
    /// Can be reached with the keyboard.
    static let focusable = Attribute("tabindex", "0")
    /// Can be jumped to.
    static let jumpTarget = Attribute("tabindex", "-1")

    // MARK: Links and documents

    static func href(_ link: Link) -> Attribute { Attribute("href", link.target) }
    static func rel(_ relation: String) -> Attribute { Attribute("rel", relation) }
    static func name(_ name: String) -> Attribute { Attribute("name", name) }
    static func content(_ text: String) -> Attribute { Attribute("content", text) }
    static func datetime(_ text: String) -> Attribute { Attribute("datetime", text) }
    static let utf8 = Attribute("charset", "utf-8")

    // MARK: Tables and forms

    static func scope(_ scope: String) -> Attribute { Attribute("scope", scope) }
    static func action(_ link: Link) -> Attribute { Attribute("action", link.target) }
    static let post = Attribute("method", "post")
    static func `for`(_ id: String) -> Attribute { Attribute("for", id) }
    static func type(_ type: String) -> Attribute { Attribute("type", type) }
    static func value(_ text: String) -> Attribute { Attribute("value", text) }
    static func placeholder(_ text: String) -> Attribute { Attribute("placeholder", text) }
    static func autocomplete(_ what: String) -> Attribute { Attribute("autocomplete", what) }
    static let required = Attribute("required", nil)
    static let checked = Attribute("checked", nil)
    static let selected = Attribute("selected", nil)
    static let autofocus = Attribute("autofocus", nil)
    static let noSpelling = Attribute("spellcheck", "false")

    // MARK: Drawings

    static func viewBox(width: Double, height: Double) -> Attribute {
        Attribute("viewBox", "0 0 \(text(width)) \(text(height))")
    }

    static func x(_ x: Double) -> Attribute { Attribute("x", text(x)) }
    static func y(_ y: Double) -> Attribute { Attribute("y", text(y)) }
    static func x1(_ x: Double) -> Attribute { Attribute("x1", text(x)) }
    static func y1(_ y: Double) -> Attribute { Attribute("y1", text(y)) }
    static func x2(_ x: Double) -> Attribute { Attribute("x2", text(x)) }
    static func y2(_ y: Double) -> Attribute { Attribute("y2", text(y)) }
    static func width(_ width: Double) -> Attribute { Attribute("width", text(width)) }
    static func height(_ height: Double) -> Attribute { Attribute("height", text(height)) }
    static func cornerRadius(_ radius: Double) -> Attribute { Attribute("rx", text(radius)) }
    static func path(_ points: [DrawingPath.Step]) -> Attribute { Attribute("d", DrawingPath.text(points)) }

    /// A length of a drawing, to the tenth.
    static func text(_ length: Double) -> String {
        let tenths = Int((length * 10).rounded())
        let (whole, rest) = tenths.magnitude.quotientAndRemainder(dividingBy: 10)
        return (tenths < 0 ? "-" : "") + (rest == 0 ? "\(whole)" : "\(whole).\(rest)")
    }
}

/// What a line is drawn along.
enum DrawingPath {
    enum Step: Sendable, Hashable {
        case move(Double, Double)
        case line(Double, Double)
        case close
    }

    static func text(_ steps: [Step]) -> String {
        steps.map { step in
            switch step {
            case .move(let x, let y): "M\(Attribute.text(x)) \(Attribute.text(y))"
            case .line(let x, let y): "L\(Attribute.text(x)) \(Attribute.text(y))"
            case .close: "Z"
            }
        }.joined()
    }
}
