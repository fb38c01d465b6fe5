import Testing

@testable import PrometheusConfig

/// Goal: the answer's bytes are those of upstream: order, escapes, which keys are there.
///
/// Method: golden texts that were produced by running upstream's own marshalling code.
@Suite struct ScrapeConfigJSONTests {
    @Test("A whole answer, byte for byte")
    func wholeAnswer() throws {
        let yaml = """
            scrape_configs:
            - job_name: otel-collector
              scrape_interval: 10s
              static_configs:
              - targets:
                - 0.0.0.0:8888
              metric_relabel_configs: [{action: labeldrop, regex: (id|name)},
                {action: labelmap, regex: label_(.+), replacement: $1}]
            """
        let expected =
            #"{"otel-collector":{"always_scrape_classic_histograms":false,"convert_classic_histograms_to_nhcb":false,"#
            + #""enable_compression":true,"enable_http2":true,"extra_scrape_metrics":false,"follow_redirects":true,"#
            + #""honor_timestamps":true,"job_name":"otel-collector","metric_name_escaping_scheme":"allow-utf-8","#
            + #""metric_name_validation_scheme":"utf8","metric_relabel_configs":[{"action":"labeldrop","regex":"(id|name)","#
            + #""replacement":"$1","separator":";"},{"action":"labelmap","regex":"label_(.+)","replacement":"$1","separator":";"}],"#
            + #""metrics_path":"/metrics","scheme":"http","scrape_interval":"10s","scrape_native_histograms":false,"#
            + #""scrape_protocols":["OpenMetricsText1.0.0","OpenMetricsText0.0.1","PrometheusText1.0.0","PrometheusText0.0.4"],"#
            + #""scrape_timeout":"10s","static_configs":[{"targets":["0.0.0.0:8888"]}],"track_timestamps_staleness":false}}"#
        #expect(try text(yaml) == expected)
    }

    @Test(
        "One relabel rule",
        arguments: [
            (
                "{source_labels: [job], target_label: t}",
                #"{"action":"replace","replacement":"$1","separator":";","source_labels":["job"],"target_label":"t"}"#
            ),
            (
                "{action: Keep, source_labels: [a, b], regex: (x);true}",
                #"{"action":"keep","regex":"(x);true","replacement":"$1","separator":";","source_labels":["a","b"]}"#
            ),
            (
                "{action: keepequal, source_labels: [a], target_label: b}",
                #"{"action":"keepequal","replacement":"$1","separator":";","source_labels":["a"],"target_label":"b"}"#
            ),
            (
                "{action: replace, regex: \"\", target_label: c, replacement: \"\"}",
                #"{"action":"replace","regex":"","replacement":"","separator":";","target_label":"c"}"#
            ),
            (
                #"{source_labels: [q], regex: "a\\d+<b>&", action: drop}"#,
                #"{"action":"drop","regex":"a\\d+\u003cb\u003e\u0026","replacement":"$1","separator":";","source_labels":["q"]}"#
            ),
        ])
    func relabelRule(yaml: String, expected: String) throws {
        let json = try text("scrape_configs: [{job_name: j, relabel_configs: [\(yaml)]}]")
        #expect(json.contains("\"relabel_configs\":[\(expected)],"))
    }

    @Test("Secrets: hidden and in clear")
    func secrets() throws {
        let yaml = """
            scrape_configs:
            - job_name: j
              tls_config: {ca: X, cert: Y, key: Z}
              oauth2: {client_id: i, client_secret: s, token_url: "http://t", scopes: [a]}
            """
        #expect(
            try text(yaml).contains(
                #""oauth2":{"client_id":"i","client_secret":"\u003csecret\u003e","scopes":["a"],"token_url":"http://t"}"#
            ))
        #expect(
            try text(yaml).contains(
                #""tls_config":{"ca":"X","cert":"Y","insecure_skip_verify":false,"key":"\u003csecret\u003e"}"#))
        #expect(try text(yaml, .clear).contains(#""client_secret":"s""#))
        #expect(try text(yaml, .clear).contains(#""key":"Z""#))
    }

    @Test("No job is an empty object")
    func empty() throws { #expect(try text("global: {}") == "{}") }

    @Test("Equal content, however written, has one canonical text; a difference shows")
    func canonical() throws {
        let spellings = [
            "{job_name: a, scrape_interval: 60s, params: {x: [a], b: [c]}, body_size_limit: 1MB}",
            "{body_size_limit: 1024KiB, params: {b: [c], x: [a]}, scrape_interval: 1m, job_name: a, scheme: http}",
        ]
        let texts = try spellings.map { try job($0).canonicalJSON(.redacted) }
        #expect(texts[0] == texts[1])
        #expect(try job(spellings[0]) == job(spellings[1]))
        #expect(try job("{job_name: a, scheme: https}").canonicalJSON(.redacted) != texts[0])
        var appended: [UInt8] = [1]
        try job(spellings[0]).json(secrets: .redacted, into: &appended)
        #expect(appended == [1] + texts[0])
    }

    @Test(
        "Strings are escaped as Go escapes them",
        arguments: [
            ("a\"b\\c", #""a\"b\\c""#), ("<>&", #""\u003c\u003e\u0026""#), ("\u{2028}\u{2029}x", #""\u2028\u2029x""#),
            ("\n\r\t\u{08}\u{0C}\u{01}\u{1F}", #""\n\r\t\b\f\u0001\u001f""#), ("é€😀\u{7F}", "\"é€😀\u{7F}\""),
            ("", "\"\""),
        ])
    func escapes(text: String, expected: String) {
        var writer = JSONWriter()
        writer.string(text)
        #expect(String(decoding: writer.bytes, as: UTF8.self) == expected)
    }

    @Test(
        "Numbers in Go's forms",
        arguments: [
            (1.1, "1.1", "1.1"), (2, "2", "2"), (0, "0", "0"), (-0.5, "-0.5", "-0.5"), (1e6, "1000000", "1e+06"),
            (123_456.75, "123456.75", "123456.75"), (1e21, "1e+21", "1e+21"), (1.25e-7, "1.25e-7", "1.25e-07"),
            (0.00001, "0.00001", "1e-05"), (12_345_678.5, "12345678.5", "1.23456785e+07"),
        ])
    func numbers(value: Double, json: String, yaml: String) {
        #expect(GoNumber.json(value) == json)
        #expect(GoNumber.shortest(value) == yaml)
    }

    private func text(_ yaml: String, _ secrets: SecretRendering = .redacted) throws -> String {
        let configuration = try PrometheusConfiguration.decode(yaml: yaml, file: "f")
        return String(decoding: configuration.scrapeConfigsJSON(secrets), as: UTF8.self)
    }

    private func job(_ yaml: String) throws -> ScrapeConfig {
        try #require(
            try PrometheusConfiguration.decode(yaml: "scrape_configs: [\(yaml)]", file: "f").scrapeConfigs.first)
    }
}
