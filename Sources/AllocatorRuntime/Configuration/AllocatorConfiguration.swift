//
// AllocatorConfiguration.swift: the whole configuration of a serving process, read, completed and checked.
//
// What is not done yet is refused by its name with what is allowed instead; nothing that was asked for is left out in
// silence. Order and wording of the first checks: upstream's validation.
//

import AllocationCore
import Discovery
import PrometheusConfig

/// What `serve` runs on.
package struct AllocatorConfiguration: Sendable {
    /// The lease by which one of several replicas leads.
    package struct Lease: Sendable, Equatable {
        package var timeToLive: Duration
        package var renewInterval: Duration

        package init(timeToLive: Duration, renewInterval: Duration) {
            self.timeToLive = timeToLive
            self.renewInterval = renewInterval
        }
    }

    /// Where the history API is.
    package enum HistoryListener: Sendable, Equatable {
        /// The standard listener can be reached from elsewhere, and there are no tokens.
        case none
        /// Beside the standard API; without tokens on a loopback address only.
        case standard(tokenFiles: [String])
        case own(ListenAddress, tokenFiles: [String])

        package var tokenFiles: [String] {
            switch self {
            case .none: []
            case .standard(let files), .own(_, let files): files
            }
        }
    }

    /// The standard API's plain listener.
    package var listenAddress: ListenAddress
    package var strategy: StrategyConfiguration
    /// Leave out targets that their job's relabelling drops.
    package var filterTargets: Bool
    /// Show secrets in `/scrape_configs` over plain HTTP.
    package var allowInsecureAuthSecrets: Bool
    package var prometheus: PrometheusConfiguration
    package var collectors: CollectorSource
    package var lease: Lease
    package var retention: RetentionPeriod
    package var standbyDiscovery: StandbyDiscovery
    /// Where days are exported to before they are dropped; nil: nowhere.
    package var retentionExportDirectory: String?
    package var database: DatabaseSource
    package var outage: OutageConfiguration
    package var logging: LoggingConfiguration
    package var history: HistoryListener
    /// The file of the key that signs checkpoints; nil: none are signed.
    package var checkpointKeyFile: String?
    /// The file that was read.
    package var file: String
    /// Accepted, and probably not meant.
    package var warnings: [ConfigurationWarning]

    /// Reads, completes and checks.
    ///
    /// - Throws: The first mistake, with its place, the key it was probably meant to be, and further mistakes in it.
    package init(_ sources: ConfigurationSources) throws(ConfigurationError) {
        let values = try SettingValues(sources)
        try values.checkForms()
        try values.refuseUnsupported()
        file = values.file ?? ""

        // Upstream's checks, in upstream's order; a namespace is needed only for collectors that are pods.
        prometheus = try Self.prometheus(values, environment: sources.environment)
        guard !prometheus.scrapeConfigs.isEmpty else {
            throw ConfigurationError(
                file: file, kind: .invalid,
                problem: "at least one scrape config must be defined, or Prometheus CR watching must be enabled")
        }
        try values.checkNamespaceLists()

        listenAddress = try values.required(.listenAddress, values.address(.listenAddress))
        strategy = try Self.strategy(values)
        filterTargets = try values.text(.filterStrategy) == "relabel-config"
        allowInsecureAuthSecrets = try values.boolean(.allowInsecureAuthSecrets)
        collectors = try Self.collectors(values)
        lease = try Self.lease(values)
        retention = try RetentionPeriod(values)
        standbyDiscovery = try values.text(.standbyDiscovery).flatMap(StandbyDiscovery.init) ?? .warm
        retentionExportDirectory = try values.text(.retentionExportDirectory)
        database = try DatabaseSource(values, environment: sources.environment)
        outage = try OutageConfiguration(values, database: database)
        logging = try LoggingConfiguration(values)
        history = try Self.history(values, standard: listenAddress)
        checkpointKeyFile = try values.text(.checkpointKeyFile)
        warnings = values.warnings + prometheus.warnings + values.warningsOfNoEffect()
        if allowInsecureAuthSecrets, let given = values[.allowInsecureAuthSecrets] {
            warnings.append(
                ConfigurationWarning(
                    location: given.location, problem: "passwords and tokens are shown to whoever asks over plain HTTP")
            )
        }
    }

    /// Names of settings that differ and are read at the start only.
    package func settingsThatNeedRestart(comparedWith other: AllocatorConfiguration) -> [String] {
        var names: [String] = []
        if listenAddress != other.listenAddress { names.append("listen_addr") }
        if allowInsecureAuthSecrets != other.allowInsecureAuthSecrets { names.append("allow_insecure_auth_secrets") }
        if database != other.database { names.append("ledger.database_url or ledger.embedded") }
        if lease != other.lease { names.append("ledger.lease") }
        if outage != other.outage { names.append("ledger.on_database_outage or ledger.state_directory") }
        if retention != other.retention { names.append("ledger.retention") }
        if standbyDiscovery != other.standbyDiscovery { names.append("ledger.standby_discovery") }
        if retentionExportDirectory != other.retentionExportDirectory {
            names.append("ledger.retention_export_directory")
        }
        if checkpointKeyFile != other.checkpointKeyFile { names.append("ledger.checkpoint_key_file") }
        if history != other.history { names.append("ledger.history_api") }
        return names
    }

    private static func prometheus(
        _ values: SettingValues, environment: [String: String]
    ) throws(ConfigurationError) -> PrometheusConfiguration {
        guard let given = values[.prometheusConfig], case .node(var node) = given.value else {
            return PrometheusConfiguration()
        }
        if try values.boolean(.expandEnvironment) {
            node = try EnvironmentExpansion(file: values.file ?? "", environment: environment).expand(node)
        }
        return try PrometheusConfiguration.decode(
            node, file: values.file ?? "", path: "config")
    }

    private static func strategy(_ values: SettingValues) throws(ConfigurationError) -> StrategyConfiguration {
        switch try values.text(.strategy) {
        case "least-weighted": .leastWeighted
        case "sticky": .sticky(try sticky(values))
        default: .consistentHashing(try values.text(.ring) == "v0" ? .v0 : .v1)
        }
    }

    private static func sticky(_ values: SettingValues) throws(ConfigurationError) -> StickySettings {
        let movesMax = try values.number(.stickyMovesPerRevisionMax)
        return StickySettings(
            movesPerRevisionMax: movesMax == 0 ? nil : movesMax,
            rebalanceAbove: try values.number(.stickyRebalanceAbove) ?? StickySettings().rebalanceAbove)
    }

    /// Of several kinds of source, the one named by flag, environment or file, in this order.
    private static func collectors(_ values: SettingValues) throws(ConfigurationError) -> CollectorSource {
        let kinds: [Setting] = [.collectorsStatic, .collectorsFile, .collectorsDNS]
        let strongest = kinds.map { values.origin(of: $0) }.max() ?? .initial
        let named = kinds.filter { values.origin(of: $0) == strongest }
        guard strongest != .initial, let kind = named.first, let given = values[kind] else {
            throw ConfigurationError(
                file: values.file ?? "", path: "ledger.collectors", kind: .unsupported("collectors"),
                problem: "collectors that are pods of Kubernetes are not supported yet; name the collectors by "
                    + "`static`, `file` or `dns`")
        }
        guard named.count == 1 else {
            throw ConfigurationError(
                location: given.location, kind: .invalid, problem: "only one of `static`, `file` and `dns` can be set")
        }
        switch kind {
        case .collectorsFile: return CollectorSource(file: try values.required(kind, values.text(kind)))
        case .collectorsDNS: return CollectorSource(dns: try values.required(kind, values.text(kind)))
        default: return CollectorSource(listed: try values.collectors(kind))
        }
    }

    private static func history(
        _ values: SettingValues, standard: ListenAddress
    ) throws(ConfigurationError) -> HistoryListener {
        let files = try values.texts(.historyBearerTokenFiles)
        guard let address = try values.address(.historyListenAddress) else {
            return standard.isLoopback || !files.isEmpty ? .standard(tokenFiles: files) : .none
        }
        guard address.isLoopback || !files.isEmpty else {
            throw values.refusal(
                .historyListenAddress,
                "others can reach \(address), so `bearer_token_files` has to name at least one file; or listen on "
                    + "\(ListenAddress(host: "127.0.0.1", port: address.port))")
        }
        return .own(address, tokenFiles: files)
    }

    private static func lease(_ values: SettingValues) throws(ConfigurationError) -> Lease {
        let timeToLive = try values.duration(.leaseTimeToLive) ?? .seconds(10)
        let renewInterval = try values.duration(.leaseRenewInterval) ?? timeToLive * 3 / 10
        // The holder stops trusting its lease a second before it ends, and one lost renewal must not end its term.
        guard timeToLive >= .seconds(2), timeToLive <= .seconds(3600) else {
            throw values.refusal(.leaseTimeToLive, "expected at least 2s and at most 1h")
        }
        guard renewInterval > .zero, renewInterval * 2 <= timeToLive - .seconds(1) else {
            throw values.refusal(
                .leaseRenewInterval, "expected at most half of what is left of `ttl` without its last second")
        }
        return Lease(timeToLive: timeToLive, renewInterval: renewInterval)
    }
}
