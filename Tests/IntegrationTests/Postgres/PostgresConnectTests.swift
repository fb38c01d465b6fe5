//
// PostgresConnectTests.swift
//

import EmbeddedPostgres
import Glibc
import PostgresDriver
import TestSupport
import Testing

/// Goal: each way in which no session comes to be is told apart by its code, within its time, without a secret; and of
/// several hosts the right one is taken.
@Suite struct PostgresConnectTests {
    private func connect(
        _ connectionString: String, deadline: ContinuousClock.Instant = .now + .seconds(30),
        _ change: (inout PostgresConfiguration) -> Void = { _ in }
    ) async throws -> PostgresConnection {
        var configuration = try PostgresConfiguration(connectionString: connectionString)
        change(&configuration)
        return try await PostgresConnection.connect(configuration, deadline: deadline, logger: TestPostgres.logger)
    }

    /// A TCP port on loopback that nothing listens on: bound, and closed again.
    private func freePort() throws -> UInt16 {
        let (descriptor, port) = try boundSocket()
        close(descriptor)
        return port
    }

    private func boundSocket() throws -> (descriptor: Int32, port: UInt16) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        try #require(descriptor >= 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(descriptor, address, length) == 0 && getsockname(descriptor, address, &length) == 0
            }
        }
        try #require(isBound)
        return (descriptor, UInt16(bigEndian: address.sin_port))
    }

    @Test("Nothing listens: the connection failed, without a code")
    func refused() async throws {
        let port = try freePort()
        let error = await expect(.connectionFailed) {
            _ = try await connect("host=127.0.0.1 port=\(port) user=ann password=hunter2 dbname=x")
        }
        #expect(error?.sqlState == nil && error?.isTransient == true)
        #expect(error.map { !"\($0)".contains("hunter2") } ?? false)
        await expect(.connectionFailed) { _ = try await connect("host=/nonexistent user=ann") }
        await expect(.connectionFailed) { _ = try await connect("host=no-such-host.invalid user=ann") }
    }

    @Test("A server that accepts and never answers ends by the connect timeout, or by the deadline if that is sooner")
    func silent() async throws {
        let (descriptor, port) = try boundSocket()
        defer { close(descriptor) }
        try #require(listen(descriptor, 8) == 0)
        let text = "host=127.0.0.1 port=\(port) user=ann"
        await expect(.connectionFailed) {
            _ = try await connect(text) { $0.connectTimeout = .milliseconds(100) }
        }
        await expect(.deadlineExceeded) { _ = try await connect(text, deadline: .now + .milliseconds(100)) }
        let task = Task { try await connect(text) }
        task.cancel()
        await expect(.cancelled) { _ = try await task.value }
    }

    @Test("A database or user that is not there is told by its code")
    func unknown() async throws {
        let cluster = try await TestPostgres.cluster()
        await expect(.server(.invalidCatalogName)) {
            _ = try await connect(cluster.connectionString(database: "nowhere"))
        }
        await expect(.server(.invalidAuthorization)) {
            _ = try await connect("host=\(cluster.folder)/socket user=nobody_here dbname=postgres")
        }
    }

    @Test("Over TCP with SCRAM: the right password connects, a wrong one and none are told by their code")
    func passwords() async throws {
        let port = try freePort()
        try await TestPostgres.withOwnCluster(
            settings: ["listen_addresses": "127.0.0.1", "port": "\(port)", "password_encryption": "scram-sha-256"]
        ) { cluster in
            let local = cluster.connectionString(database: "postgres").replacing("port=5432", with: "port=\(port)")
            let administration = try await connect(local)
            try await administration.execute("CREATE ROLE ann LOGIN PASSWORD 'hunter2'")
            // The host rules of a new cluster are trust; the file is read again on reload.
            try await administration.executeScript(
                unsafeSQL: """
                    COPY (SELECT 'local all all trust' UNION ALL SELECT 'host all all 127.0.0.1/32 scram-sha-256')
                        TO '\(cluster.folder)/data/pg_hba.conf';
                    SELECT pg_reload_conf();
                    """)
            try await administration.waitUntil(
                "SELECT bool_or(auth_method = 'scram-sha-256') FROM pg_hba_file_rules", "the rules were never written")
            let base = "host=127.0.0.1 port=\(port) user=ann dbname=postgres"
            // The reload reaches the postmaster by a signal: until then it still trusts.
            await expect(.server(.invalidPassword)) {
                let end = ContinuousClock.now + .seconds(30)
                while ContinuousClock.now < end { await (try connect(base + " password=wrong-hunter3")).close() }
            }
            let wrong = await expect(.server(.invalidPassword)) {
                _ = try await connect(base + " password=wrong-hunter3")
            }
            #expect(wrong.map { !"\($0)".contains("hunter") } ?? false)
            #expect(wrong?.isTransient == false)
            await expect(.server(.invalidPassword)) { _ = try await connect(base) }
            let right = try await connect("postgresql://ann:hunter2@127.0.0.1:\(port)/postgres")
            #expect(try await right.query("SELECT current_user")[0].decode(0, as: String.self) == "ann")
        }
    }

    @Test("A read-only server is refused by the code of a read-only transaction, unless any will do")
    func readOnly() async throws {
        try await TestPostgres.withOwnCluster(settings: ["default_transaction_read_only": "on"]) { cluster in
            let text = cluster.connectionString(database: "postgres")
            let error = await expect(.server(.readOnlySQLTransaction)) { _ = try await connect(text) }
            #expect(error?.message.contains("default_transaction_read_only") == true)
            for target in ["any", "read-only", "primary", "prefer-standby"] {
                _ = try await connect(text + " target_session_attrs=\(target)")
            }
            await expect(.connectionFailed) { _ = try await connect(text + " target_session_attrs=standby") }

            // Of several hosts the read-write one is taken.
            let writable = try await TestPostgres.cluster()
            let both =
                "host=/nonexistent,\(cluster.folder)/socket,\(writable.folder)/socket user=target_ledger dbname=postgres"
            let connection = try await connect(both)
            try await connection.execute("CREATE TEMP TABLE t ()")
        }
    }

    @Test("Of several hosts that all fail, the code and every reason are told")
    func allFail() async throws {
        let cluster = try await TestPostgres.cluster()
        let error = await expect(.server(.invalidCatalogName)) {
            _ = try await connect("host=/nonexistent,\(cluster.folder)/socket user=target_ledger dbname=nowhere")
        }
        #expect(error?.message.contains("/nonexistent") == true && error?.message.contains("nowhere") == true)
    }
}
