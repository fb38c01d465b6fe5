import AllocationLedger
import Foundation
import Glibc
import PostgresDriver
import TestSupport
import Testing

/// Goal: behind a pooler that hands each transaction to another session everything works, only slower to hear; and the
/// program says so.
///
/// Method: Debian's PgBouncer in front of the tests' server, in transaction and in session mode, one session of the server
/// for each three clients.
@Suite struct PoolerTests {
    @Test("A direct session and one of a pooler in session mode last; in transaction mode they do not")
    func profile() async throws {
        try await TestPostgres.withDatabase { connectionString in
            let direct = try PostgresConfiguration(connectionString: connectionString)
            #expect(try await SessionProfile.find(direct, logger: TestPostgres.logger) == .lasting)
            for (mode, lasts) in [("session", true), ("transaction", false)] {
                let pooler = try Pooler(before: connectionString, mode: mode)
                let configuration = try PostgresConfiguration(connectionString: pooler.connectionString)
                let profile = try await pooler.answering {
                    try await SessionProfile.find(configuration, logger: TestPostgres.logger)
                }
                #expect((profile == .lasting) == lasts, "\(mode): \(profile)")
                pooler.stop()
            }
        }
    }

    @Test("Behind a pooler settings are made for a transaction and nothing is prepared under a name")
    func settings() async throws {
        try await TestPostgres.withDatabase { connectionString in
            let pooler = try Pooler(before: connectionString, mode: "transaction")
            var configuration = try PostgresConfiguration(connectionString: pooler.connectionString)
            configuration.statementTimeout = .seconds(7)
            let connection = try await pooler.answering { [configuration] in
                try await PostgresConnection.connect(configuration, logger: TestPostgres.logger)
            }
            #expect(await connection.isPooled)
            for _ in 0..<3 {
                let prepared = try await connection.query("SELECT count(*) FROM pg_prepared_statements WHERE \(1) = 1")
                #expect(try prepared.first?.decode(0, as: Int64.self) == 0)
            }
            let inside = try await connection.transaction { connection in
                try await connection.query("SELECT current_setting('statement_timeout'), current_setting('TimeZone')")
            }
            // Until the transaction's deadline, which is a second later than the configured one.
            let timeout = try inside.first?.decode(0, as: String.self) ?? ""
            #expect(timeout.hasPrefix("7") && timeout.hasSuffix("ms"), "\(timeout)")
            #expect(try inside.first?.decode(1, as: String.self) == "UTC")
            // The time zone is the pooler's own to keep, from session to session.
            let outside = try await connection.query("SELECT current_setting('statement_timeout')")
            #expect(try outside.first?.decode(0, as: String.self) == "0")
            await connection.close()
            pooler.stop()
        }
    }

    @Test("Two replicas behind a pooler in transaction mode record, follow by polling, hand over, and say what they do")
    @ProcessTests func replicas() async throws {
        try await TestPostgres.withDatabase { connectionString in
            let pooler = try Pooler(before: connectionString, mode: "transaction")
            defer { pooler.stop() }
            let jobs = "    - {job_name: shop, static_configs: [{targets: ['a:1', 'b:1', 'c:1', 'd:1']}]}"
            let ledger = "  collectors: {static: [one, two]}"
            let first = try AllocatorProcess(jobs: jobs, ledger: ledger, database: pooler.connectionString)
            let second = try AllocatorProcess(jobs: jobs, ledger: ledger, database: pooler.connectionString)
            try first.start()
            try first.wait { $0.text.contains("leading in epoch 1; polling: ") }
            try second.start()
            try second.wait { $0.status == 200 && $0.text.contains("following") && $0.text.contains("polling: ") }
            #expect(second.log.contains("revisions are polled for every second instead of listened for"))
            for collector in ["one", "two"] {
                #expect(
                    try second.targets(job: "shop", collector: collector).body
                        == first.targets(job: "shop", collector: collector).body)
            }
            #expect(first.stop() == 0)
            try second.wait { $0.text.contains("leading in epoch 2") }
            #expect(second.stop() == 0)
        }
    }
}

/// PgBouncer in front of the tests' server.
final class Pooler: Sendable {
    let connectionString: String
    private let folder: URL
    private let process: Process

    init(before server: String, mode: String) throws {
        let parts = Dictionary(
            server.split(separator: " ").compactMap { part -> (String, String)? in
                let words = part.split(separator: "=", maxSplits: 1)
                return words.count == 2 ? (String(words[0]), words[1].trimmingCharacters(in: ["'"])) : nil
            }, uniquingKeysWith: { first, _ in first })
        guard let host = parts["host"], let user = parts["user"], let database = parts["dbname"] else {
            throw AllocatorProcess.Failure(description: "not understood: \(parts.keys.sorted())")
        }
        folder = FileManager.default.temporaryDirectory.appending(path: "pooler-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        chmod(folder.path(), 0o777)
        let port = try PlainHTTP.freePort()
        let text = """
            [databases]
            \(database) = host=\(host) port=\(parts["port"] ?? "5432") user=\(user) dbname=\(database)
            [pgbouncer]
            listen_addr = 127.0.0.1
            listen_port = \(port)
            unix_socket_dir =
            auth_type = any
            pool_mode = \(mode)
            default_pool_size = \(mode == "session" ? 20 : 4)
            max_client_conn = 200
            logfile = \(folder.path())/log
            pidfile = \(folder.path())/pid
            """
        let file = folder.appending(path: "pgbouncer.ini")
        try text.write(to: file, atomically: true, encoding: .utf8)
        process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        // It refuses to run as root.
        process.arguments =
            (geteuid() == 0 ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"] : [])
            + ["/usr/sbin/pgbouncer", "-q", file.path()]
        try process.run()
        connectionString = "postgresql://\(user)@127.0.0.1:\(port)/\(database)"
    }

    /// Does it again until the pooler takes connections.
    func answering<T>(_ body: () async throws -> T) async throws -> T {
        let deadline = ContinuousClock.now + .seconds(20)
        while true {
            do {
                return try await body()
            } catch  where ContinuousClock.now < deadline && process.isRunning {
                // Nothing tells when it listens.
                usleep(20_000)
            }
        }
    }

    func stop() {
        guard process.isRunning else { return }
        // Started from a thread whose signals are blocked, it would never hear of another.
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        try? FileManager.default.removeItem(at: folder)
    }
}
