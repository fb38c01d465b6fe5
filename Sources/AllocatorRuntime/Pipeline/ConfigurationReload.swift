//
// ConfigurationReload.swift: takes over a configuration file that has changed, or says why it does not.
//
// A file that is refused changes nothing: what was in force stays, the failure is logged, counted and recorded. A file
// whose bytes are those that were last looked at is not looked at again.
//

import AllocationLedger
import Discovery
import Logging
import PostgresDriver
import PrometheusConfig

/// Where a running process finds its configuration again.
package struct ConfigurationReload: Sendable {
    /// The file that is watched.
    package var file: String
    /// Reads and checks it.
    ///
    /// - Throws: An error whose description names the file, the line and what is wrong, without secrets.
    package var load: @Sendable () throws -> AllocatorService.Settings

    package init(file: String, load: @escaping @Sendable () throws -> AllocatorService.Settings) {
        self.file = file
        self.load = load
    }

    /// How often the file is read although nothing seems to have happened to it.
    private static let interval = Duration.seconds(60)

    /// Watches until the task is cancelled.
    ///
    /// - Parameter take: Called for each content that differs from the one before it, good or not.
    func watch(
        _ watcher: FileWatcher, logger: Logger,
        _ take: (Result<AllocatorService.Settings, any Error>, DiscoveryReportDraft) async -> Void
    ) async {
        var seen = contents
        await watcher.follow(file, interval: Self.interval) {
            let found = contents
            guard found != seen else { return }
            seen = found
            let started = ContinuousClock.now
            let loaded = Result { try load() }
            var report = DiscoveryReportDraft(
                job: "", provider: "configuration", source: file, succeeded: true, targets: 0,
                durationSeconds: started.duration(to: .now) / .seconds(1), at: .now())
            switch loaded {
            case .success(let settings):
                logger.notice(
                    "configuration reloaded",
                    metadata: ["config": "\(file)", "jobs": "\(settings.scrapeConfigs.count)"])
            case .failure(let error):
                report.succeeded = false
                report.error = "\(error)"
                logger.error(
                    "the changed configuration is refused; the last good one stays in force",
                    metadata: ["error": "\(error)"])
            }
            await take(loaded, report)
        }
    }

    /// What is read now: the text, or why there is none.
    private var contents: String {
        do throws(ConfigurationError) {
            return try ConfigurationFile.read(file, mayBeMissing: false) ?? ""
        } catch {
            return error.description
        }
    }
}
