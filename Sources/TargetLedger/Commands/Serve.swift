//
// Serve.swift: `serve`: the allocator itself, from configuration to shutdown.
//

import AllocationCore
import AllocationLedger
import AllocatorAPI
import AllocatorRuntime
import ArgumentParser
import CoreMetrics
import Discovery
import EmbeddedPostgres
import Logging
import PostgresDriver
import PrometheusConfig
import ServiceLifecycle
import Telemetry
import UnixSignals

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Allocate, record and serve (the default).")

    @OptionGroup var settings: SettingFlags

    func run() async throws {
        let configuration = try AllocatorConfiguration.load(settings)
        let registry = MetricsRegistry()
        registry.add(ProcessMetrics())
        MetricsSystem.bootstrap(registry)
        let output = LogOutput()
        LoggingSystem.bootstrap { label in
            LineLogHandler(
                label: label, level: configuration.logging.level, format: configuration.logging.format, output: output)
        }
        let logger = Logger(label: "allocator")
        for warning in configuration.warnings { logger.warning("\(warning)") }

        let publisher = SnapshotPublisher()
        registry.add(AllocatorMetrics(publisher: publisher))
        let server = StandardAPIServer(
            configuration: .init(
                address: configuration.listenAddress, showsSecrets: configuration.allowInsecureAuthSecrets),
            context: StandardAPIContext(publisher: publisher, metrics: registry), logger: Logger(label: "http"),
            onBound: { port in logger.notice("listening", metadata: ["port": "\(port)"]) })
        let allocator = LedgerAndAllocator(configuration: configuration, publisher: publisher, logger: logger)
        // In order of dependence: the server ends first, so nobody is answered by an allocator that has stopped.
        let services = ServiceGroup(
            configuration: .init(
                services: [.init(service: allocator), .init(service: server)],
                gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
        do {
            try await services.run()
        } catch let failure as CommandFailure {
            throw failure
        } catch let error as LedgerError {
            throw CommandFailure(.unreachable, "\(error)")
        } catch let error as ListenError {
            throw CommandFailure(.unreachable, "\(error)")
        } catch {
            throw CommandFailure(.answerIsNo, "\(error)")
        }
    }
}

/// The database, if it is ours to run, and the allocator on it; one begins before and ends after the other.
struct LedgerAndAllocator: Service {
    let configuration: AllocatorConfiguration
    let publisher: SnapshotPublisher
    let logger: Logger

    func run() async throws {
        switch configuration.database {
        case .embedded(let folder, let binaries):
            publisher.update { $0.reasonsNotReady = ["the embedded PostgreSQL is starting"] }
            let postgres: EmbeddedPostgres
            do {
                postgres = try await EmbeddedPostgres.start(
                    EmbeddedPostgresConfiguration(dataDirectory: folder, binariesDirectory: binaries), logger: logger)
            } catch {
                throw CommandFailure(.unreachable, "\(error)")
            }
            do {
                try await serve(on: postgres.connectionString, ownsDatabase: true)
            } catch {
                await postgres.stop()
                throw error
            }
            await postgres.stop()
        case .url(let url): try await serve(on: url, ownsDatabase: false)
        case .environment: try await serve(on: "", ownsDatabase: false)
        }
    }

    private func serve(on database: String, ownsDatabase: Bool) async throws {
        let postgres: PostgresConfiguration
        do {
            postgres = try PostgresConfiguration(connectionString: database)
        } catch {
            throw CommandFailure(.wrongUse, "\(error)")
        }
        try await AllocatorService(
            settings: .init(
                strategy: configuration.strategy, scrapeConfigs: configuration.prometheus.scrapeConfigs,
                filterTargets: configuration.filterTargets, collectors: configuration.collectors,
                leaseTimeToLive: configuration.lease.timeToLive, leaseRenewInterval: configuration.lease.renewInterval,
                address: "\(hostName()):\(configuration.listenAddress.port)", ownsDatabase: ownsDatabase),
            postgres: postgres, publisher: publisher, table: LabelTable(), logger: logger
        ).run()
    }
}
