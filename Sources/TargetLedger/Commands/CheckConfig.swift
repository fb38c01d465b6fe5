//
// CheckConfig.swift: `check-config`: says whether a configuration would be accepted, and what it comes to.
//

import AllocationCore
import AllocationLedger
import AllocatorAPI
import AllocatorRuntime
import ArgumentParser
import Discovery
import PrometheusConfig

struct CheckConfig: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check-config",
        abstract: "Check a configuration and show what it comes to.",
        discussion: """
            Takes every flag that `serve` takes. Each mistake is a line with its file, line and column; then the exit \
            status is 1.
            """)

    @OptionGroup var settings: SettingFlags

    @Option(help: "Form of the summary: \(OutputFormat.allCases.map(\.rawValue).joined(separator: ", ")).")
    var output: OutputFormat = .table

    func run() throws {
        let configuration = try AllocatorConfiguration.load(settings)
        for warning in configuration.warnings { Console.error.write("warning: \(warning)\n") }
        if output == .table { Console.output.write("\(configuration.file): OK\n\n") }
        Self.summary(of: configuration).write(as: output, to: .output)
    }

    /// One row a fact, nothing secret among them.
    static func summary(of configuration: AllocatorConfiguration) -> Report {
        let jobs = configuration.prometheus.scrapeConfigs.map(\.jobName)
        let facts: [(String, String)] = [
            ("listen_addr", "\(configuration.listenAddress)"),
            ("allocation_strategy", configuration.strategy.nameWithSettings),
            ("ring", configuration.strategy.ringVersion?.rawValue ?? "-"),
            ("filter_strategy", configuration.filterTargets ? "relabel-config" : "-"),
            ("jobs", "\(jobs.count): \(shortened(jobs))"),
            ("collectors", describe(configuration.collectors)),
            ("database", describe(configuration.database)),
            (
                "lease",
                "\(text(configuration.lease.timeToLive)), renewed every \(text(configuration.lease.renewInterval))"
            ),
            ("on_database_outage", configuration.outage.mode.rawValue),
            ("state_directory", configuration.outage.stateDirectory ?? "-"),
            ("retention", configuration.retention.duration.map(text) ?? "without limit"),
            ("retention_export_directory", configuration.retentionExportDirectory ?? "-"),
            ("history_api", describe(configuration.history)),
            ("checkpoint_key_file", describe(checkpointKeyFile: configuration.checkpointKeyFile)),
        ]
        return Report(
            columns: [Column(key: "setting", title: "SETTING"), Column(key: "value", title: "VALUE")],
            rows: facts.map { [.text($0.0), .text($0.1)] })
    }

    private static func describe(_ history: AllocatorConfiguration.HistoryListener) -> String {
        let tokens = history.tokenFiles.isEmpty ? "without a token" : "with a token"
        return switch history {
        case .none: "off"
        case .standard: "on listen_addr, \(tokens)"
        case .own(let address, _): "\(address), \(tokens)"
        }
    }

    /// The key's name and never the key.
    private static func describe(checkpointKeyFile path: String?) -> String {
        guard let path else { return "-" }
        do {
            return "\(path): readable, key \(try CheckpointKeyFile.read(path).name)"
        } catch {
            return "\(path): not usable: \(error.problem)"
        }
    }

    private static func describe(_ collectors: CollectorSource) -> String {
        if let file = collectors.file { return "from \(file)" }
        if let name = collectors.dns { return "from DNS, \(name)" }
        return "\(collectors.listed.count): \(shortened(collectors.listed.map(\.name)))"
    }

    private static func describe(_ database: DatabaseSource) -> String {
        switch database {
        case .embedded(let folder, _): "embedded in \(folder)"
        case .url: "as named"
        case .environment: "as libpq's environment names it"
        }
    }

    private static func shortened(_ names: [String]) -> String {
        names.prefix(5).joined(separator: ", ") + (names.count > 5 ? ", …" : "")
    }

    private static func text(_ duration: Duration) -> String {
        PrometheusDuration(
            milliseconds: duration.components.seconds * 1000 + duration.components.attoseconds / 1_000_000_000_000_000
        )
        .description
    }
}
