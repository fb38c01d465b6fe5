//
// Form.swift: forms that ask a page with other parameters. What is left empty is not asked.
//

enum Form {
    /// A form that leads to a page; the button says what it does.
    static func leading(to action: Link, _ button: String, @HTMLBuilder fields: () -> HTML) -> HTML {
        Tag.form(.action(action)) {
            fields()
            Tag.button(.type("submit")) { button }
        }
    }

    static func text(
        _ name: String, _ title: String, _ value: String, placeholder: String = "", wide: Bool = false
    ) -> HTML {
        Tag.div(.class(wide ? "field wide" : "field")) {
            Tag.label(.for("f-\(name)")) { title }
            Tag.input(
                .type("text"), .id("f-\(name)"), .name(name), .value(value),
                placeholder.isEmpty ? nil : .placeholder(placeholder), .autocomplete("off"), .noSpelling)
        }
    }

    /// A time or a revision.
    static func instant(_ name: String, _ title: String, _ value: String) -> HTML {
        text(name, title, value, placeholder: "2h, 2026-11-20 03:12, or 42")
    }

    static func choice(_ name: String, _ title: String, _ value: String, among allowed: [String]) -> HTML {
        Tag.div(.class("field")) {
            Tag.label(.for("f-\(name)")) { title }
            Tag.select(.id("f-\(name)"), .name(name)) {
                Tag.option(.value("")) { "any" }
                for code in allowed {
                    Tag.option(.value(code), code == value ? .selected : nil) { code }
                }
            }
        }
    }

    static func check(_ name: String, _ title: String, _ isChecked: Bool) -> HTML {
        Tag.div(.class("field check")) {
            Tag.input(
                .type("checkbox"), .id("f-\(name)"), .name(name), .value("true"), isChecked ? .checked : nil)
            Tag.label(.for("f-\(name)")) { title }
        }
    }

    /// Sent along unseen.
    static func hidden(_ name: String, _ value: String?) -> HTML? {
        value.map { Tag.input(.type("hidden"), .name(name), .value($0)) }
    }
}
