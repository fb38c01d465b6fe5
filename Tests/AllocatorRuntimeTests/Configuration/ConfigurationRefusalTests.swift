import AllocatorRuntime
import Foundation
import PrometheusConfig
import Testing

/// Goal: whoever writes a wrong configuration reads what is wrong, where, and what was meant or is allowed.
///
/// Method: one mistake a file; the message is compared whole.
@Suite struct ConfigurationRefusalTests {
    private let complete = ConfigurationFixture.complete

    @Test(
        "A mistake in our section",
        arguments: [
            (
                "  rign: v1", #"file:7:3: ledger: unknown key "rign"; did you mean "ring"?"#
            ),
            (
                "  lease: {tll: 10s}", #"file:7:11: ledger.lease: unknown key "tll"; did you mean "ttl"?"#
            ),
            ("  ring: v2", #"file:7:9: ledger.ring: expected one of "v1", "v0""#),
            (
                "  lease: {ttl: 10x}",
                #"file:7:16: ledger.lease.ttl: expected a duration such as "10s", "1h30m" or "90d""#
            ),
            ("  lease: {ttl: 1s}", "file:7:16: ledger.lease.ttl: expected at least 2s and at most 1h"),
            (
                "  lease: {renew_interval: 5s}",
                "file:7:27: ledger.lease.renew_interval: expected at most half of what is left of `ttl` without its last second"
            ),
            ("  lease: 10s", "file:7:10: ledger.lease: expected a mapping of settings to values"),
            ("  ring: v1\n  ring: v0", "file:8:3: ledger.ring: set twice"),
            (
                "  database_url: postgresql://u:hunter2@h/d\n  embedded: {}",
                "file:7:17: ledger.database_url: a database and the embedded one are both named; keep one of them"
            ),
            (
                "  database_url: [postgresql://u:hunter2@h/d]",
                "file:7:17: ledger.database_url: expected a text, found a list"
            ),
        ])
    func ours(lines: String, expected: String) throws {
        #expect(try ConfigurationFixture.refusal(of: complete + lines + "\n") == expected)
    }

    @Test(
        "What is not done yet, by name, with what is allowed",
        arguments: [
            ("prometheus_cr: {enabled: true}", "file:7:26: prometheus_cr.enabled: not supported yet; allowed: `false`"),
            ("https: {enabled: true}", "file:7:18: https.enabled: not supported yet; allowed: `false`"),
            (
                "allocation_strategy: per-node",
                #"file:7:22: allocation_strategy: "per-node" is not supported yet; allowed: "consistent-hashing", "least-weighted", "sticky""#
            ),
            (
                "  retention: 2h",
                "file:7:14: ledger.retention: expected at least 1d, or 0s to keep everything"
            ),
            (
                "  database_url: postgresql://localhost/ledger\n  on_database_outage: continue",
                "file:8:23: ledger.on_database_outage: `continue` keeps a journal; name a folder for it by `state_directory`"
            ),
            (
                "  history_api: {listen_addr: ':8081'}",
                "file:7:30: ledger.history_api.listen_addr: others can reach :8081, so `bearer_token_files` has to name at "
                    + "least one file; or listen on 127.0.0.1:8081"
            ),
            (
                "  sticky: {max_moves_per_revision: -1}",
                "file:7:36: ledger.sticky.max_moves_per_revision: expected a whole number from 0 on"
            ),
            (
                "  sticky: {rebalance_above: half}",
                "file:7:29: ledger.sticky.rebalance_above: expected a whole number from 1 on"
            ),
            (
                "  sticky: {rebalance_above: []}",
                "file:7:29: ledger.sticky.rebalance_above: expected a whole number, found a list"
            ),
            (
                "telemetry: {metrics: {readers: [{}]}}",
                "file:7:32: telemetry.metrics.readers: not supported yet; allowed: an empty list"
            ),
        ])
    func notYet(lines: String, expected: String) throws {
        #expect(try ConfigurationFixture.refusal(of: complete + lines + "\n").hasPrefix(expected))
    }

    @Test("A flag and a variable are named as they were given")
    func otherSources() throws {
        #expect(
            try ConfigurationFixture.refusal(of: complete, flags: [.crEnabled: "true"])
                == "--enable-prometheus-cr-watcher: not supported yet; allowed: `false`; "
                + "write the jobs into `config.scrape_configs`")
        #expect(
            try ConfigurationFixture.refusal(of: complete, environment: ["TARGET_LEDGER_RING": "v9"])
                == #"TARGET_LEDGER_RING: expected one of "v1", "v0""#)
    }

    @Test("No collectors: what Kubernetes would tell is not supported, and the alternatives are named")
    func noCollectors() throws {
        let text = complete.replacing("  collectors: {static: [otelcol-0, otelcol-1]}", with: "  ring: v1")
        #expect(
            try ConfigurationFixture.refusal(of: text)
                == "file: ledger.collectors: collectors that are pods of Kubernetes are not supported yet; "
                + "name the collectors by `static`, `file` or `dns`")
    }

    @Test("Upstream's own validation keeps its words")
    func upstream() throws {
        #expect(
            try ConfigurationFixture.refusal(of: "ledger: {collectors: {static: [a]}}")
                == "file: at least one scrape config must be defined, or Prometheus CR watching must be enabled")
        #expect(
            try ConfigurationFixture.refusal(
                of: complete + "prometheus_cr: {allow_namespaces: [a], deny_namespaces: [b]}\n")
                == "file:7:57: prometheus_cr.deny_namespaces: only one of allowNamespaces or denyNamespaces can be set")
    }

    @Test("Upstream's part takes unknown keys, and says which known one is nearest")
    func upstreamUnknownKeys() throws {
        let warnings = try ConfigurationFixture.load(complete + "allocation_stratgy: x\nfrobnicate: 1\n").warnings
        #expect(
            warnings.map(\.problem) == [
                #"unknown key "allocation_stratgy" is ignored; did you mean "allocation_strategy"?"#,
                #"unknown key "frobnicate" is ignored"#,
            ])
        #expect(warnings.map(\.location.mark?.line) == [7, 8])
    }

    @Test(
        "Upstream's types are its own",
        arguments: [
            ("https: [1]", "file:7:8: https: expected a mapping of settings to values"),
            (
                "collector_not_ready_grace_period: 1d",
                #"file:7:35: collector_not_ready_grace_period: expected a duration such as "300ms", "30s" or "1h30m""#
            ),
            (
                "allow_insecure_auth_secrets: 'true'",
                "file:7:30: allow_insecure_auth_secrets: expected true or false, found a text"
            ),
            (
                "collector_selector: {matchexpressions: [{key: a, operator: Is}]}",
                "file:7:41: collector_selector.matchexpressions[0]: expected an operator: In, NotIn, Exists, DoesNotExist"
            ),
            (
                "prometheus_cr: {allow_namespaces: shop}",
                "file:7:35: prometheus_cr.allow_namespaces: expected a list of texts, found a text"
            ),
        ])
    func upstreamTypes(lines: String, expected: String) throws {
        #expect(try ConfigurationFixture.refusal(of: complete + lines + "\n") == expected)
    }

    @Test("Every mistake is told at once")
    func several() throws {
        let refusal = try ConfigurationFixture.refusal(of: complete + "  ring: v2\n  rnig: v1\n  lease: {ttl: x}\n")
        #expect(refusal.split(separator: "\n").count == 3)
    }

    @Test("A file that is not there, a folder, bytes that are no text")
    func unreadable() throws {
        for (path, why) in [("/nonexistent/x.yaml", "No such file or directory"), ("/tmp", "Is a directory")] {
            let error = #expect(throws: ConfigurationError.self) {
                try AllocatorConfiguration(ConfigurationSources(flags: [.configFile: path]))
            }
            #expect(error?.description.hasPrefix("\(path): cannot be") == true)
            #expect(error?.description.hasSuffix(why) == true)
        }
    }

    @Test("No password in any message", arguments: ["hunter2", "p%40ss"])
    func secrets(password: String) throws {
        let url = "postgresql://u:\(password)@h/d"
        for lines in [
            "  database_url: {url: \(url)}", "  ring: \(url)",
            "  database_url: \(url)\n  embedded: {data_directory: d}",
            "  lease: {ttl: \(url)}", "  collectors: {dns: \(url), file: x}",
        ] {
            let refusal = try ConfigurationFixture.refusal(of: complete + lines + "\n")
            #expect(!refusal.contains(password))
        }
    }
}
