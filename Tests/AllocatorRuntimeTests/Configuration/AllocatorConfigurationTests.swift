import AllocationCore
import AllocatorRuntime
import Discovery
import Logging
import PrometheusConfig
import Telemetry
import Testing

/// Goal: every setting is found where it is given, the strongest source counts, and nothing is left out in silence.
///
/// Method: whole files as text; flags and environment as the process would hand them over.
@Suite struct AllocatorConfigurationTests {
    private let complete = ConfigurationFixture.complete

    @Test("The shortest file has every default")
    func defaults() throws {
        let configuration = try ConfigurationFixture.load(complete)
        #expect(configuration.listenAddress.description == ":8080")
        #expect(configuration.strategy == .consistentHashing(.v1))
        #expect(configuration.filterTargets)
        #expect(!configuration.allowInsecureAuthSecrets)
        #expect(configuration.prometheus.scrapeConfigs.map(\.jobName) == ["shop"])
        #expect(
            configuration.collectors
                == CollectorSource(listed: [Collector(name: "otelcol-0"), Collector(name: "otelcol-1")]))
        #expect(configuration.lease == .init(timeToLive: .seconds(10), renewInterval: .seconds(3)))
        #expect(configuration.retention.duration == .seconds(90 * 86_400))
        #expect(configuration.database == .embedded(dataDirectory: "./data", binariesDirectory: nil))
        #expect(configuration.logging.level == .info)
        #expect(configuration.logging.format.encoder == .json)
        #expect(configuration.warnings.isEmpty)
    }

    @Test("A file as the operator writes it needs only collectors by flag")
    func operatorFile() throws {
        let configuration = try ConfigurationFixture.load(
            """
            allocation_strategy: least-weighted
            collector_selector:
              matchlabels:
                app.kubernetes.io/component: opentelemetry-collector
              matchexpressions: []
            collector_not_ready_grace_period: 30s
            config:
              scrape_configs:
              - job_name: otel-collector
                scrape_interval: 10s
                static_configs:
                - targets:
                  - 0.0.0.0:8888
            filter_strategy: ""
            prometheus_cr:
              enabled: false
              evaluation_interval: 30s
              pod_monitor_namespace_selector: {matchlabels: {}, matchexpressions: []}
              pod_monitor_selector: null
              scrape_interval: 30s
            """,
            flags: [.collectorsFile: "collectors.txt"], environment: ["OTELCOL_NAMESPACE": ""])
        #expect(configuration.strategy == .leastWeighted)
        #expect(!configuration.filterTargets)
        #expect(configuration.collectors == CollectorSource(file: "collectors.txt"))
        #expect(
            configuration.warnings.map(\.location.path)
                == ["collector_selector", "collector_not_ready_grace_period"])
    }

    @Test("Flag before environment before file before default")
    func precedence() throws {
        let text = complete + "  lease: {ttl: 20s}\n  ring: v0\nLISTEN_ADDR: ':1'\n"
        let variable = ["TARGET_LEDGER_LEASE_TTL": "30s"]
        #expect(
            try ConfigurationFixture.load(text).lease == .init(timeToLive: .seconds(20), renewInterval: .seconds(6)))
        #expect(try ConfigurationFixture.load(text, environment: variable).lease.timeToLive == .seconds(30))
        #expect(
            try ConfigurationFixture.load(text, flags: [.leaseTimeToLive: "40s"], environment: variable).lease
                .timeToLive
                == .seconds(40))
        #expect(try ConfigurationFixture.load(text).strategy == .consistentHashing(.v0))
        #expect(try ConfigurationFixture.load(text).listenAddress.port == 1)
        #expect(try ConfigurationFixture.load(text, flags: [.listenAddress: ":2"]).listenAddress.port == 2)
    }

    @Test("Sticky, as it is and with its settings from any source")
    func sticky() throws {
        let text = "allocation_strategy: sticky\n" + complete
        #expect(try ConfigurationFixture.load(text).strategy == .sticky())
        let bounded = StickySettings(movesPerRevisionMax: 100, rebalanceAbove: 20)
        let section = "  sticky: {max_moves_per_revision: 100, rebalance_above: 20}\n"
        #expect(try ConfigurationFixture.load(text + section).strategy == .sticky(bounded))
        #expect(
            try ConfigurationFixture.load(
                text, flags: [.stickyMovesPerRevisionMax: "100"],
                environment: ["TARGET_LEDGER_STICKY_REBALANCE_ABOVE": "20"]
            ).strategy == .sticky(bounded))
        #expect(
            try ConfigurationFixture.load(text + section, flags: [.stickyMovesPerRevisionMax: "0"]).strategy
                == .sticky(StickySettings(rebalanceAbove: 20)))
        // Another strategy does not read them.
        #expect(try ConfigurationFixture.load(complete + section).strategy == .consistentHashing(.v1))
    }

    @Test("The strongest kind of collectors counts, and two of equal strength contradict each other")
    func collectors() throws {
        #expect(
            try ConfigurationFixture.load(complete, environment: ["TARGET_LEDGER_COLLECTORS_DNS": "otelcol.svc"])
                .collectors == CollectorSource(dns: "otelcol.svc"))
        #expect(
            try ConfigurationFixture.load(complete, flags: [.collectorsStatic: "a, b"]).collectors
                == CollectorSource(listed: [Collector(name: "a"), Collector(name: "b")]))
        #expect(
            try ConfigurationFixture.load(
                complete.replacing("[otelcol-0, otelcol-1]", with: "[{name: a, node: n1}, b]")
            ).collectors
                == CollectorSource(listed: [Collector(name: "a", nodeName: "n1"), Collector(name: "b")]))
        #expect(
            try ConfigurationFixture.refusal(of: complete.replacing("]}\n", with: "], file: x}\n"))
                == "file:6:24: ledger.collectors.static: only one of `static`, `file` and `dns` can be set")
        #expect(
            try ConfigurationFixture.refusal(of: complete.replacing("otelcol-1", with: "otelcol-0"))
                == #"file:6:36: ledger.collectors.static[1]: the collector "otelcol-0" is named twice"#)
    }

    @Test("The log's flags are zap's")
    func logging() throws {
        let people = try ConfigurationFixture.load(complete, flags: [.zapDevelopment: "true"]).logging
        #expect(people.format.encoder == .console)
        #expect(people.level == .debug)
        let chosen = try ConfigurationFixture.load(
            complete,
            flags: [.zapDevelopment: "true", .zapEncoder: "json", .zapLevel: "error", .zapTimeEncoding: "epoch"]
        ).logging
        #expect(chosen.format.encoder == .json)
        #expect(chosen.format.timeEncoding == .epoch)
        #expect(chosen.level == .error)
        #expect(
            try ConfigurationFixture.refusal(of: complete, flags: [.zapLevel: "loud"])
                == "--zap-log-level: expected debug, info, warn, error, panic or a whole number above 0")
    }

    @Test("An environment's value replaces a reference, except in relabel rules")
    func expansion() throws {
        let text = """
            config:
              scrape_configs:
                - job_name: shop
                  basic_auth: {username: u, password: "p${env:PW}"}
                  sample_limit: ${env:LIMIT}
                  metrics_path: ${env:PATHNAME}
                  relabel_configs: [{source_labels: [a], target_label: b, replacement: "${env:PW}$1"}]
            ledger:
              expand_environment: true
              collectors: {static: [a]}
            """
        let environment = ["PW": "x: y", "LIMIT": "17", "PATHNAME": "010"]
        let job = try #require(
            ConfigurationFixture.load(text, environment: environment).prometheus.scrapeConfigs.first)
        #expect(job.limits.samples == 17)
        #expect(job.metricsPath == "010")
        #expect(job.relabelConfigs.first?.replacement == "${env:PW}$1")
        #expect(
            try ConfigurationFixture.refusal(of: text, environment: ["PW": "x", "PATHNAME": "/m"])
                == #"file:5:21: config: the environment variable "LIMIT" is not set"#)
    }
}
