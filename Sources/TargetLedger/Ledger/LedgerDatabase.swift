//
// LedgerDatabase.swift: the ledger's database for the time of one command.
//
// A command reads the private cluster whether or not an allocator runs on it: through the running server's socket, or by
// starting the server and stopping it again. Reading never makes a cluster.
//

import AllocatorRuntime
import EmbeddedPostgres
import Foundation
import Logging
import PostgresDriver

enum LedgerDatabase {
    /// Whether a private cluster that is not there yet is made.
    enum Absence { case isAnError, makesOne }

    /// Runs `body` with the database at hand.
    ///
    /// - Parameter writing: Whether the server has to take writes although none makes a cluster.
    /// - Throws: ``CommandFailure`` of status ``ExitStatus/unreachable`` when the database cannot be had, and what
    ///   `body` throws.
    static func open<Value: Sendable>(
        _ source: DatabaseSource, absence: Absence = .isAnError, writing: Bool = false, logger: Logger,
        _ body: (PostgresConfiguration) async throws -> Value
    ) async throws -> Value {
        // What only reads may read a standby, too.
        let isReading = absence == .isAnError && !writing
        let target: PostgresConfiguration.SessionTarget = isReading ? .any : .readWrite
        switch source {
        case .url(let url): return try await CommandFailure.naming(try configuration(url, target), body)
        case .environment: return try await CommandFailure.naming(try configuration("", target), body)
        case .embedded(let folder, let binaries):
            if absence == .isAnError { try requireCluster(folder) }
            var settings = EmbeddedPostgresConfiguration(dataDirectory: folder, binariesDirectory: binaries)
            settings.startTimeout = .seconds(600)
            let server: EmbeddedPostgres
            do throws(EmbeddedPostgresError) {
                server = try await EmbeddedPostgres.start(settings, logger: logger)
            } catch .lockedByOther(let path, _) {
                return try await CommandFailure.naming(
                    try configuration(EmbeddedPostgres.connectionString(folder: path), target), body)
            } catch {
                throw CommandFailure(.unreachable, error.description)
            }
            let outcome: Result<Value, any Error>
            do {
                let configuration = try configuration(server.connectionString, target)
                outcome = .success(try await CommandFailure.naming(configuration, body))
            } catch { outcome = .failure(error) }
            await server.stop()
            return try outcome.get()
        }
    }

    static func configuration(
        _ connectionString: String, _ target: PostgresConfiguration.SessionTarget = .readWrite
    ) throws(CommandFailure) -> PostgresConfiguration {
        do {
            return try PostgresConfiguration(connectionString: connectionString, defaultTarget: target)
        } catch {
            throw CommandFailure(.unreachable, error.description)
        }
    }

    private static func requireCluster(_ folder: String) throws(CommandFailure) {
        // As root and as the server's user the file can be seen; anybody else may not even enter the folder.
        let file = URL(filePath: folder).appending(path: "data/PG_VERSION").path()
        guard access(file, F_OK) != 0 else { return }
        let reason = String(cString: strerror(errno))
        throw CommandFailure(
            .unreachable,
            "there is no ledger in \(folder) (\(reason)); name its folder with --embedded-data-directory, or its "
                + "database with --database-url")
    }
}
