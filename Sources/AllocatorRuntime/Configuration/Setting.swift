//
// Setting.swift: every setting of the program by its place in the file.
//
// The one table from which flags, environment names, defaults, the keys that a file may hold and the README's
// configuration table derive. What upstream's settings mean: the allocator of opentelemetry-operator v0.158.0.
//

/// One setting. The raw value is its place in the configuration file, dots between levels; a setting whose place starts
/// with `--` exists on the command line only.
package enum Setting: String, CaseIterable, Sendable {
    // Upstream's.
    case configFile = "--config-file"
    case listenAddress = "listen_addr"
    case kubeConfigFile = "kube_config_file_path"
    case collectorSelector = "collector_selector"
    case collectorNamespace = "collector_namespace"
    case prometheusConfig = "config"
    case strategy = "allocation_strategy"
    case fallbackStrategy = "allocation_fallback_strategy"
    case strategySettings = "allocation_strategy_config"
    case filterStrategy = "filter_strategy"
    case notReadyGracePeriod = "collector_not_ready_grace_period"
    case allowInsecureAuthSecrets = "allow_insecure_auth_secrets"
    case httpsEnabled = "https.enabled"
    case httpsListenAddress = "https.listen_addr"
    case httpsCAFile = "https.ca_file_path"
    case httpsCertificateFile = "https.tls_cert_file_path"
    case httpsKeyFile = "https.tls_key_file_path"
    case crEnabled = "prometheus_cr.enabled"
    case crAllowNamespaces = "prometheus_cr.allow_namespaces"
    case crDenyNamespaces = "prometheus_cr.deny_namespaces"
    case crSecretNamespaces = "prometheus_cr.secret_namespaces"
    case crServiceMonitorSelector = "prometheus_cr.service_monitor_selector"
    case crServiceMonitorNamespaceSelector = "prometheus_cr.service_monitor_namespace_selector"
    case crPodMonitorSelector = "prometheus_cr.pod_monitor_selector"
    case crPodMonitorNamespaceSelector = "prometheus_cr.pod_monitor_namespace_selector"
    case crProbeSelector = "prometheus_cr.probe_selector"
    case crProbeNamespaceSelector = "prometheus_cr.probe_namespace_selector"
    case crScrapeConfigSelector = "prometheus_cr.scrape_config_selector"
    case crScrapeConfigNamespaceSelector = "prometheus_cr.scrape_config_namespace_selector"
    case crScrapeInterval = "prometheus_cr.scrape_interval"
    case crEvaluationInterval = "prometheus_cr.evaluation_interval"
    case crScrapeProtocols = "prometheus_cr.scrape_protocols"
    case crScrapeClasses = "prometheus_cr.scrape_classes"
    case crDenyFileAccess = "prometheus_cr.deny_fs_access_through_sms"
    case telemetryReaders = "telemetry.metrics.readers"
    case zapDevelopment = "--zap-devel"
    case zapEncoder = "--zap-encoder"
    case zapLevel = "--zap-log-level"
    case zapStacktraceLevel = "--zap-stacktrace-level"
    case zapTimeEncoding = "--zap-time-encoding"
    // Ours.
    case databaseURL = "ledger.database_url"
    case dataDirectory = "ledger.embedded.data_directory"
    case binariesDirectory = "ledger.embedded.binaries_directory"
    case ring = "ledger.ring"
    case stickyMovesPerRevisionMax = "ledger.sticky.max_moves_per_revision"
    case stickyRebalanceAbove = "ledger.sticky.rebalance_above"
    case collectorsStatic = "ledger.collectors.static"
    case collectorsFile = "ledger.collectors.file"
    case collectorsDNS = "ledger.collectors.dns"
    case leaseTimeToLive = "ledger.lease.ttl"
    case leaseRenewInterval = "ledger.lease.renew_interval"
    case onDatabaseOutage = "ledger.on_database_outage"
    case stateDirectory = "ledger.state_directory"
    case retention = "ledger.retention"
    case retentionExportDirectory = "ledger.retention_export_directory"
    case standbyDiscovery = "ledger.standby_discovery"
    case historyListenAddress = "ledger.history_api.listen_addr"
    case historyBearerTokenFiles = "ledger.history_api.bearer_token_files"
    case checkpointKeyFile = "ledger.checkpoint_key_file"
    case expandEnvironment = "ledger.expand_environment"

    /// The value that a setting takes, as flags, environment and the file spell it.
    package enum Form: Sendable, Equatable {
        case text
        /// A file or folder; a relative one counts from the working directory, as upstream's do.
        case path
        /// `host:port`, `:port` for every interface, `[address]:port` for IPv6.
        case listenAddress
        case boolean
        /// Go's spelling, `300ms` to `1h`; a bare number in the file is nanoseconds.
        case goDuration
        /// Prometheus' spelling, `300ms` to `90d`.
        case duration
        /// A whole number that is at least this.
        case number(atLeast: Int)
        /// One of these words; those that a later version will take are named, so that they are refused by name.
        case choice([String], later: [String] = [])
        /// A list in the file; separated by commas in a flag or a variable.
        case texts
        /// Names of collectors; in the file also `{name, node}`.
        case collectors
        /// `matchLabels` and `matchExpressions`, in either spelling.
        case labelSelector
        case mapping
        case list

        /// As the README's table names it.
        package var name: String {
            switch self {
            case .text: "text"
            case .path: "path"
            case .listenAddress: "address"
            case .boolean: "true or false"
            case .goDuration: "Go duration"
            case .duration: "duration"
            case .number: "number"
            case .choice(let choices, _): choices.map { "`\($0)`" }.joined(separator: ", ")
            case .texts: "list of texts"
            case .collectors: "list of names"
            case .labelSelector: "label selector"
            case .mapping: "mapping"
            case .list: "list"
            }
        }
    }

    /// Whether the setting does what it says.
    package enum Support: Sendable, Equatable {
        case full
        /// Read and checked, but nothing depends on it while collectors come from `ledger.collectors`.
        case withoutEffect(String)
        /// Setting it is refused; the text says what is allowed instead.
        case notYet(String)
    }

    /// What the table says of one setting.
    package struct Row: Sendable {
        package var form: Form
        /// Without the dashes; nil where there is no flag.
        package var flag: String?
        /// The first that is set counts.
        package var environment: [String] = []
        /// As it would be written; empty when there is none.
        package var initial: String
        package var meaning: String
        package var support: Support = .full
    }
}

extension Setting {
    /// The setting at a place of the file.
    package init?(place: [String]) {
        self.init(rawValue: place.joined(separator: "."))
    }

    /// Where the setting stands in the file, level by level; nil when it has no place there.
    package var place: [String]? {
        rawValue.hasPrefix("--") ? nil : rawValue.split(separator: ".").map(String.init)
    }

    /// Ours, and so checked strictly and given a flag and a variable without exception.
    package var isOurs: Bool { rawValue.hasPrefix("ledger.") }
}
