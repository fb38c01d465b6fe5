import Testing

@testable import PrometheusConfig

/// Goal: case is mapped one code point to one, as Go does.
///
/// Method: one character of each kind in which the simple mapping differs from the full one, from UnicodeData.txt.
@Suite struct RelabelCaseMappingTests {
    static let uppers: [(Unicode.Scalar, Unicode.Scalar)] = [
        ("a", "A"), ("é", "É"), ("ß", "ß"), ("ŉ", "ŉ"), ("ǰ", "ǰ"), ("ΐ", "ΐ"), ("և", "և"), ("ﬀ", "ﬀ"),
        ("\u{1F80}", "\u{1F88}"), ("\u{1F88}", "\u{1F88}"), ("\u{1FB3}", "\u{1FBC}"), ("\u{1FB2}", "\u{1FB2}"),
        ("ǆ", "Ǆ"), ("ǅ", "Ǆ"), ("ı", "I"), ("ÿ", "Ÿ"), ("ſ", "S"), ("µ", "Μ"), ("ა", "Ა"), ("😀", "😀"),
    ]

    @Test("Upper case", arguments: uppers)
    func upper(_ scalar: Unicode.Scalar, _ expected: Unicode.Scalar) {
        #expect(SimpleCaseMapping.upper.map(scalar) == expected)
    }

    static let lowers: [(Unicode.Scalar, Unicode.Scalar)] = [
        ("A", "a"), ("É", "é"), ("İ", "i"), ("ẞ", "ß"), ("Σ", "σ"), ("\u{212A}", "k"), ("Ǆ", "ǆ"), ("ǅ", "ǆ"),
        ("\u{1F88}", "\u{1F80}"), ("Ა", "ა"), ("1", "1"),
    ]

    @Test("Lower case", arguments: lowers)
    func lower(_ scalar: Unicode.Scalar, _ expected: Unicode.Scalar) {
        #expect(SimpleCaseMapping.lower.map(scalar) == expected)
    }

    @Test(
        "Whole texts, ASCII alone or not",
        arguments: [("aZ_@[`{9", "AZ_@[`{9", "az_@[`{9"), ("", "", ""), ("Straße É", "STRAßE É", "straße é")]
    )
    func texts(_ text: String, _ upper: String, _ lower: String) {
        #expect(mapped(text, .upper) == upper)
        #expect(mapped(text, .lower) == lower)
    }

    private func mapped(_ text: String, _ mapping: SimpleCaseMapping) -> String {
        var arena = ByteArena()
        return Array(text.utf8).withUnsafeBytes { String(decoding: mapping.map($0, in: &arena), as: UTF8.self) }
    }
}
