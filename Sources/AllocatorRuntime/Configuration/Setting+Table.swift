//
// Setting+Table.swift: the rows of the settings table.
//

extension Setting {
    /// This setting's row.
    package var row: Row {
        switch self {
        case .configFile:
            upstream(.path, flag: "config-file", "/conf/targetallocator.yaml", "the configuration file")
        case .listenAddress:
            upstream(.listenAddress, flag: "listen-addr", ":8080", "the standard API's plain HTTP listener")
        case .kubeConfigFile:
            upstream(
                .path, flag: "kubeconfig-path", "$HOME/.kube/config", "how to reach Kubernetes",
                .withoutEffect("Kubernetes is not asked for anything yet"))
        case .collectorSelector:
            upstream(
                .labelSelector, "", "which pods are collectors",
                .withoutEffect("collectors come from `ledger.collectors`"))
        case .collectorNamespace:
            upstream(
                .text, environment: ["OTELCOL_NAMESPACE"], "", "the namespace of the collectors' pods",
                .withoutEffect("collectors come from `ledger.collectors`"))
        case .prometheusConfig:
            upstream(
                .mapping, "", "a Prometheus configuration; `global` and `scrape_configs` matter")
        case .strategy:
            upstream(
                .choice(["consistent-hashing", "least-weighted", "sticky"], later: ["per-node", "per_node"]),
                "consistent-hashing",
                "who gets a target; `sticky` is our own: even to within one target, by the fewest moves; `per-node` is not "
                    + "supported yet")
        case .fallbackStrategy:
            upstream(
                .text, "", "for `per-node`: who gets a target that has no node",
                .withoutEffect("only `per-node` reads it"))
        case .strategySettings:
            upstream(
                .mapping, "", "settings of single strategies", .withoutEffect("only `per-node` reads it"))
        case .filterStrategy:
            upstream(
                .text, "relabel-config",
                "`relabel-config` leaves out what the job's relabelling drops; any other value keeps everything")
        case .notReadyGracePeriod:
            upstream(
                .goDuration, "30s", "how long a pod that is not ready stays a collector",
                .withoutEffect("collectors come from `ledger.collectors`"))
        case .allowInsecureAuthSecrets:
            upstream(
                .boolean, flag: "allow-insecure-auth-secrets", environment: ["ALLOW_INSECURE_AUTH_SECRETS"], "false",
                "show passwords and tokens in `/scrape_configs` over plain HTTP; the variable counts when it is exactly `true`"
            )
        case .httpsEnabled:
            upstream(
                .boolean, flag: "enable-https-server", "false", "a second listener with mutual TLS",
                .notYet("`false`; put a proxy that speaks TLS in front of the plain listener"))
        case .httpsListenAddress:
            upstream(.listenAddress, flag: "listen-addr-https", ":8443", "its address", Self.httpsOnly)
        case .httpsCAFile: upstream(.path, flag: "https-ca-file", "", "who signs clients, PEM", Self.httpsOnly)
        case .httpsCertificateFile:
            upstream(.path, flag: "https-tls-cert-file", "", "its certificate, PEM", Self.httpsOnly)
        case .httpsKeyFile: upstream(.path, flag: "https-tls-key-file", "", "its key, PEM", Self.httpsOnly)
        case .crEnabled:
            upstream(
                .boolean, flag: "enable-prometheus-cr-watcher", "false",
                "watch ServiceMonitor, PodMonitor, Probe and ScrapeConfig resources",
                .notYet("`false`; write the jobs into `config.scrape_configs`"))
        case .crAllowNamespaces: upstream(.texts, "", "only these namespaces", Self.crOnly)
        case .crDenyNamespaces: upstream(.texts, "", "all but these namespaces", Self.crOnly)
        case .crSecretNamespaces: upstream(.texts, "", "where Secrets are watched", Self.crOnly)
        case .crServiceMonitorSelector: upstream(.labelSelector, "", "which ServiceMonitors", Self.crOnly)
        case .crServiceMonitorNamespaceSelector: upstream(.labelSelector, "{}", "in which namespaces", Self.crOnly)
        case .crPodMonitorSelector: upstream(.labelSelector, "", "which PodMonitors", Self.crOnly)
        case .crPodMonitorNamespaceSelector: upstream(.labelSelector, "{}", "in which namespaces", Self.crOnly)
        case .crProbeSelector: upstream(.labelSelector, "", "which Probes", Self.crOnly)
        case .crProbeNamespaceSelector: upstream(.labelSelector, "{}", "in which namespaces", Self.crOnly)
        case .crScrapeConfigSelector: upstream(.labelSelector, "", "which ScrapeConfigs", Self.crOnly)
        case .crScrapeConfigNamespaceSelector: upstream(.labelSelector, "{}", "in which namespaces", Self.crOnly)
        case .crScrapeInterval: upstream(.goDuration, "30s", "default interval of their jobs", Self.crOnly)
        case .crEvaluationInterval: upstream(.goDuration, "0s", "read, as upstream does", Self.crOnly)
        case .crScrapeProtocols:
            upstream(
                .texts, "OpenMetricsText1.0.0,OpenMetricsText0.0.1,PrometheusText1.0.0,PrometheusText0.0.4",
                "default protocols of their jobs", Self.crOnly)
        case .crScrapeClasses: upstream(.list, "", "the Prometheus Operator's scrape classes", Self.crOnly)
        case .crDenyFileAccess:
            upstream(.boolean, "false", "refuse monitors that read files", Self.crOnly)
        case .telemetryReaders:
            upstream(
                .list, "", "where the allocator's own metrics are sent by OTLP",
                .notYet("an empty list; `/metrics` serves the same metrics"))
        case .zapDevelopment:
            upstream(.boolean, flag: "zap-devel", "false", "logs for people: `console` and `debug`")
        case .zapEncoder: upstream(.choice(["json", "console"]), flag: "zap-encoder", "json", "form of the log")
        case .zapLevel:
            upstream(
                .text, flag: "zap-log-level", "info",
                "`debug`, `info`, `warn`, `error`, `panic`, or a number above 0 for more")
        case .zapStacktraceLevel:
            upstream(
                .choice(["info", "error", "panic"]), flag: "zap-stacktrace-level", "error",
                "from which level a line carries its call stack",
                .withoutEffect("errors name their cause instead of a call stack"))
        case .zapTimeEncoding:
            upstream(
                .choice(["rfc3339", "rfc3339nano", "iso8601", "epoch", "millis", "nano"]), flag: "zap-time-encoding",
                "", "form of the time in the log; RFC 3339 with milliseconds when not given")
        case .databaseURL:
            ours(
                .text, environment: ["DATABASE_URL"], "",
                "the ledger's database: a URL or libpq's `key=value` text; several hosts are allowed")
        case .dataDirectory:
            ours(.path, "./data", "the folder of the private PostgreSQL, used when no database is named")
        case .binariesDirectory:
            ours(.path, "", "where `postgres` and `initdb` are; searched for when not given")
        case .ring:
            ours(
                .choice(["v1", "v0"]), "v1",
                "which ring `consistent-hashing` uses: `v1` is upstream after v0.158.0, `v0` up to it")
        case .stickyMovesPerRevisionMax:
            ours(
                .number(atLeast: 0), "0",
                "`sticky`: so many targets at most change between collectors that stay in one revision, and the rest in "
                    + "further ones, a second apart; `0` is all at once")
        case .stickyRebalanceAbove:
            ours(
                .number(atLeast: 1), "1",
                "`sticky`: the fullest collector may have so many targets more than the emptiest before targets move; "
                    + "then all is evened out, to within one")
        case .collectorsStatic: ours(.collectors, "", "the collectors, by name")
        case .collectorsFile:
            ours(.path, "", "a watched file: a name a line, or a YAML or JSON list of names or of `{name, node}`")
        case .collectorsDNS: ours(.text, "", "a DNS name that resolves to the collectors")
        case .leaseTimeToLive: ours(.duration, "10s", "after which silence another replica may lead")
        case .leaseRenewInterval: ours(.duration, "3s", "how often the leader renews; at most a third of the above")
        case .onDatabaseOutage:
            ours(
                .choice(["hold", "continue"]), "hold",
                "while PostgreSQL is away: `hold` serves the last committed revision; `continue` lets the last leader go on "
                    + "after twice `lease.ttl`, with a journal in `state_directory`")
        case .stateDirectory:
            ours(
                .path, "",
                "where the last state is kept for a start without PostgreSQL, and the journal of an outage; `state` in "
                    + "the data folder of the private PostgreSQL when not given, else nothing is kept")
        case .retention:
            ours(
                .duration, "90d",
                "how long history is kept: whole days that are older, sealed and under no legal hold are dropped; `0s` keeps "
                    + "everything")
        case .retentionExportDirectory:
            ours(
                .path, "",
                "a folder for a file of each day, written before retention drops it; a day that cannot be written stays"
            )
        case .standbyDiscovery:
            ours(
                .choice(["warm", "cold"]), "warm",
                "what a replica that follows discovers: `warm` is everything, and it leads within a moment; `cold` is "
                    + "nothing before it leads")
        case .historyListenAddress:
            ours(
                .listenAddress, "",
                "the history API's own listener; without it the history is on `listen_addr`, which then has to be a "
                    + "loopback address or needs tokens")
        case .historyBearerTokenFiles:
            ours(.texts, "", "files of a token each that opens the history API; read again when they change")
        case .checkpointKeyFile:
            ours(
                .path, "",
                "the key that signs checkpoints of the log, readable by its owner only; `target-ledger checkpoint "
                    + "--new-key` makes one")
        case .expandEnvironment:
            ours(
                .boolean, "false",
                "replace `${env:NAME}` in the values of `config`, relabel rules excepted")
        }
    }

    private static let httpsOnly = Support.withoutEffect("only the HTTPS listener reads it")
    private static let crOnly = Support.withoutEffect("only the watch of custom resources reads it")

    private func upstream(
        _ form: Form, flag: String? = nil, environment: [String] = [], _ initial: String, _ meaning: String,
        _ support: Support = .full
    ) -> Row {
        Row(
            form: form, flag: flag, environment: environment, initial: initial, meaning: meaning, support: support)
    }

    /// Flag and variable follow from the place: `ledger.lease.ttl` is `--lease-ttl` and `TARGET_LEDGER_LEASE_TTL`.
    private func ours(
        _ form: Form, environment: [String] = [], _ initial: String, _ meaning: String, _ support: Support = .full
    ) -> Row {
        let words = rawValue.dropFirst("ledger.".count).split { $0 == "." || $0 == "_" }
        return Row(
            form: form, flag: words.joined(separator: "-"),
            environment: ["TARGET_LEDGER_" + words.joined(separator: "_").uppercased()] + environment,
            initial: initial, meaning: meaning, support: support)
    }
}
