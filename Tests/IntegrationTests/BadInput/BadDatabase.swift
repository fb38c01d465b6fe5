//
// BadDatabase.swift: a PostgreSQL server that can be made to fail in each way in which one does.
//

import EmbeddedPostgres
import Foundation
import Glibc
import TestSupport

/// A cluster of the test's own with a database `ledger` that a role `ann` may write in, over TCP with a password.
///
/// Everything about it is done with psql, as the superuser, through its socket.
struct BadDatabase {
    let cluster: EmbeddedPostgres
    let port: UInt16
    static let password = "hunter2"

    /// Runs `body` with a server that is well.
    static func run(
        isolation: isolated (any Actor)? = #isolation, _ body: (BadDatabase) async throws -> Void
    ) async throws {
        let port = try PlainHTTP.freePort()
        try await TestPostgres.withOwnCluster(
            settings: [
                "listen_addresses": "127.0.0.1", "port": "\(port)", "password_encryption": "scram-sha-256",
                "autovacuum": "off",
            ]
        ) { cluster in
            let database = BadDatabase(cluster: cluster, port: port)
            try database.prepare()
            try await body(database)
        }
    }

    private func prepare() throws {
        try sql("CREATE ROLE ann LOGIN PASSWORD '\(Self.password)'")
        try sql("CREATE ROLE bob LOGIN PASSWORD '\(Self.password)'")
        // The host rules of a new cluster are trust; the file is read again on reload.
        try sql(
            """
            COPY (SELECT 'local all all trust' UNION ALL SELECT 'host all all 127.0.0.1/32 scram-sha-256')
            TO '\(cluster.folder)/data/pg_hba.conf'
            """)
        try reload()
        try wait("the password rules never came to be") {
            try AllocatorProcess.run(["moves", "--database-url", url("ann", password: "none")]).errors
                .contains("28P01")
        }
    }

    // MARK: Asking

    /// The connection string of a role; with its password, or another.
    func url(_ user: String, password: String = password, database: String = "ledger") -> String {
        "postgresql://\(user):\(password)@127.0.0.1:\(port)/\(database)"
    }

    /// How messages name that place.
    func place(_ user: String, database: String = "ledger") -> String {
        "host=127.0.0.1 port=\(port) dbname=\(database) user=\(user)"
    }

    @discardableResult
    func sql(_ text: String, in database: String = "postgres") throws -> [[String]] {
        try LedgerInspection.psql(
            host: cluster.folder + "/socket", port: "\(port)", database: database, text)
    }

    /// Waits until a condition holds that nothing announces.
    func wait(_ complaint: String, seconds: Double = 30, until condition: () throws -> Bool) throws {
        let deadline = Date.now.addingTimeInterval(seconds)
        while try !condition() {
            guard Date.now < deadline else { throw AllocatorProcess.Failure(description: complaint) }
            usleep(20_000)
        }
    }

    // MARK: Faults

    func makeLedgerDatabase(options: String = "") throws {
        try sql("CREATE DATABASE ledger \(options)")
        let made = try AllocatorProcess.run([
            "migrate", "--database-url", "host=\(cluster.folder)/socket port=\(port) user=target_ledger dbname=ledger",
        ])
        guard made.status == 0 else { throw AllocatorProcess.Failure(description: made.errors) }
        try sql("GRANT ledger_writer TO ann")
    }

    func setReadOnly(_ isReadOnly: Bool) throws {
        try sql("ALTER SYSTEM SET default_transaction_read_only = \(isReadOnly ? "on" : "off")")
        try reload()
        try wait("the server never took the setting") {
            try sql("SHOW default_transaction_read_only") == [[isReadOnly ? "on" : "off"]]
        }
    }

    /// Another password, and no session that was opened with the old one.
    func setPassword(_ password: String) throws {
        try sql("ALTER ROLE ann PASSWORD '\(password)'")
        try sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'ann'")
    }

    /// Where no small file system can be mounted: the server itself answers as a full one does.
    func pretendToBeFull(_ isFull: Bool) throws {
        try sql(
            """
            CREATE OR REPLACE FUNCTION public.refuse_as_full() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full';
            END $$
            """, in: "ledger")
        try sql(
            isFull
                ? "CREATE TRIGGER as_full BEFORE INSERT ON ledger.target EXECUTE FUNCTION public.refuse_as_full()"
                : "DROP TRIGGER as_full ON ledger.target", in: "ledger")
    }

    private func reload() throws { try sql("SELECT pg_reload_conf()") }
}

/// A file system for a database's tables, so that it can be full while the server's log is not.
final class SmallDisk {
    static let bytes = 96 << 20
    private let disk: TinyDisk

    /// Nil where this process may not mount one.
    ///
    /// - Parameter cluster: Whose user is to own it.
    init?(beside cluster: EmbeddedPostgres) {
        let attributes = try? FileManager.default.attributesOfItem(atPath: cluster.folder + "/data")
        guard let user = attributes?[.ownerAccountID] as? NSNumber,
            let group = attributes?[.groupOwnerAccountID] as? NSNumber,
            let disk = TinyDisk(bytes: Self.bytes)
        else { return nil }
        self.disk = disk
        mkdir(tables, 0o700)
        chown(tables, user.uint32Value, group.uint32Value)
    }

    var tables: String { disk.folder + "/tables" }

    func fill() { disk.fill() }

    func makeRoom() { disk.makeRoom() }
}
