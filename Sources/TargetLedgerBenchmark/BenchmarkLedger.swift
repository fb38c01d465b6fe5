//
// BenchmarkLedger.swift: a private PostgreSQL for a benchmark, and ledgers in it.
//

import AllocationCore
import AllocationLedger
import EmbeddedPostgres
import Foundation
import Glibc
import Logging
import PostgresDriver

/// A cluster in a temporary folder, set as the one that the allocator makes for itself.
struct BenchmarkCluster {
    let server: EmbeddedPostgres
    /// For files; whoever is on the machine may read there.
    let folder: URL
    let psql: Tool

    static let logger: Logger = {
        var logger = Logger(label: "benchmark")
        logger.logLevel = .error
        return logger
    }()

    static func with<T>(_ body: (BenchmarkCluster) async throws -> T) async throws -> T {
        let psql = try Tool("psql", package: "postgresql-client")
        let folder = FileManager.default.temporaryDirectory.appending(path: "benchmark-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        // The server's user has to come through.
        chmod(folder.path(), 0o755)
        let configuration = EmbeddedPostgresConfiguration(dataDirectory: folder.appending(path: "data").path())
        let server = try await EmbeddedPostgres.start(configuration, logger: logger)
        let outcome: Result<T, any Error>
        do { outcome = .success(try await body(BenchmarkCluster(server: server, folder: folder, psql: psql))) } catch {
            outcome = .failure(error)
        }
        await server.stop()
        return try outcome.get()
    }

    /// Runs `body` with a new, migrated ledger, which is dropped afterwards.
    func withLedger<T>(_ name: String, _ body: (BenchmarkLedger) async throws -> T) async throws -> T {
        try await withDatabase(name) { connectionString in
            let configuration = try PostgresConfiguration(connectionString: connectionString)
            _ = try await Migrator.migrate(configuration, logger: Self.logger)
            return try await body(
                BenchmarkLedger(
                    cluster: self, connectionString: connectionString, configuration: configuration,
                    token: try await BenchmarkLedger.takeLease(configuration)))
        }
    }

    /// Runs `body` with the connection string of a new database, which is dropped afterwards.
    func withDatabase<T>(_ name: String, _ body: (String) async throws -> T) async throws -> T {
        try await execute("CREATE DATABASE \(name)")
        let value = try await body(server.connectionString(database: name))
        try await execute("DROP DATABASE \(name) WITH (FORCE)")
        return value
    }

    private func execute(_ statement: String) async throws {
        let configuration = try PostgresConfiguration(
            connectionString: server.connectionString(database: "postgres"))
        let connection = try await PostgresConnection.connect(configuration, logger: Self.logger)
        try await connection.executeScript(unsafeSQL: statement)
        await connection.close()
    }
}

/// A ledger of which this process is the one writer.
struct BenchmarkLedger {
    let cluster: BenchmarkCluster
    let connectionString: String
    let configuration: PostgresConfiguration
    let token: FencingToken

    func writer(_ table: LabelTable) -> LedgerWriter {
        LedgerWriter(configuration: configuration, table: table, logger: BenchmarkCluster.logger)
    }

    /// Records collectors and then all of `targets`, each as a revision.
    ///
    /// - Returns: The allocation, and the seconds that the append of the targets took.
    func fill(targets: Int, collectors: Int) async throws -> (allocation: GeneratedAllocation, seconds: Double) {
        var allocation = try GeneratedAllocation(targets: targets)
        let writer = writer(allocation.generated.table)
        // As a process does: a writer that has read knows that there is nothing to look up.
        _ = try await writer.load(
            into: AllocationLoader(table: allocation.generated.table, strategy: GeneratedAllocation.strategy))
        _ = try await writer.append(
            RevisionDraft(change: allocation.join(collectors), cause: .membership, causeDetail: "generated"),
            fencedBy: token)
        let change = await allocation.discover(allocation.generated.pieces())
        precondition(change.targets.count == targets, "allocated \(change.targets.count) of \(targets)")
        try await script("CHECKPOINT")
        let start = ContinuousClock.now
        _ = try await writer.append(
            RevisionDraft(change: change, cause: .discovery, causeDetail: "generated"), fencedBy: token)
        let seconds = start.duration(to: .now).seconds
        await writer.close()
        return (allocation, seconds)
    }

    func script(_ text: String) async throws {
        let connection = try await PostgresConnection.connect(configuration, logger: BenchmarkCluster.logger)
        // Some fill tables with millions of rows.
        try await connection.executeScript(unsafeSQL: text, deadline: .now + .seconds(1800))
        await connection.close()
    }

    func number(_ query: SQL) async throws -> Int64 {
        let connection = try await PostgresConnection.connect(configuration, logger: BenchmarkCluster.logger)
        let value = try await connection.query(query).first?.decode(0, as: Int64.self) ?? 0
        await connection.close()
        return value
    }

    /// Runs psql on a script of `lines`.
    ///
    /// - Returns: The seconds from psql's start to its end.
    func psql(_ lines: [String]) async throws -> Double {
        let file = cluster.folder.appending(path: "script.sql")
        try lines.joined(separator: "\n").write(to: file, atomically: true, encoding: .utf8)
        return try await cluster.psql.run([
            "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", connectionString, "-f", file.path(),
        ]).seconds
    }

    /// Takes the lease for longer than any benchmark.
    static func takeLease(_ configuration: PostgresConfiguration) async throws -> FencingToken {
        let keeper = LeaseKeeper(
            configuration: configuration, timeToLive: .seconds(7200), renewInterval: .seconds(3600),
            holder: .random(), address: "benchmark", logger: BenchmarkCluster.logger)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await keeper.run() }
            defer { group.cancelAll() }
            for await transition in keeper.transitions {
                if case .leading(let token) = transition { return token }
            }
            throw LedgerError.corrupted("the lease of a new ledger could not be taken")
        }
    }
}
