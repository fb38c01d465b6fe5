import Testing

@testable import PrometheusConfig

/// Goal: scalars mean what YAML 1.1 says, and the two ways of reading, Prometheus' and the allocator's, differ only where
/// they should.
///
/// Method: tables of scalars; the same small document read both ways.
@Suite struct YAMLReadingTests {
    @Test(
        "What an unquoted scalar means",
        arguments: [
            ("yes", .bool(true)), ("y", .bool(true)), ("On", .bool(true)), ("TRUE", .bool(true)), ("N", .bool(false)),
            ("off", .bool(false)), ("yEs", .text), ("null", .null), ("~", .null), ("", .null), ("nULL", .text),
            ("010", .integer(8)), ("0o17", .integer(15)), ("0x1F", .integer(31)), ("0b101", .integer(5)),
            ("-0x10", .integer(-16)),
            ("+12", .integer(12)), ("1_000", .integer(1_000)), ("-9223372036854775808", .integer(.min)),
            ("18446744073709551615", .unsigned(.max)), ("18446744073709551616", .float(0x1p64)), ("08", .float(8)),
            ("1.50", .float(1.5)), ("1e3", .float(1_000)), (".5", .float(0.5)), ("1.", .float(1)),
            (".inf", .float(.infinity)),
            ("-.INF", .float(-.infinity)), ("1.2.3", .text), ("1:30", .text), ("2001-01-01", .text), ("--1", .text),
            ("0x", .text),
            ("0xg", .text), (".", .text), ("-", .text), ("+", .text), ("1e", .text), ("5s", .text), ("<<", .text),
            ("0-1", .text),
        ] as [(String, YAMLScalarValue)])
    func values(text: String, expected: YAMLScalarValue) {
        #expect(YAMLScalar(text: text).value == expected)
        #expect(YAMLScalar(text: text, isPlain: false).value == .text)
    }

    @Test(
        "Text after a round through YAML",
        arguments: [
            ("yes", "true"), ("n", "false"), ("1.50", "1.5"), ("010", "8"), ("~", ""), ("1_0", "10"), ("1e6", "1e+06"),
            ("10.0", "10"), ("2001-01-01", "2001-01-01"), ("abc", "abc"), ("1:30", "1:30"), (".NaN", ".nan"),
        ])
    func normalised(text: String, expected: String) {
        #expect(YAMLScalar(text: text).normalisedText == expected)
        #expect(YAMLScalar(text: text, isPlain: false).normalisedText == text)
    }

    @Test("Tags decide over the text")
    func tags() throws {
        let node = try YAMLNode(parsing: "{a: !!str 5, b: !!int \"5\", c: !!null x, d: ! 7}", file: "f")
        #expect(node["a"]?.scalar?.value == .text)
        #expect(node["b"]?.scalar?.value == .integer(5))
        #expect(node["c"]?.isNull == true)
        #expect(node["d"]?.scalar?.value == .text)
    }

    private static let document = """
        global: {external_labels: {n: 1.50}, unknown: 1}
        scrape_configs:
        - job_name: 010
          scheme: http
          scheme: https
          static_configs: [{targets: [a], labels: {v: yes, q: "yes", f: 1.50, z: ~}}]
          relabel_configs: [{source_labels: [v], regex: on, action: keep}]
        """

    @Test("Prometheus' reading refuses what the allocator's warns of")
    func dialects() throws {
        let node = try YAMLNode(parsing: Self.document, file: "ta.yaml")
        let configuration = try PrometheusConfiguration.decode(node, file: "ta.yaml", path: "config")
        let job = try #require(configuration.scrapeConfigs.first)
        #expect(job.jobName == "8")
        #expect(job.scheme == "https")
        #expect(
            job.staticConfigs == [StaticConfig(targets: ["a"], labels: ["v": "true", "q": "yes", "f": "1.5", "z": ""])])
        #expect(job.relabelConfigs.first?.regex == "true")
        #expect(
            configuration.warnings.map(\.description) == [
                "ta.yaml:1:28: config.global.external_labels: n is read as false; put quotes around it to keep it as written",
                "ta.yaml:1:31: config.global.external_labels.false: 1.50 is read as 1.5; "
                    + "put quotes around it to keep it as written",
                "ta.yaml:1:38: config.global: unknown key \"unknown\" is ignored",
                "ta.yaml:5:3: config.scrape_configs[0]: key \"scheme\" is set twice; the last value counts",
                "ta.yaml:3:13: config.scrape_configs[0].job_name: 010 is read as 8; put quotes around it to keep it as written",
                "ta.yaml:6:47: config.scrape_configs[0].static_configs[0].labels.v: yes is read as true; "
                    + "put quotes around it to keep it as written",
                "ta.yaml:6:65: config.scrape_configs[0].static_configs[0].labels.f: 1.50 is read as 1.5; "
                    + "put quotes around it to keep it as written",
                "ta.yaml:7:49: config.scrape_configs[0].relabel_configs[0].regex: on is read as true; "
                    + "put quotes around it to keep it as written",
            ])
        let error = try #require(throws: ConfigurationError.self) {
            try PrometheusConfiguration.decode(yaml: Self.document, file: "ta.yaml")
        }
        #expect(([error] + error.others).map(\.kind) == [.unknownKey("unknown"), .repeatedKey("scheme")])
    }

    @Test("Merged keys yield to written ones, and earlier merges to none")
    func merge() throws {
        let text = "a: &a {x: 1, y: 2}\nb: &b {y: 3, z: 4}\nc: {<<: [*a, *b], z: 5}\nd: {\"<<\": 1}"
        let node = try YAMLNode(parsing: text, file: "f")
        let merged = try #require(node["c"]?.mapping)
        #expect(
            merged.members.map { "\($0.key.text)=\($0.value.scalar?.text ?? "")" }.sorted() == ["x=1", "y=2", "z=5"])
        #expect(node["d"]?["<<"]?.scalar?.text == "1")
        #expect(throws: ConfigurationError.self) { try YAMLNode(parsing: "a: {<<: 1}", file: "f") }
    }

    @Test("Only the first document counts; none at all is a null")
    func documents() throws {
        #expect(try YAMLNode(parsing: "a: 1\n---\nb: [", file: "f")["a"]?.scalar?.text == "1")
        for text in ["", "# nothing\n", "---\n", "null"] { #expect(try YAMLNode(parsing: text, file: "f").isNull) }
    }

    @Test("Keys in another letter case, where the rules allow it")
    func keyCase() throws {
        enum Key: String, YAMLKey { case listenAddr = "listen_addr" }
        let node = try YAMLNode(parsing: "{Listen_Addr: x}", file: "f")
        var reader = YAMLReader(file: "f", rules: .init(refusesUnknownKeys: true, ignoresKeyCase: true))
        var found = ""
        try reader.fields(of: node, Key.self) { (reader, _, value) in found = reader.string(value) }
        try reader.finish()
        #expect(found == "x")
        var strict = YAMLReader(file: "f", rules: .prometheus)
        try strict.fields(of: node, Key.self) { (_, _, _) in found = "" }
        #expect(throws: ConfigurationError.self) { try strict.finish() }
    }
}
