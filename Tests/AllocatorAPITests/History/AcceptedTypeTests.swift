import Testing

@testable import AllocatorAPI

/// Goal: who asks for another form than JSON gets it, and everybody else JSON.
@Suite struct AcceptedTypeTests {
    private static let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

    @Test(
        "The most wanted form that there is",
        arguments: [
            ([], nil), (["*/*"], nil), (["application/json"], nil), (["image/png"], nil),
            ([browser], "text/html"), (["text/markdown"], "text/markdown"), (["TEXT/Markdown; q=0.5"], "text/markdown"),
            (["application/json, text/html"], nil), (["text/html, application/json"], "text/html"),
            (["application/json;q=0.1, text/markdown"], "text/markdown"), (["text/html;q=0, */*;q=0.1"], nil),
            (["text/html;q=0.5", "text/markdown"], "text/markdown"), (["*/*, text/markdown;q=0.9"], nil),
        ] as [([String], String?)])
    func preferred(fields: [String], expected: String?) {
        #expect(AcceptedType.preferred(of: ["text/html", "text/markdown"], fields) == expected)
    }
}
