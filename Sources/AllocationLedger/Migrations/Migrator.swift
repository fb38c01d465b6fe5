//
// Migrator.swift: brings a database to this program's version of the ledger.
//
// Forward only. All that is missing is applied in one transaction under an advisory lock that ends with it, so two
// processes that start together migrate once, and a failure leaves the database as it was.
//

import Logging
import PostgresDriver

/// Applies the migrations that are built into the program.
package enum Migrator {
    /// The version this program knows.
    package static var knownVersion: Int { embeddedMigrations.map(\.version).max() ?? 0 }

    private static let lockKey: Int64 = 0x7A_6C_65_64_67_65_72

    /// Applies what is missing.
    ///
    /// - Returns: Names of the migrations applied; empty when the database was current.
    /// - Throws: ``LedgerError/schemaNewer(found:known:)`` when a newer program migrated it;
    ///   ``LedgerError/insufficientPrivilege(_:)`` when something is missing that this role may not make.
    package static func migrate(_ configuration: PostgresConfiguration, logger: Logger) async throws -> [String] {
        try await LedgerError.translating {
            let connection: PostgresConnection
            do {
                connection = try await PostgresConnection.connect(configuration, logger: logger)
            } catch let error as PostgresError where error.sqlState == .readOnlySQLTransaction {
                // A server that takes no writes is as good as any for finding that there is nothing to do.
                if try await isCurrent(configuration, logger: logger) { return [] }
                throw error
            }
            do {
                let applied = try await migrate(connection)
                await connection.close()
                for name in applied { logger.notice("migration applied", metadata: ["migration": "\(name)"]) }
                return applied
            } catch {
                await connection.close()
                throw error
            }
        }
    }

    private static func isCurrent(_ configuration: PostgresConfiguration, logger: Logger) async throws -> Bool {
        let connection = try await PostgresConnection.connect(configuration.reading, logger: logger)
        do {
            let found = try await version(connection)
            await connection.close()
            return found == knownVersion
        } catch {
            await connection.close()
            throw error
        }
    }

    private static func migrate(_ connection: PostgresConnection) async throws -> [String] {
        // A role that may only write must be able to start on a ledger that is current.
        if let version = try await version(connection) {
            guard version <= knownVersion else { throw LedgerError.schemaNewer(found: version, known: knownVersion) }
            if version == knownVersion { return [] }
        }
        return try await connection.transaction(deadline: .now + .seconds(3600)) { @Sendable connection in
            _ = try await connection.query("SELECT pg_advisory_xact_lock(\(lockKey))")
            let found = try await version(connection) ?? 0
            var applied: [String] = []
            for migration in embeddedMigrations.sorted(by: { $0.version < $1.version }) where migration.version > found
            {
                try await connection.executeScript(unsafeSQL: migration.sql)
                try await connection.executeScript(
                    unsafeSQL: """
                        CREATE TABLE IF NOT EXISTS ledger.migration \
                        (version integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())
                        """)
                try await connection.execute(
                    "INSERT INTO ledger.migration (version, name) VALUES (\(Int32(migration.version)), \(migration.name))"
                )
                applied.append(migration.name)
            }
            // Readers and writers must be able to see which version this is.
            try await connection.executeScript(
                unsafeSQL: """
                    DO $$ BEGIN
                        IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'ledger_reader') THEN
                            GRANT SELECT ON ledger.migration TO ledger_reader, ledger_writer;
                        END IF;
                    END $$
                    """)
            return applied
        }
    }

    /// Nil without a ledger.
    package static func version(_ connection: PostgresConnection) async throws -> Int? {
        let exists = try await connection.query("SELECT to_regclass('ledger.migration') IS NOT NULL").first
        guard try exists?.decode(0, as: Bool.self) == true else { return nil }
        let row = try await connection.query("SELECT max(version) FROM ledger.migration").first
        return try row?.decode(0, as: Int32?.self).map(Int.init)
    }

    /// Makes sure that this program can work with the database as it is.
    package static func requireCurrent(_ connection: PostgresConnection) async throws {
        guard let version = try await version(connection), version >= knownVersion else {
            throw LedgerError.notMigrated
        }
        guard version == knownVersion else { throw LedgerError.schemaNewer(found: version, known: knownVersion) }
    }
}
