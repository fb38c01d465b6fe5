//
// TestPostgres.swift: PostgreSQL for tests: one private cluster for each test process, one database for each test.
//
// The cluster does not wait for the disk (fsync=off), lives in a folder of its own, and is removed when the process
// exits. A process that was killed leaves its folder behind; the next one to start removes it.
//

import CSys
import Dispatch
import EmbeddedPostgres
import Foundation
import Glibc
import Logging
import PostgresDriver
import Synchronization

package enum TestPostgres {
    /// Says nothing, unless something is wrong.
    package static let logger: Logger = {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return logger
    }()

    /// The process's cluster, started by the first test that asks.
    package static func cluster() async throws -> EmbeddedPostgres { try await SharedCluster.instance.get() }

    /// Runs `body` with the connection string of a new, empty database of the shared cluster. Tests that use this may
    /// run in parallel.
    @discardableResult
    package static func withDatabase<T>(
        isolation: isolated (any Actor)? = #isolation, _ body: (String) async throws -> T
    ) async throws -> T {
        let cluster = try await cluster()
        let name = "test_\(databaseCount.wrappingAdd(1, ordering: .relaxed).newValue)"
        let administration = try await connect(cluster.connectionString(database: "postgres"))
        try await administration.execute("CREATE DATABASE \(unsafeSQL: name)")
        let result: Result<T, any Error>
        do {
            result = .success(try await body(cluster.connectionString(database: name)))
        } catch {
            result = .failure(error)
        }
        // A test that has cancelled its own task must not leave its database to the next.
        _ = try? await administration.execute("DROP DATABASE \(unsafeSQL: name) WITH (FORCE)")
        await administration.close()
        return try result.get()
    }

    /// Runs `body` with a session of a new, empty database.
    @discardableResult
    package static func withConnection<T>(
        isolation: isolated (any Actor)? = #isolation, _ body: (PostgresConnection) async throws -> T
    ) async throws -> T {
        try await withDatabase { connectionString in
            let connection = try await connect(connectionString)
            do {
                let value = try await body(connection)
                await connection.close()
                return value
            } catch {
                await connection.close()
                throw error
            }
        }
    }

    package static func connect(_ connectionString: String) async throws -> PostgresConnection {
        let configuration = try PostgresConfiguration(connectionString: connectionString)
        return try await PostgresConnection.connect(configuration, logger: logger)
    }

    /// Runs `body` with a cluster of its own, for tests that kill it or need it set otherwise.
    ///
    /// - Parameter settings: Server settings beyond `fsync=off`.
    @discardableResult
    package static func withOwnCluster<T>(
        settings: [String: String] = [:], isolation: isolated (any Actor)? = #isolation,
        _ body: (EmbeddedPostgres) async throws -> T
    ) async throws -> T {
        let folder = TestFolder.new()
        defer { TestFolder.remove(folder) }
        let cluster = try await EmbeddedPostgres.start(configuration(folder: folder, settings), logger: logger)
        do {
            let value = try await body(cluster)
            await cluster.stop()
            return value
        } catch {
            await cluster.stop()
            throw error
        }
    }

    package static func configuration(
        folder: String, _ settings: [String: String] = [:]
    ) -> EmbeddedPostgresConfiguration {
        var configuration = EmbeddedPostgresConfiguration(dataDirectory: folder)
        configuration.sharedBuffers = "32MB"
        configuration.extraSettings = ["fsync": "off", "full_page_writes": "off", "max_connections": "200"]
            .merging(settings) { $1 }
        return configuration
    }

    private static let databaseCount = Atomic<Int>(0)
}

/// Folders for clusters: short, because a socket's path is, and passable for the server's user.
package enum TestFolder {
    private static let prefix = "tl-test."

    /// A path at which there is nothing yet.
    package static func new() -> String {
        "/tmp/\(prefix)\(getpid()).\(String(UInt32.random(in: 0...UInt32.max), radix: 36))"
    }

    package static func remove(_ path: String) { try? FileManager.default.removeItem(atPath: path) }

    /// Removes folders whose process is gone.
    static func sweep() {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: "/tmp")) ?? [] where name.hasPrefix(prefix) {
            guard let pid = name.dropFirst(prefix.count).split(separator: ".").first.flatMap({ pid_t($0) }),
                kill(pid, 0) != 0, errno == ESRCH
            else { continue }
            let lock = open("/tmp/\(name)/lock", O_RDWR | O_CLOEXEC | O_NOFOLLOW)
            defer { if lock >= 0 { close(lock) } }
            if lock < 0 || csys_lock_exclusively(lock) == 0 { remove("/tmp/\(name)") }
        }
    }
}

/// Starts the cluster once, and removes it when the process exits.
private actor SharedCluster {
    static let instance = SharedCluster()
    private static let running = Mutex<EmbeddedPostgres?>(nil)
    private var start: Task<EmbeddedPostgres, any Error>?

    func get() async throws -> EmbeddedPostgres {
        if let start { return try await start.value }
        // Unstructured: many tests wait for this start, and none may cancel it for the others.
        let start = Task {
            TestFolder.sweep()
            let configuration = TestPostgres.configuration(folder: TestFolder.new())
            let cluster = try await EmbeddedPostgres.start(configuration, logger: TestPostgres.logger)
            Self.running.withLock { $0 = cluster }
            atexit { SharedCluster.removeAtExit() }
            return cluster
        }
        self.start = start
        return try await start.value
    }

    private static func removeAtExit() {
        guard let cluster = running.withLock({ $0 }) else { return }
        let stopped = DispatchSemaphore(value: 0)
        // Unstructured: exit handlers are not asynchronous, and the concurrency threads still run.
        Task.detached {
            await cluster.stop()
            stopped.signal()
        }
        _ = stopped.wait(timeout: .now() + 20)
        TestFolder.remove(cluster.folder)
    }
}
