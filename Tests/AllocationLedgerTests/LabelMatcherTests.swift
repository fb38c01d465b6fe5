//
// LabelMatcherTests.swift: selectors are read as PromQL reads them, and ask label sets as Prometheus does.
//

import Testing

@testable import AllocationLedger

/// Goal: every selector that PromQL accepts (without a metric's name) means the same here, and what it refuses is refused
/// at its place.
///
/// Method: texts and what they must mean, by hand from PromQL's manual; a compiler for plain alternatives stands in for
/// RE2, which lives in another module.
@Suite struct LabelMatcherTests {
    typealias Reading = (text: String, matchers: [String])

    static let readings: [Reading] = [
        ("{}", []),
        (" { } ", []),
        (#"{job="api"}"#, [#"job="api""#]),
        (#"{job="api",}"#, [#"job="api""#]),
        ("{ job = 'api' ,\n\tenv != `test` }", [#"job="api""#, #"env!="test""#]),
        (#"{a=~"x|y",b!~"z.*"}"#, [#"a=~"x|y""#, #"b!~"z.*""#]),
        (#"{a="1",a="2"}"#, [#"a="1""#, #"a="2""#]),
        (#"{_a9Z=""}"#, [#"_a9Z="""#]),
        (#"{"my.label"="x"}"#, [#""my.label"="x""#]),
        (#"{a="\"\\\n"}"#, [#"a="\"\\\n""#]),
        (#"{a='it\'s "q"'}"#, [#"a="it's \"q\"""#]),
        (#"{a=`\d+\.`}"#, [#"a="\\d+\\.""#]),
        (#"{a="\x41\101\u00e9\U0001F600"}"#, [#"a="AAé😀""#]),
        (#"{a="\xc3\xa9"}"#, [#"a="é""#]),
        (#"{a="}",b=","}"#, [#"a="}""#, #"b=",""#]),
    ]

    @Test("A selector means its matchers", arguments: readings)
    func reading(_ reading: Reading) throws {
        let matchers = try LabelMatcher.parse(reading.text)
        #expect(matchers.map(\.description) == reading.matchers)
        let again = try LabelMatcher.parse("{" + matchers.map(\.description).joined(separator: ",") + "}")
        #expect(again == matchers)
    }

    @Test("Escapes of control characters are those of Go")
    func controls() throws {
        let matcher = try #require(try LabelMatcher.parse(#"{a="\a\b\f\r\t\v"}"#).first)
        #expect(Array(matcher.value.utf8) == [7, 8, 12, 13, 9, 11])
    }

    typealias Fault = (text: String, position: Int, mentions: String)

    static let faults: [Fault] = [
        ("", 1, "begins with {"),
        ("up{a=\"b\"}", 1, "begins with {"),
        ("{", 2, "no end"),
        ("{a", 3, "no end"),
        ("{a=", 4, "quotes"),
        ("{a=b}", 4, "quotes"),
        ("{a=\"b}", 4, "no end"),
        ("{a=\"b\"", 7, "no end"),
        ("{a=\"b\" c=\"d\"}", 8, "followed by"),
        ("{a=\"b\",,}", 8, "name is missing"),
        ("{,}", 2, "name is missing"),
        ("{1a=\"b\"}", 2, "name is missing"),
        ("{a.b=\"c\"}", 3, "expected ="),
        ("{a!\"b\"}", 3, "!="),
        ("{a==\"b\"}", 4, "quotes"),
        ("{a<\"b\"}", 3, "expected ="),
        ("{a=\"b\"} x", 9, "nothing may follow"),
        (#"{a="\q"}"#, 5, "no such escape"),
        (#"{a="\'"}"#, 5, "no such escape"),
        (#"{a="\x4"}"#, 5, "2 digits"),
        (#"{a="\400"}"#, 5, "377"),
        (#"{a="\ud800"}"#, 5, "no character"),
        (#"{a="\UFFFFFFFF"}"#, 5, "no character"),
        (#"{a="\xff"}"#, 4, "UTF-8"),
        ("{a=\"b\nc\"}", 6, "line ends"),
        ("{é=\"b\"}", 2, "name is missing"),
        ("{a=\"é\" b}", 8, "followed by"),
    ]

    @Test("A fault is named at its place", arguments: faults)
    func fault(_ fault: Fault) {
        let error = #expect(throws: LabelMatcherError.self) { try LabelMatcher.parse(fault.text) }
        #expect(error?.position == fault.position, "\(fault.text): \(String(describing: error))")
        #expect(error?.message.contains(fault.mentions) == true, "\(fault.text): \(String(describing: error))")
    }

    typealias Question = (selector: String, labels: [String: String], isMeant: Bool)

    static let questions: [Question] = [
        (#"{zone="a"}"#, ["zone": "a"], true),
        (#"{zone="a"}"#, ["zone": "b"], false),
        (#"{zone="a"}"#, [:], false),
        (#"{zone!="a"}"#, [:], true),
        (#"{zone=""}"#, [:], true),
        (#"{zone=""}"#, ["zone": ""], true),
        (#"{zone=""}"#, ["zone": "a"], false),
        (#"{zone!=""}"#, [:], false),
        (#"{zone!=""}"#, ["zone": "a"], true),
        (#"{zone=~"a|b"}"#, ["zone": "b"], true),
        (#"{zone=~"a|b"}"#, ["zone": "ab"], false),
        (#"{zone=~"a|"}"#, [:], true),
        (#"{zone!~"a|"}"#, [:], false),
        (#"{zone!~"a|b"}"#, [:], true),
        (#"{zone!~"a|b"}"#, ["zone": "c"], true),
        (#"{zone="a",env="x"}"#, ["zone": "a", "env": "x"], true),
        (#"{zone="a",env="x"}"#, ["zone": "a", "env": "y"], false),
        (#"{zone!="a",zone!="b"}"#, ["zone": "b"], false),
        (#"{job="shop"}"#, ["job": "other"], true),
        (#"{job!="shop"}"#, [:], false),
        (#"{}"#, [:], true),
        ("{a=\"\u{E9}\"}", ["a": "e\u{301}"], false),
    ]

    @Test("A label that is missing counts as empty, and job is the job's name", arguments: questions)
    func question(_ question: Question) throws {
        let selection = try LabelSelection(
            anyOf: [LabelMatcher.parse(question.selector)], regex: Self.alternatives)
        let labels = RecordedLabels(pairs: question.labels.map { RecordedLabel(name: $0, value: $1) })
        #expect(selection.selects(job: "shop", labels: labels) == question.isMeant, "\(question.selector)")
    }

    @Test("One of several selectors is enough, and none selects everything")
    func anyOf() throws {
        let either = try LabelSelection(
            anyOf: [LabelMatcher.parse(#"{zone="a"}"#), LabelMatcher.parse(#"{job="bank"}"#)], regex: Self.alternatives)
        let zone = RecordedLabels(pairs: [RecordedLabel(name: "zone", value: "a")])
        #expect(either.selects(job: "shop", labels: zone))
        #expect(either.selects(job: "bank", labels: RecordedLabels(pairs: [])))
        #expect(!either.selects(job: "shop", labels: RecordedLabels(pairs: [])))
        #expect(!either.isEverything)
        #expect(try LabelSelection(anyOf: [], regex: Self.alternatives).isEverything)
        #expect(try LabelSelection(anyOf: [[]], regex: Self.alternatives).isEverything)
    }

    @Test("More matchers than there are bits are refused")
    func tooMany() throws {
        let many = "{" + (0...LabelSelection.matchersMax).map { "a\($0)=\"x\"" }.joined(separator: ",") + "}"
        let matchers = try LabelMatcher.parse(many)
        #expect(throws: LabelMatcherError.self) { try LabelSelection(anyOf: [matchers], regex: Self.alternatives) }
        _ = try LabelSelection(anyOf: [Array(matchers.dropLast())], regex: Self.alternatives)
    }

    static func alternatives(_ pattern: String) -> @Sendable (String) -> Bool {
        let wanted = Set(pattern.split(separator: "|", omittingEmptySubsequences: false).map(String.init))
        return { wanted.contains($0) }
    }
}
