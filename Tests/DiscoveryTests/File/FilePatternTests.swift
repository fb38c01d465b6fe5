import Testing

@testable import Discovery

/// Goal: patterns match as Go's path/filepath does.
@Suite struct FilePatternTests {
    @Test(
        "One part against one name",
        arguments: [
            ("*.json", "a.json", true), ("*.json", ".json", true), ("*.json", ".hidden.json", true),
            ("*.json", "a.yaml", false), ("a*b*.json", "axxbyy.json", true), ("a*b*.json", "axx.json", false),
            ("?.json", "é.json", true), ("?.json", "ab.json", false), ("[ab].json", "b.json", true),
            ("[^ab].json", "b.json", false), ("[^ab].json", "c.json", true), ("[a-c]x", "bx", true),
            ("[a-c]x", "dx", false), ("\\*.json", "*.json", true), ("\\*.json", "a.json", false),
            ("*a*a*a", "aaaa", true), ("*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaa", false), ("", "", true),
            ("*", "", true),
            ("a", "", false), ("[\\]]", "]", true),
        ])
    func matches(pattern: String, name: String, expected: Bool) {
        #expect(FilePattern.matches(pattern, name) == expected)
    }

    @Test("Patterns that are not complete", arguments: ["[", "[a", "[]", "[^]", "a\\", "[a-]", "[-a]"])
    func malformed(pattern: String) { #expect(!FilePattern.isWellFormed(pattern)) }

    @Test(
        "Directory and name",
        arguments: [("a.json", ".", "a.json"), ("/a.json", "/", "a.json"), ("d/e/*.yml", "d/e", "*.yml")])
    func split(pattern: String, directory: String, name: String) {
        #expect(FilePattern(pattern).directory == directory)
        #expect(FilePattern(pattern).name == name)
    }
}
