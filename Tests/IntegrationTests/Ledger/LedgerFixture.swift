//
// LedgerFixture.swift: a migrated database with a writer, a lease and an allocation to record.
//

import AllocationCore
import Logging
import PostgresDriver
import Synchronization
import TestSupport

@testable import AllocationLedger

/// One process's side of a ledger.
struct LedgerFixture: Sendable {
    let configuration: PostgresConfiguration
    let table: LabelTable
    let writer: LedgerWriter
    var token: FencingToken
    var state: AllocationState

    static let strategy = StrategyConfiguration.consistentHashing(.v1)

    /// Runs `body` with a ledger of its own.
    ///
    /// - Parameter prepare: Changes the database after it is migrated, or how sessions begin.
    static func with<T>(
        isolation: isolated (any Actor)? = #isolation,
        prepare: (inout PostgresConfiguration) async throws -> Void = { _ in },
        _ body: (inout LedgerFixture) async throws -> T
    ) async throws -> T {
        await Turns.shared.enter()
        defer { Turns.shared.leave() }
        return try await TestPostgres.withDatabase { connectionString in
            var configuration = try PostgresConfiguration(connectionString: connectionString)
            _ = try await Migrator.migrate(configuration, logger: TestPostgres.logger)
            try await prepare(&configuration)
            var fixture = try await LedgerFixture(configuration)
            let result: Result<T, any Error>
            do {
                result = .success(try await body(&fixture))
            } catch {
                result = .failure(error)
            }
            await fixture.writer.close()
            return try result.get()
        }
    }

    /// Another process on the same ledger: it takes the lease and loads.
    init(_ configuration: PostgresConfiguration) async throws {
        self.configuration = configuration
        table = LabelTable()
        writer = LedgerWriter(configuration: configuration, table: table, logger: TestPostgres.logger)
        token = try await Self.takeLease(configuration)
        state = try await writer.load(into: AllocationLoader(table: table, strategy: Self.strategy)).state
    }

    /// Another process that believes in the same lease.
    init(sharing configuration: PostgresConfiguration, token: FencingToken) async throws {
        self.configuration = configuration
        self.token = token
        table = LabelTable()
        writer = LedgerWriter(configuration: configuration, table: table, logger: TestPostgres.logger)
        state = try await writer.load(into: AllocationLoader(table: table, strategy: Self.strategy)).state
    }

    /// A process that followed and leads now.
    init(
        going configuration: PostgresConfiguration, table: LabelTable, writer: LedgerWriter, token: FencingToken,
        state: AllocationState
    ) {
        self.configuration = configuration
        self.table = table
        self.writer = writer
        self.token = token
        self.state = state
    }

    mutating func reload() async throws {
        state = try await writer.load(into: AllocationLoader(table: table, strategy: Self.strategy)).state
    }

    /// Ends whatever lease there is and takes it.
    static func takeLease(_ configuration: PostgresConfiguration, seconds: Double = 600) async throws -> FencingToken {
        let connection = try await PostgresConnection.connect(configuration, logger: TestPostgres.logger)
        let holder = UUID128.random()
        var epoch: Int64?
        // Its holder may renew it between the two.
        for _ in 0..<100 where epoch == nil {
            try await connection.execute("UPDATE ledger.lease SET expires_at = clock_timestamp()")
            epoch = try await LeaseQueries.acquire(
                holder: holder, address: "test:8080", timeToLive: seconds, connection, deadline: .now + .seconds(30))
        }
        await connection.close()
        guard let epoch else { throw LedgerError.corrupted("the test could not take the lease") }
        return FencingToken(holder: holder, epoch: epoch)
    }

    /// Lets a few tests at a time make a ledger: each locks some 500 tables and indices while it migrates, and all share
    /// the lock table of one small server.
    private final class Turns: Sendable {
        static let shared = Turns()
        private let state = Mutex((free: 4, waiting: [CheckedContinuation<Void, Never>]()))

        func enter() async {
            await withCheckedContinuation { continuation in
                let isFree = state.withLock { state in
                    if state.free > 0 {
                        state.free -= 1
                        return true
                    }
                    state.waiting.append(continuation)
                    return false
                }
                if isFree { continuation.resume() }
            }
        }

        func leave() {
            let next = state.withLock { state -> CheckedContinuation<Void, Never>? in
                if state.waiting.isEmpty {
                    state.free += 1
                    return nil
                }
                return state.waiting.removeFirst()
            }
            next?.resume()
        }
    }

    // MARK: Changes

    func labels(_ index: Int, generation: Int = 0) -> LabelSet {
        LabelSet(
            [
                "__address__": "10.0.\(index / 250).\(index % 250):9090", "__meta_pod": "pod-\(index)", "env": "test",
                "generation": "\(generation)", "zone": "zone-\(index % 3)",
            ], in: table)
    }

    func target(_ index: Int, generation: Int = 0) -> IdentifiedTarget {
        let labels = labels(index, generation: generation)
        return IdentifiedTarget(
            // Any 64 bits do; identities are the pipeline's business.
            identity: TargetIdentity(rawValue: XXH64.hash("target \(index)")), labels: labels,
            address: labels.value(of: table.nameID(for: "__address__"), in: table))
    }

    mutating func discover(_ targets: [IdentifiedTarget], job: String = "shop", source: String = "a")
        -> AllocationChange
    {
        state.apply(discovery: [
            JobUpdate(
                job: job,
                sources: [
                    SourceUpdate(
                        key: SourceKey(provider: "file", source: source), targets: ContiguousArray(targets))
                ], isSynchronised: true)
        ])
    }

    mutating func collectors(_ names: [String]) -> AllocationChange {
        state.apply(
            collectors: names.map { Collector(name: $0, nodeName: "node-of-\($0)") }, isSynchronised: true,
            evidence: "static list")
    }

    @discardableResult
    func append(
        _ change: AllocationChange, cause: Cause = .discovery, detail: String = "", id: UUID128 = .random(),
        configuration: ConfigurationRecord? = nil, reports: [DiscoveryReportDraft] = []
    ) async throws -> CommittedRevision {
        try await writer.append(
            RevisionDraft(
                changeID: id, change: change, cause: cause, causeDetail: detail, configuration: configuration,
                reports: reports),
            fencedBy: token)
    }

    /// Three collectors, then `count` targets: revisions 1 and 2.
    mutating func fill(_ count: Int) async throws {
        try await append(collectors(["a", "b", "c"]), cause: .membership)
        try await append(discover((0..<count).map { target($0) }))
    }

    // MARK: Looking

    func query(_ sql: SQL) async throws -> PostgresRows {
        let connection = try await PostgresConnection.connect(configuration, logger: TestPostgres.logger)
        let result: Result<PostgresRows, any Error>
        do {
            result = .success(try await connection.query(sql))
        } catch {
            result = .failure(error)
        }
        await connection.close()
        return try result.get()
    }

    func script(_ text: String) async throws {
        let connection = try await PostgresConnection.connect(configuration, logger: TestPostgres.logger)
        do {
            try await connection.executeScript(unsafeSQL: text)
        } catch {
            await connection.close()
            throw error
        }
        await connection.close()
    }

    func number(_ sql: SQL) async throws -> Int64 {
        try await query(sql).first?.decode(0, as: Int64.self) ?? -1
    }
}

extension AllocationState {
    /// Everything that a restart must find again, independent of the process's numbers.
    var contents: [String: String] {
        var contents: [String: String] = [:]
        let (jobs, collectors) = (jobNames, collectorTable)
        forEachTarget { job, identity, state in
            let labels = state.labels.dictionary(in: table).sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            let collector = state.collector.map { collectors[Int($0.rawValue)].name } ?? "-"
            let address = state.address.map(table.value) ?? "-"
            contents["\(jobs[Int(job.rawValue)])/\(identity.rawValue)"] =
                "\(address) \(collector) \(labels.joined(separator: ","))"
        }
        return contents
    }
}

extension LedgerError {
    var isUniqueViolation: Bool {
        if case .server(let error) = self { error.sqlState == .uniqueViolation } else { false }
    }
}
