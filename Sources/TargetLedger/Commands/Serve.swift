//
// Serve.swift: `serve`: the allocator itself, until it is told to stop or cannot go on.
//

import AllocatorRuntime
import ArgumentParser
import Logging
import PrometheusConfig
import Telemetry

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Allocate targets to collectors, record every change, and serve the result.",
        discussion: """
            Also what `target-ledger` does when no command is named. SIGTERM and SIGINT stop it in order: requests \
            that are on their way are answered, the lease is given up, the private PostgreSQL is stopped.

            Every flag here has a line in the README's settings table. A flag wins over the environment, the \
            environment over the file.
            """)

    @OptionGroup var settings: SettingFlags

    func run() async throws {
        let configuration = try AllocatorConfiguration.load(settings)
        let logging = configuration.logging
        let output = LogOutput()
        LoggingSystem.bootstrap { label in
            LineLogHandler(label: label, level: logging.level, format: logging.format, output: output)
        }
        // Whatever ends the process, its last words are out.
        defer { output.flush() }
        let logger = Logger(label: "")
        configuration.logWarnings(logger)
        do {
            let sources = ConfigurationSources(process: settings.given)
            let reload: @Sendable () throws -> AllocatorConfiguration = {
                let next = try AllocatorConfiguration(sources)
                next.logWarnings(logger)
                return next
            }
            try await AllocatorProcess(configuration, reload: reload, logger: logger).run()
        } catch {
            logger.error("ended by a failure", metadata: ["error": "\(error)"])
            throw error
        }
    }
}

extension AllocatorConfiguration {
    /// What was accepted and is probably not meant.
    fileprivate func logWarnings(_ logger: Logger) {
        for warning in warnings {
            logger.warning(
                "configuration", metadata: ["place": "\(warning.location)", "problem": "\(warning.problem)"])
        }
    }
}
