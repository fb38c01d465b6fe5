import Testing

@testable import PrometheusConfig

/// Goal: durations, sizes and URLs are read and written as Prometheus and Go do it.
///
/// Method: tables with both sides of every edge. What Fixtures/scrape-config.json has already is not repeated.
@Suite struct ConfigurationValueTests {
    @Test(
        "Prometheus durations in canonical form",
        arguments: [
            ("0", "0s"), ("0s", "0s"), ("1ms", "1ms"), ("90s", "1m30s"), ("24h", "1d"), ("14d", "2w"), ("9d", "9d"),
            ("365d", "1y"),
            ("366d", "366d"), ("1y1d", "366d"), ("1y2w", "379d"), ("1w1ms", "7d1ms"), ("1h0m1ms", "1h1ms"),
            ("9223372036854ms", "106751d23h47m16s854ms"),
        ])
    func prometheusDuration(text: String, expected: String) throws {
        #expect(try PrometheusDuration(parsing: text).description == expected)
    }

    @Test(
        "Not a Prometheus duration",
        arguments: [
            ("1s1s", "not a valid duration string: \"1s1s\""), ("s", "not a valid duration string: \"s\""),
            ("1ms1s", "not a valid duration string: \"1ms1s\""), ("1us", "unknown unit \"us\" in duration \"1us\""),
            ("293y", "duration out of range"), ("9223372036855ms", "duration out of range"),
        ])
    func notPrometheusDuration(text: String, problem: String) {
        #expect(throws: ValueError(problem)) { try PrometheusDuration(parsing: text) }
    }

    @Test(
        "Go durations",
        arguments: [
            ("300ms", 300_000_000), ("1m30s", 90_000_000_000), ("1.5h", 5_400_000_000_000), ("-2s", -2_000_000_000),
            ("0", 0),
            ("+1ns", 1), (".5s", 500_000_000), ("1us", 1_000), ("1µs", 1_000), ("1h1h", 7_200_000_000_000),
        ] as [(String, Int64)])
    func goDuration(text: String, nanoseconds: Int64) throws {
        #expect(try GoDuration(parsing: text).nanoseconds == nanoseconds)
    }

    @Test(
        "Not a Go duration",
        arguments: ["", "1", "1d", "s", "1 s", "1.2.3s", ".s", "-", "300000h300000h300000h3000000h"])
    func notGoDuration(text: String) {
        #expect(throws: ValueError.self) { try GoDuration(parsing: text) }
    }

    @Test("In YAML a bare number is nanoseconds, a quoted one is not", arguments: [("30s", 30_000_000_000), ("5", 5)])
    func goDurationNode(text: String, nanoseconds: Int64) throws {
        var reader = YAMLReader(file: "f", rules: .allocator)
        #expect(try reader.goDuration(try YAMLNode(parsing: text, file: "f")).nanoseconds == nanoseconds)
        #expect(throws: ConfigurationError.self) { try reader.goDuration(try YAMLNode(parsing: "\"5\"", file: "f")) }
    }

    @Test(
        "Sizes",
        arguments: [
            ("1EB", "1EiB"), ("-1.5MB", "-1MiB-512KiB"), ("+1KB", "1KiB"), (".5KiB", "512B"), ("1.KB", "1KiB"),
            ("0.1B", "0B"),
            ("1TB1PB", "1PiB1TiB"),
        ])
    func size(text: String, expected: String) throws {
        #expect(try ByteSize(parsing: text).description == expected)
    }

    @Test(
        "Not a size",
        arguments: [
            ("", "units: invalid "), ("-", "units: invalid -"), ("B", "units: invalid B"), (".B", "units: invalid .B"),
            ("8EB", "units: overflow parsing unit"), ("1KiB1KB", "units: unknown unit KiB in 1KiB1KB"),
        ])
    func notSize(text: String, problem: String) {
        #expect(throws: ValueError(problem)) { try ByteSize(parsing: text) }
    }

    @Test(
        "URLs keep all but the password",
        arguments: [
            ("http://u:p@h:1/a?b=c", "http://u:xxxxx@h:1/a?b=c"), ("http://u@h", "http://u@h"),
            ("http://:p@h", "http://:xxxxx@h"),
            ("HTTP://h", "http://h"), ("http://[::1]:80/", "http://[::1]:80/"), ("", ""),
            ("socks5://a:b:c@h", "socks5://a:xxxxx@h"),
            ("user:pass@proxy:3128", "user:xxxxx@proxy:3128"),
        ])
    func url(text: String, expected: String) throws {
        #expect(try GoURL(parsing: text).redacted == expected)
    }

    @Test(
        "Not a URL",
        arguments: [
            ("http://[::1", "parse \"http://[::1\": missing ']' in host"),
            (":x", "parse \":x\": missing protocol scheme"),
            ("http://h:x", "parse \"http://h:x\": invalid port \":x\" after host"),
            ("http://a b/", "parse \"http://a b/\": invalid character \" \" in host name"),
            ("1a:b", "parse \"1a:b\": first path segment in URL cannot contain colon"),
            ("http://h/%zz", "parse \"http://h/%zz\": invalid URL escape \"%zz\""),
            ("http://h/\n", "parse \"http://h/\\n\": net/url: invalid control character in URL"),
        ])
    func notURL(text: String, problem: String) {
        #expect(throws: ValueError(problem)) { try GoURL(parsing: text) }
    }
}
