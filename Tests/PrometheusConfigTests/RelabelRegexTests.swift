import CRE2
import Testing

@testable import PrometheusConfig

/// Goal: expressions mean what they mean in Go, whichever way they are matched.
///
/// Method: every expression of relabel-regex-syntax.json; what RE2 and Go differ in; and random inputs against both the
/// comparison of bytes and the engine.
@Suite struct RelabelRegexTests {
    struct Case: Decodable, Sendable, CustomTestStringConvertible {
        var regex: String
        var compiles: Bool
        var message: String?

        var testDescription: String { regex }
    }

    static let cases: [Case] = RelabelFixture.cases("relabel-regex-syntax")

    @Test("All 76 expressions are here")
    func count() {
        #expect(Self.cases.count == 76)
    }

    @Test("Accepted and refused as Go does, in Go's words", arguments: cases)
    func syntax(_ vector: Case) {
        do {
            _ = try RelabelRegex(vector.regex)
            _ = try RelabelRegex(vector.regex, usesEngineAlways: true)
            #expect(vector.compiles)
        } catch {
            #expect(!vector.compiles)
            #expect(error.description == vector.message)
        }
    }

    static let acceptances: [(String, Bool)] = [
        (#"[\C]"#, false), (#"\Q\C\E"#, true), (#"(?<n>a)(?<n>b)"#, true), (#"(?<n"#, false), (#"(?<>a)"#, false),
        (#"\p{greek}"#, true), (#"\p{old italic}"#, true), (#"\p{Letter}\P{lu}"#, true), (#"[\p{ASCII}]"#, true),
        (#"[\P{ascii}]"#, true), (#"\p{LC}\P{Cased_Letter}"#, true), (#"\p{Cn}\P{Unassigned}"#, true),
        (#"\p{Any}"#, true), (#"\p{^Nd}"#, true), (#"\pX"#, false), (#"\p{Nope}"#, false), (#"\p{Nd"#, false),
        (#"[[:alpha:]\]x]"#, true), (#"[[:word:]"#, false), (#"[[a]"#, true), (#"[\P{LC}]"#, false),
        (String(repeating: "(", count: 999) + String(repeating: ")", count: 999), true),
        (String(repeating: "(", count: 1000) + String(repeating: ")", count: 1000), false),
    ]

    @Test("What RE2 alone accepts is refused, what Go alone accepts is understood", arguments: acceptances)
    func differencesOfTheEngines(_ expression: String, _ isAccepted: Bool) {
        #expect(((try? RelabelRegex(expression, usesEngineAlways: true)) != nil) == isAccepted)
    }

    static let classMatches: [(String, String, Bool)] = [
        (#"\p{ASCII}"#, "a", true), (#"\p{ASCII}"#, "é", false), (#"\P{ASCII}"#, "é", true),
        (#"[^\P{ASCII}]"#, "a", true), (#"\p{LC}"#, "ǅ", true), (#"\p{LC}"#, "1", false), (#"\P{LC}"#, "1", true),
        (#"\p{Cn}"#, "\u{0378}", true), (#"\p{Cn}"#, "a", false), (#"\P{Cn}"#, "a", true),
        (#"[\p{Assigned}]"#, "a", true), (#"\P{^Greek}"#, "α", true), (#"\p{^Greek}"#, "α", false),
    ]

    @Test("Classes that RE2 has no name for match what Go's match", arguments: classMatches)
    func classes(_ expression: String, _ text: String, _ isMatch: Bool) throws {
        #expect(try RelabelRegex(expression).matches(text) == isMatch)
    }

    @Test("Comparing bytes decides as the engine does", arguments: simpleExpressions)
    func simplePatterns(_ expression: String) throws {
        let simple = try RelabelRegex(expression)
        let engine = try RelabelRegex(expression, usesEngineAlways: true)
        #expect(simple.matcher.program == nil)
        #expect(simple.groupNames == engine.groupNames)
        var random = SeededRandom(seed: 7)
        let pieces = ["", "a", "b", "ab", ";", "true", "Pod", "x.y", "\n", "é", "_", "http", "Failed"]
        for _ in 0..<2_000 {
            let text = (0..<Int.random(in: 0...4, using: &random))
                .map { _ in pieces[Int.random(in: 0..<pieces.count, using: &random)] }.joined()
            #expect(simple.groups(text) == engine.groups(text), "\(text.debugDescription)")
            #expect(simple.matches(text) == engine.matches(text))
        }
    }

    static let simpleExpressions = [
        "(.*)", ".*", "(.+)", ".+", "", "()", "|", "a", "true", "a|b|ab", "(a|b|ab)", "(?:a|b)", "(a|)", "(a|b);true",
        "Pod;(.*)", "Pod;(.+)", "(.+);", "a(.*)b", "ab.*", #"x\.y"#, #"(x\.y|\_);"#, "a;(?:http|https|metrics)",
        "(Failed|Succeeded)", "é.*\n", "a(?:.+)b",
    ]

    @Test(
        "What comparing bytes cannot decide is left to the engine",
        arguments: [
            "a)|(b", "(?i:true)", "a.b", "(a)(b)", "a.*b.*", "[ab]", "^a$", "a{2}", "(a|(b))", ".*?", #"\d"#, "a|b(c)",
        ]
    )
    func notSimple(_ expression: String) throws {
        #expect(SimplePattern(expression) == nil)
        _ = try RelabelRegex(expression)
    }

    @Test("The same text is compiled once while it is in use, and told apart by bytes")
    func sharing() throws {
        let first = try RelabelRegex.shared("[a-z]+é")
        #expect(try RelabelRegex.shared("[a-z]+é") === first)
        #expect(try RelabelRegex.shared("[a-z]+e\u{301}") !== first)
    }

    @Test("An expression needing more memory than allowed is refused")
    func tooLarge() {
        let huge = String(repeating: #"[\pL\pN]{1000}"#, count: 64)
        #expect(throws: RegexSyntaxError.self) { try RelabelRegex(huge) }
    }
}

extension RelabelRegex {
    func matches(_ text: String) -> Bool { Array(text.utf8).withUnsafeBytes { matcher.matches($0) } }

    /// All groups' spans; nil when there is no match.
    func groups(_ text: String, from start: Int = 0) -> [Range<Int>?]? {
        var spans = [cre2_span](repeating: cre2_span(start: -1, end: -1), count: groupNames.count)
        let isMatch = Array(text.utf8).withUnsafeBytes { bytes in
            spans.withUnsafeMutableBufferPointer { spans in
                // There is always group 0.
                let base = spans.baseAddress.unsafelyUnwrapped
                return start == 0
                    ? matcher.match(bytes, groups: base, groupCount: Int32(spans.count))
                    : matcher.match(bytes, from: start, groups: base, groupCount: Int32(spans.count))
            }
        }
        guard isMatch else { return nil }
        return spans.map { $0.start < 0 ? nil : Int($0.start)..<Int($0.end) }
    }
}

/// A generator that gives the same numbers on every machine.
struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }
}
