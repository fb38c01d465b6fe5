import Testing

@testable import AllocatorAPI

/// Goal: no text can become markup, and no link can lead elsewhere.
///
/// Method: hostile texts in every place that takes one.
@Suite struct HTMLTests {
    @Test("What is markup in a text is escaped, in content and in attributes")
    func escapes() {
        let hostile = "<script>alert(\"1\")</script> & 'x'"
        let html = Tag.p(.title(hostile), .class("a")) { hostile }
        let escaped = "&lt;script&gt;alert(&#34;1&#34;)&lt;/script&gt; &amp; &#39;x&#39;"
        #expect(html.text == "<p title=\"\(escaped)\" class=\"a\">\(escaped)</p>\n")
    }

    @Test("Control characters are shown and not sent; other scripts stay as they are")
    func controls() {
        #expect(HTML("a\u{1B}[31m\u{0}b\u{9F}\n\tc").text == "a\u{FFFD}[31m\u{FFFD}b\u{FFFD}\n\tc")
        #expect(HTML("日本 ü 🙂").text == "日本 ü 🙂")
    }

    @Test("Parts come in their order; what is nil is left out")
    func builder() {
        let nothing: HTML? = nil
        let html = HTML {
            "a<"
            if true { Tag.em { "b" } } else { "c" }
            nothing
            for number in 1...3 { "\(number)" }
            Tag.input(.type("text"), nil, .required)
        }
        #expect(html.text == "a&lt;<em>b</em>123<input type=\"text\" required>")
        #expect(HTML.document(Tag.html {}).text == "<!DOCTYPE html>\n<html></html>\n")
    }

    @Test("Names stand in a link's query as they are meant")
    func links() {
        #expect(Link("/history/job", ["name": "a/b c&d=\"<"]).target == "/history/job?name=a%2Fb+c%26d%3D%22%3C")
        #expect(Link("/history/target", ["identity": "1", "job": nil]).target == "/history/target?identity=1")
        #expect(Link("/jobs/", segment: "../x", "/targets").target == "/jobs/..%2Fx/targets")
    }

    @Test("A page's head is complete, and nothing on it is styled or run inline")
    func page() {
        let page = Page("<b>", .nothing, at: .history) { Tag.section { "content" } }
        let text = page.html(PageSite()).text
        #expect(text.hasPrefix("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"))
        #expect(text.contains("<title>&lt;b&gt; · Target Ledger</title>"))
        #expect(text.contains("<a class=\"skip\" href=\"#content\">"))
        #expect(text.contains("href=\"\(StaticFile.style.path)\""))
        #expect(text.contains("<a href=\"/history\" aria-current=\"page\">Overview</a>"))
        for word in ["style=", "onclick", "<script", "http://", "https://"] { #expect(!text.contains(word), "\(word)") }
        let alone = page.html(PageSite(hasStandard: false)).text
        #expect(!alone.contains("href=\"/\"") && !alone.contains("/debug/"))
    }

    @Test("The style sheet asks for nothing from elsewhere and uses the palette's colours alone")
    func styleSheet() {
        let text = StyleSheet.text
        #expect(!text.contains("url(") && !text.contains("@import"))
        let palette = Set(
            (Palette.light.colours.values.map(\.css)) + (Palette.dark.colours.values.map(\.css)) + ["#fff"])
        for match in text.matches(of: /#[0-9a-fA-F]{3,6}\b/) {
            #expect(palette.contains(String(match.0)), "\(match.0)")
        }
        for match in text.matches(of: /var\(--([a-z-]+)\)/) {
            #expect(ColourRole(rawValue: String(match.1)) != nil, "\(match.1)")
        }
        #expect(text.count(of: "{") == text.count(of: "}"))
    }

    @Test("A file's name changes with its content, and it may be kept for good")
    func staticFiles() throws {
        let file = try #require(StaticFile.at(StaticFile.style.path))
        let answer = file.response(StandardRequest(file.path))
        var fields: [String: String] = [:]
        answer.forEachField { fields[$0.description] = $1 }
        #expect(fields["Cache-Control"] == "public, max-age=31536000, immutable")
        #expect(fields["Content-Type"] == "text/css; charset=utf-8")
        var again = StandardRequest(file.path)
        again.ifNoneMatch = fields["ETag"]
        #expect(file.response(again).status == 304)
        #expect(StaticFile.at("/assets/style.css") == nil)
    }
}

extension String {
    fileprivate func count(of character: Character) -> Int { reduce(0) { $0 + ($1 == character ? 1 : 0) } }
}
