import PrometheusConfig
import Testing

/// Goal: a matcher's expression means what it means to PromQL.
@Suite struct LabelMatcherRegexTests {
    @Test(
        "The whole value has to match",
        arguments: [
            ("web-.*", "web-1", true), ("web-.*", "a web-1", false), ("web", "web-1", false), ("a|bc", "bc", true),
            ("a|bc", "abc", false), ("", "", true), ("", "x", false), (".+", "a\nb", true), ("(?i)WEB", "web", true),
            ("[0-9]{2}", "42", true), ("é.", "éa", true),
        ])
    func anchored(pattern: String, value: String, expected: Bool) throws {
        #expect(try LabelMatcherRegex.compile(pattern)(value) == expected)
    }

    @Test("What is no expression is refused with its reason")
    func refused() {
        #expect(throws: RegexSyntaxError.self) { try LabelMatcherRegex.compile("web-(") }
    }
}
