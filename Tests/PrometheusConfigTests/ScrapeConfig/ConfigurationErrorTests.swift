import Testing

@testable import PrometheusConfig

/// Goal: whoever reads a message finds the fault: file, line, column, path, the key that was meant, and never a secret.
///
/// Method: short configurations with one or two faults each; whole messages are compared.
@Suite struct ConfigurationErrorTests {
    @Test(
        "Message and place",
        arguments: [
            (
                "scrape_configs:\n- job_name: a\n- job_name: b\n  relabel_configs:\n  - {action: keep, source_labels: [x], regexx: y}\n",
                "p.yml:5:40: scrape_configs[1].relabel_configs[0]: unknown key \"regexx\"; did you mean \"regex\"?"
            ),
            (
                "scrape_configs:\n- job_name: j\n  scrape_intervall: 5s\n",
                "p.yml:3:3: scrape_configs[0]: unknown key \"scrape_intervall\"; did you mean \"scrape_interval\"?"
            ),
            (
                "scrape_configs:\n- job_name: j\n  static_configs: [{hosts: [a]}]\n",
                "p.yml:3:21: scrape_configs[0].static_configs[0]: unknown key \"hosts\"; known here: labels, targets"
            ),
            (
                "scrape_configs:\n- job_name: j\n  scrape_interval: 5 minutes\n",
                "p.yml:3:20: scrape_configs[0].scrape_interval: unknown unit \" minutes\" in duration \"5 minutes\""
            ),
            (
                "scrape_configs:\n- job_name: j\n  sample_limit: lots\n  honor_labels: 3\n",
                "p.yml:3:17: scrape_configs[0].sample_limit: expected a whole number of 0 or more, found \"lots\"\n"
                    + "p.yml:4:17: scrape_configs[0].honor_labels: expected true or false, found \"3\""
            ),
            (
                "scrape_configs:\n- job_name: j\n  params: {\"a b\": {x: y}}\n",
                "p.yml:3:19: scrape_configs[0].params[\"a b\"]: expected a list, found a mapping"
            ),
            (
                "scrape_configs:\n- job_name: j\n  kubernetes_sd_configs: [{role: pod}]\n",
                "p.yml:3:26: scrape_configs[0].kubernetes_sd_configs: kubernetes_sd_configs is not supported yet; "
                    + "supported: static_configs, file_sd_configs, http_sd_configs"
            ),
            (
                "scrape_configs:\n- job_name: j\n- job_name: j\n",
                "p.yml:3:13: scrape_configs[1].job_name: found multiple scrape configs with job name \"j\""
            ),
            (
                "scrape_configs:\n- job_name: j\n  relabel_configs:\n  - {action: keep, regex: \"a(\"}\n",
                "p.yml:4:27: scrape_configs[0].relabel_configs[0].regex: error parsing regexp: missing closing ): "
                    + "`^(?s:a()$`"
            ),
            (
                "scrape_configs:\n- job_name: j\n  file_sd_configs: [{files: [a.txt]}]\n",
                "p.yml:3:29: scrape_configs[0].file_sd_configs[0].files: path name \"a.txt\" is not valid for file discovery"
            ),
            (
                "scrape_configs:\n- job_name: j\n  http_sd_configs: [{url: \"http://x\", refresh_interval: 0s}]\n",
                "p.yml:3:57: scrape_configs[0].http_sd_configs[0].refresh_interval: refresh_interval must be greater than 0s"
            ),
        ])
    func message(yaml: String, expected: String) throws {
        #expect(try failure(yaml).description == expected)
    }

    @Test(
        "Text that is not YAML",
        arguments: [
            (
                "a: [1, 2\nb: 3\n", 2,
                "not valid YAML: did not find expected ',' or ']' while parsing a flow sequence that begins in line 1"
            ),
            (
                "a:\n\t- 2\n", 2,
                "not valid YAML: found character that cannot start any token while scanning for the next token that begins in line 2"
            ),
            ("a: b: c\n", 1, "not valid YAML: mapping values are not allowed in this context"),
            (
                "a: 'x\n", 2,
                "not valid YAML: found unexpected end of stream while scanning a quoted scalar that begins in line 1"
            ),
            ("x: 1\ny: \u{01}\n", 2, "not valid YAML: control characters are not allowed"),
            ("a: *b\n", 1, "an alias without its anchor; a text that begins with * must be quoted"),
            ("a: !x y\n", 1, "a tag that is not supported; a text that begins with ! must be quoted"),
            ("a: &x [*x]\n", 1, "an alias without its anchor; a text that begins with * must be quoted"),
        ])
    func brokenYAML(yaml: String, line: Int, problem: String) throws {
        let error = try failure(yaml)
        #expect(error.kind == .syntax)
        #expect(error.location.mark?.line == line)
        #expect(error.problem == problem)
    }

    @Test("A document that would expand or nest without end is refused")
    func limits() throws {
        var bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1...9 {
            let aliases = Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
            bomb += "a\(level): &a\(level) [\(aliases)]\n"
        }
        #expect(try failure(bomb).problem == "aliases expand to more than 4000000 values")
        let deep = String(repeating: "[", count: 101) + String(repeating: "]", count: 101)
        #expect(try failure(deep).problem == "nested more than 100 levels deep")
        var ladder = "a0: &a0 x\n"
        for level in 1...101 { ladder += "a\(level): &a\(level) [*a\(level - 1)]\n" }
        #expect(try failure(ladder).problem == "nested more than 100 levels deep")
    }

    @Test("A mistyped mechanism is not just ignored: the warning names the one that was meant")
    func mistypedMechanism() throws {
        let node = try YAMLNode(
            parsing: "scrape_configs: [{job_name: j, kubernetes_sd_config: [{role: pod}]}]", file: "f")
        let warnings = try PrometheusConfiguration.decode(node, file: "f", path: "config").warnings
        #expect(
            warnings.map(\.description) == [
                "f:1:32: config.scrape_configs[0]: unknown key \"kubernetes_sd_config\" is ignored; "
                    + "did you mean \"kubernetes_sd_configs\"?"
            ])
    }

    @Test("Every mechanism of Prometheus is known by name; an empty list of one is harmless")
    func mechanisms() throws {
        for name in DiscoveryMechanisms.unsupported {
            let error = try failure("scrape_configs: [{job_name: j, \(name): [{x: y}]}]")
            #expect(error.kind == .unsupported(name))
        }
        let empty = "scrape_configs: [{job_name: j, dns_sd_configs: [], consul_sd_configs: }]"
        #expect(throws: Never.self) { try PrometheusConfiguration.decode(yaml: empty, file: "f") }
    }

    @Test(
        "The nearest key",
        arguments: [
            ("scrape-interval", "scrape_interval"), ("ScrapeInterval", "scrape_interval"),
            ("srcape_interval", "scrape_interval"),
            ("jobname", "job_name"), ("url", nil), ("scrape_timeouts", "scrape_timeout"), ("", nil),
        ] as [(String, String?)])
    func nearestKey(key: String, expected: String?) {
        #expect(NearestKey.find(key, among: ["job_name", "scrape_interval", "scrape_timeout", "scheme"]) == expected)
    }

    private func failure(_ yaml: String) throws -> ConfigurationError {
        try #require(throws: ConfigurationError.self) { try PrometheusConfiguration.decode(yaml: yaml, file: "p.yml") }
    }
}
