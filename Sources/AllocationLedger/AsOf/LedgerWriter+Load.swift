//
// LedgerWriter+Load.swift: what a writer has to know before it can append.
//

import AllocationCore
import PostgresDriver

extension LedgerWriter {
    /// Reads the whole current state and makes this writer expect its tip.
    ///
    /// - Throws: ``LedgerError/notMigrated`` without a ledger; ``LedgerError/corrupted(_:)`` when ids lead nowhere.
    /// - Parameter mayBeReadOnly: Whether a server that takes no writes will do. It may be a standby that lags behind, so
    ///   only where nothing newer has been served.
    package func load(
        into loader: consuming AllocationLoader, mayBeReadOnly: Bool = false
    ) async throws -> LoadedLedger {
        let initial = loader
        return try await LedgerError.translating {
            let connection = try await mayBeReadOnly ? readable() : connected()
            try await Migrator.requireCurrent(connection)
            let read = try await connection.transaction(
                isolation: .repeatableRead, readOnly: true, deadline: .now + .seconds(600)
            ) { @Sendable connection in try await Self.readAll(initial, connection) }
            dictionary = read.dictionary
            // A database that lost commits gives their ids again, to others.
            tailNames = TailDictionary()
            head = read.loaded.head
            currentConfiguration = read.configuration
            openRuns = read.runs
            runsBeginAt = read.runsBeginAt
            mustReadHighest = false
            pending = nil
            return read.loaded
        }
    }

    /// A session to write in, or where no server takes writes one that is good for reading and is not kept.
    func readable() async throws(PostgresError) -> PostgresConnection {
        do throws(PostgresError) {
            return try await connected()
        } catch {
            guard error.sqlState == .readOnlySQLTransaction else { throw error }
            return try await PostgresConnection.connect(configuration.reading, logger: logger, executor: Self.executor)
        }
    }

    private struct Read: Sendable {
        var loaded: LoadedLedger
        var dictionary: LedgerDictionary
        var configuration: (id: Int32, digest: Digest32)?
        var runs: [ReportKey: OpenRun]
        var runsBeginAt: Timestamp
    }

    /// The rules in force.
    struct Rules: Sendable {
        var configuration: (id: Int32, record: ConfigurationRecord)?
        var ring: (id: Int32, digest: Digest32)?
        var placement: Placement?
    }

    /// What a writer must know that changes no target.
    struct Tip: Sendable {
        var head: LedgerHead?
        var rules: Rules
        var runs: [ReportKey: OpenRun]
        var runsBeginAt: Timestamp
    }

    static func readTip(_ connection: isolated PostgresConnection) async throws -> Tip {
        let head = try await connection.query(LedgerQueries.headStatement).first.map { try LedgerQueries.head($0) }
        return Tip(
            head: head.flatMap { $0.revision.number == 0 ? nil : $0 }, rules: try await rules(connection),
            runs: try await runs(connection), runsBeginAt: try await sealedUntil(connection))
    }

    private static func sealedUntil(_ connection: isolated PostgresConnection) async throws -> Timestamp {
        try await connection.query("SELECT coalesce(max(to_at), '-infinity') FROM ledger.seal").first?
            .decode(0, as: Timestamp.self) ?? .distantPast
    }

    private static func rules(_ connection: isolated PostgresConnection) async throws -> Rules {
        let rows = try await connection.query(
            """
            SELECT c.id, c.digest, c.text, r.id, r.digest, r.strategy, r.version, r.members, r.partition_owners, r.note \
            FROM ledger.current_rule u LEFT JOIN ledger.configuration c ON c.id = u.configuration \
            JOIN ledger.ring r ON r.id = u.ring WHERE u.name = 'allocator'
            """)
        var rules = Rules()
        guard let row = rows.first else { return rules }
        if let id = try row.decode(0, as: Int32?.self), let text = try row.decode(2, as: String?.self) {
            rules.configuration = (id, ConfigurationRecord(redactedText: text))
        }
        if let digest = Digest32(try row.decode(4, as: [UInt8].self)) {
            rules.ring = (try row.decode(3, as: Int32.self), digest)
        }
        rules.placement = Placement(
            strategy: try row.decode(5, as: String.self), ringVersion: try row.decode(6, as: String?.self),
            members: try row.decode(7, as: [String].self),
            partitionOwners: try row.decode(8, as: [Int16].self).map { UInt16(bitPattern: $0) },
            note: try row.decode(9, as: String?.self))
        return rules
    }

    private static func readAll(
        _ initial: AllocationLoader, _ connection: isolated PostgresConnection
    ) async throws -> Read {
        let head = try await connection.query(LedgerQueries.headStatement).first.map { try LedgerQueries.head($0) }
        var loader = initial
        var reader = LedgerReader()
        try await reader.read(into: &loader, connection)
        var dictionary = reader.dictionary
        let rules = try await rules(connection)
        let loaded = LoadedLedger(
            state: loader.finish(placedBy: rules.placement), head: head.flatMap { $0.revision.number == 0 ? nil : $0 },
            configuration: rules.configuration?.record, placement: rules.placement)
        if let configuration = rules.configuration {
            dictionary.configurations[configuration.record.digest] = configuration.id
        }
        if let ring = rules.ring { dictionary.rings[ring.digest] = ring.id }
        return Read(
            loaded: loaded, dictionary: dictionary,
            configuration: rules.configuration.map { ($0.id, $0.record.digest) }, runs: try await runs(connection),
            runsBeginAt: try await sealedUntil(connection))
    }

    private static func runs(_ connection: isolated PostgresConnection) async throws -> [ReportKey: OpenRun] {
        var runs: [ReportKey: OpenRun] = [:]
        let rows = try await connection.query(
            """
            SELECT job, provider, source, first_at, last_at, outcome, targets, added, removed, dropped_by_relabelling, \
            error, duration, rounds, revision FROM ledger.discovery_run
            """)
        for row in rows {
            let report = DiscoveryReportDraft(
                job: try row.decode(0, as: String.self), provider: try row.decode(1, as: String.self),
                source: try row.decode(2, as: String.self),
                succeeded: try row.decode(5, as: String.self) == "succeeded",
                targets: Int(try row.decode(6, as: Int32.self)), added: Int(try row.decode(7, as: Int32.self)),
                removed: Int(try row.decode(8, as: Int32.self)),
                droppedByRelabelling: Int(try row.decode(9, as: Int32.self)),
                error: try row.decode(10, as: String?.self),
                durationSeconds: try row.decode(11, as: Double.self), at: try row.decode(4, as: Timestamp.self))
            runs[ReportKey(job: report.job, provider: report.provider, source: report.source)] = OpenRun(
                firstAt: try row.decode(3, as: Timestamp.self), rounds: try row.decode(12, as: Int64.self),
                report: report, revision: try row.decode(13, as: Int64.self))
        }
        return runs
    }
}
