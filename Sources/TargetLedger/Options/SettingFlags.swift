//
// SettingFlags.swift: the flags of the settings, named and explained by the settings table.
//
// Every flag takes text and leaves its meaning to the configuration, so that a flag, a variable and the file share one
// set of rules and messages. A truth value may stand alone, as Go's flags have it.
//

import AllocatorRuntime
import ArgumentParser

/// The flags for which database holds the ledger.
struct DatabaseFlags: ParsableArguments {
    @Option(name: .setting(.configFile), help: .setting(.configFile)) var configFile: String?
    @Option(name: .setting(.databaseURL), help: .setting(.databaseURL)) var databaseURL: String?
    @Option(name: .setting(.dataDirectory), help: .setting(.dataDirectory)) var dataDirectory: String?
    @Option(name: .setting(.binariesDirectory), help: .setting(.binariesDirectory)) var binariesDirectory: String?

    /// The flags that were given.
    var given: [Setting: String] {
        [
            .configFile: configFile,
            .databaseURL: databaseURL,
            .dataDirectory: dataDirectory,
            .binariesDirectory: binariesDirectory,
        ].compactMapValues { $0 }
    }
}

/// Upstream's flags.
struct AllocatorFlags: ParsableArguments {
    @Option(name: .setting(.listenAddress), help: .setting(.listenAddress)) var listenAddress: String?
    @Option(name: .setting(.kubeConfigFile), help: .setting(.kubeConfigFile)) var kubeConfigFile: String?
    @Option(
        name: .setting(.allowInsecureAuthSecrets), defaultAsFlag: "true", parsing: .next,
        help: .setting(.allowInsecureAuthSecrets))
    var allowInsecureAuthSecrets: String?
    @Option(name: .setting(.crEnabled), defaultAsFlag: "true", parsing: .next, help: .setting(.crEnabled))
    var crEnabled: String?
    @Option(name: .setting(.httpsEnabled), defaultAsFlag: "true", parsing: .next, help: .setting(.httpsEnabled))
    var httpsEnabled: String?
    @Option(name: .setting(.httpsListenAddress), help: .setting(.httpsListenAddress)) var httpsListenAddress: String?
    @Option(name: .setting(.httpsCAFile), help: .setting(.httpsCAFile)) var httpsCAFile: String?
    @Option(name: .setting(.httpsCertificateFile), help: .setting(.httpsCertificateFile)) var httpsCertificateFile:
        String?
    @Option(name: .setting(.httpsKeyFile), help: .setting(.httpsKeyFile)) var httpsKeyFile: String?

    /// The flags that were given.
    var given: [Setting: String] {
        [
            .listenAddress: listenAddress,
            .kubeConfigFile: kubeConfigFile,
            .allowInsecureAuthSecrets: allowInsecureAuthSecrets,
            .crEnabled: crEnabled,
            .httpsEnabled: httpsEnabled,
            .httpsListenAddress: httpsListenAddress,
            .httpsCAFile: httpsCAFile,
            .httpsCertificateFile: httpsCertificateFile,
            .httpsKeyFile: httpsKeyFile,
        ].compactMapValues { $0 }
    }
}

/// Upstream's flags for the log.
struct LogFlags: ParsableArguments {
    @Option(name: .setting(.zapDevelopment), defaultAsFlag: "true", parsing: .next, help: .setting(.zapDevelopment))
    var zapDevelopment: String?
    @Option(name: .setting(.zapEncoder), help: .setting(.zapEncoder)) var zapEncoder: String?
    @Option(name: .setting(.zapLevel), help: .setting(.zapLevel)) var zapLevel: String?
    @Option(name: .setting(.zapStacktraceLevel), help: .setting(.zapStacktraceLevel)) var zapStacktraceLevel: String?
    @Option(name: .setting(.zapTimeEncoding), help: .setting(.zapTimeEncoding)) var zapTimeEncoding: String?

    /// The flags that were given.
    var given: [Setting: String] {
        [
            .zapDevelopment: zapDevelopment,
            .zapEncoder: zapEncoder,
            .zapLevel: zapLevel,
            .zapStacktraceLevel: zapStacktraceLevel,
            .zapTimeEncoding: zapTimeEncoding,
        ].compactMapValues { $0 }
    }
}

/// Our own, the database's excepted.
struct LedgerFlags: ParsableArguments {
    @Option(name: .setting(.ring), help: .setting(.ring)) var ring: String?
    @Option(name: .setting(.stickyMovesPerRevisionMax), help: .setting(.stickyMovesPerRevisionMax))
    var stickyMovesPerRevisionMax: String?
    @Option(name: .setting(.stickyRebalanceAbove), help: .setting(.stickyRebalanceAbove))
    var stickyRebalanceAbove: String?
    @Option(name: .setting(.collectorsStatic), help: .setting(.collectorsStatic)) var collectorsStatic: String?
    @Option(name: .setting(.collectorsFile), help: .setting(.collectorsFile)) var collectorsFile: String?
    @Option(name: .setting(.collectorsDNS), help: .setting(.collectorsDNS)) var collectorsDNS: String?
    @Option(name: .setting(.leaseTimeToLive), help: .setting(.leaseTimeToLive)) var leaseTimeToLive: String?
    @Option(name: .setting(.leaseRenewInterval), help: .setting(.leaseRenewInterval)) var leaseRenewInterval: String?
    @Option(name: .setting(.onDatabaseOutage), help: .setting(.onDatabaseOutage)) var onDatabaseOutage: String?
    @Option(name: .setting(.stateDirectory), help: .setting(.stateDirectory)) var stateDirectory: String?
    @Option(name: .setting(.retention), help: .setting(.retention)) var retention: String?
    @Option(name: .setting(.retentionExportDirectory), help: .setting(.retentionExportDirectory))
    var retentionExportDirectory: String?
    @Option(name: .setting(.standbyDiscovery), help: .setting(.standbyDiscovery)) var standbyDiscovery: String?
    @Option(name: .setting(.historyListenAddress), help: .setting(.historyListenAddress)) var historyListenAddress:
        String?
    @Option(name: .setting(.historyBearerTokenFiles), help: .setting(.historyBearerTokenFiles))
    var historyBearerTokenFiles: String?
    @Option(name: .setting(.checkpointKeyFile), help: .setting(.checkpointKeyFile)) var checkpointKeyFile: String?
    @Option(
        name: .setting(.expandEnvironment), defaultAsFlag: "true", parsing: .next, help: .setting(.expandEnvironment))
    var expandEnvironment: String?

    /// The flags that were given.
    var given: [Setting: String] {
        [
            .ring: ring,
            .stickyMovesPerRevisionMax: stickyMovesPerRevisionMax,
            .stickyRebalanceAbove: stickyRebalanceAbove,
            .collectorsStatic: collectorsStatic,
            .collectorsFile: collectorsFile,
            .collectorsDNS: collectorsDNS,
            .leaseTimeToLive: leaseTimeToLive,
            .leaseRenewInterval: leaseRenewInterval,
            .onDatabaseOutage: onDatabaseOutage,
            .stateDirectory: stateDirectory,
            .retention: retention,
            .retentionExportDirectory: retentionExportDirectory,
            .standbyDiscovery: standbyDiscovery,
            .historyListenAddress: historyListenAddress,
            .historyBearerTokenFiles: historyBearerTokenFiles,
            .checkpointKeyFile: checkpointKeyFile,
            .expandEnvironment: expandEnvironment,
        ].compactMapValues { $0 }
    }
}

/// Every setting that has a flag.
struct SettingFlags: ParsableArguments {
    @OptionGroup(title: "Allocator options") var allocator: AllocatorFlags
    @OptionGroup(title: "Database options") var database: DatabaseFlags
    @OptionGroup(title: "Ledger options") var ledger: LedgerFlags
    @OptionGroup(title: "Log options") var log: LogFlags

    var given: [Setting: String] {
        [allocator.given, database.given, ledger.given, log.given].reduce(into: [:]) { all, some in
            all.merge(some) { first, _ in first }
        }
    }
}
