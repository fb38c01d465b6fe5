//
// StandardAPIFixture.swift: a server on a port of its own, and allocations to serve.
//

import AllocationCore
import AllocationLedger
import AllocatorAPI
import AllocatorRuntime
import Logging
import PostgresDriver
import ServiceLifecycle
import Telemetry

/// A running standard API.
struct StandardAPIFixture: Sendable {
    let publisher: SnapshotPublisher
    let metrics: MetricsRegistry
    let port: Int
    /// Asks the server to finish.
    let shutdown: @Sendable () async -> Void

    /// Starts a server, runs `body`, shuts the server down.
    static func with<Result: Sendable>(
        showsSecrets: Bool = false, cacheBytesMax: Int = 64 << 20,
        _ body: @Sendable (StandardAPIFixture) async throws -> Result
    ) async throws -> Result {
        let publisher = SnapshotPublisher()
        let metrics = MetricsRegistry()
        let context = StandardAPIContext(publisher: publisher, metrics: metrics, cacheBytesMax: cacheBytesMax)
        let (ports, bound) = AsyncStream.makeStream(of: Int.self)
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let server = StandardAPIServer(
            configuration: .init(address: try ListenAddress(parsing: "127.0.0.1:0"), showsSecrets: showsSecrets),
            context: context, logger: logger, onBound: { bound.yield($0) })
        let group = ServiceGroup(services: [server], logger: logger)
        return try await withThrowingTaskGroup { tasks in
            tasks.addTask {
                try await group.run()
                bound.finish()
            }
            guard let port = await ports.first(where: { _ in true }) else { throw NotBound() }
            let fixture = StandardAPIFixture(
                publisher: publisher, metrics: metrics, port: port,
                shutdown: { await group.triggerGracefulShutdown() })
            do {
                let result = try await body(fixture)
                await group.triggerGracefulShutdown()
                try await tasks.waitForAll()
                return result
            } catch {
                tasks.cancelAll()
                throw error
            }
        }
    }

    private struct NotBound: Error {}

    func publish(_ snapshot: AllocationSnapshot) {
        publisher.publish(snapshot)
        publisher.update { $0.reasonsNotReady = [] }
    }

    /// One job `j` whose targets all belong to collector `c`; addresses and labels name the revision.
    static func snapshot(revision: Int64, targets: Int, labelBytes: Int = 20) -> AllocationSnapshot {
        let table = LabelTable()
        var loader = AllocationLoader(table: table, strategy: .consistentHashing(.v1))
        let collector = loader.addCollector(Collector(name: "c"), isPresent: true)
        let job = loader.addJob("j")
        let filling = String(repeating: "x", count: labelBytes)
        for index in 0..<targets {
            let labels = LabelSet(
                ["__address__": "host-\(index):\(revision)", "filling": filling, "revision": "\(revision)"], in: table)
            loader.addTarget(
                job: job, identity: TargetIdentity(rawValue: UInt64(index)), labels: labels,
                address: labels.value(of: table.nameID(for: "__address__"), in: table), collector: collector)
        }
        let head = LedgerHead(
            revision: Revision(revision), epoch: 1, at: Timestamp(microsecondsSince1970: revision), digest: .zero)
        let configuration = ScrapeConfigDocument(
            redacted: Array(#"{"j":{"job_name":"j","revision":"\#(revision)"}}"#.utf8), clear: nil)
        return AllocationSnapshot(state: loader.finish(), head: head, scrapeConfigs: configuration)
    }
}
