//
// FaultCluster.swift: three real replicas, each behind a proxy of its own, their database, and all that asks them.
//

import Foundation
import Glibc
import Synchronization
import Testing

/// What one phase of a run breaks.
final class FaultCluster: Sendable {
    static let job = "shop"
    static let replicaCount = 3

    struct Servers: Sendable {
        var primary: PlainServer
        /// Those that are gone for good; their folders stay until the end.
        var retired: [PlainServer] = []
    }

    let phase: FaultPhase
    let servers: Mutex<Servers>
    /// Between a primary and its standby.
    let replication: FaultProxy
    let proxies: [FaultProxy]
    let pooler: PoolerProcess?
    let disks: [TinyDisk]
    let replicas: [AllocatorProcess]
    let pollers: [ReplicaPoller]
    let checker: CheckerBox
    let churn: Churn
    /// Replicas to which something is being done.
    let busy = Mutex<Set<Int>>([])
    private let folder: URL

    init(_ phase: FaultPhase, seed: UInt64) throws {
        self.phase = phase
        let primary = try PlainServer()
        servers = Mutex(Servers(primary: primary))
        replication = try FaultProxy(to: primary.port)
        let pooler = phase.isPooled ? try PoolerProcess(before: primary) : nil
        self.pooler = pooler
        let proxies = try (0..<Self.replicaCount).map { _ in try FaultProxy(to: pooler?.port ?? primary.port) }
        self.proxies = proxies
        let folder = FileManager.default.temporaryDirectory.appending(path: "faults-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        self.folder = folder
        churn = try Churn(folder: folder, seed: seed)
        let disks =
            phase.outage == .proceed ? (0..<Self.replicaCount).compactMap { _ in TinyDisk(bytes: 16 << 20) } : []
        self.disks = disks
        let replicas = try proxies.enumerated().map { index, proxy in
            let replica = try AllocatorProcess(jobs: "")
            let state = index < disks.count ? disks[index].folder + "/state" : replica.folder.path() + "/state"
            try replica.write(
                "config.yaml",
                """
                listen_addr: 127.0.0.1:\(replica.port)
                allocation_strategy: \(phase.strategy)
                config:
                  scrape_configs:
                    - {job_name: \(Self.job), file_sd_configs: [{files: ['\(folder.path())/targets/*.json']}]}
                ledger:
                  database_url: "postgresql://\(PlainServer.user)@127.0.0.1:\(proxy.port)/ledger\
                \(phase.isPooled ? "" : "?target_session_attrs=read-write")"
                  lease: {ttl: 3s, renew_interval: 500ms}
                  collectors: {file: '\(folder.path())/collectors'}
                  on_database_outage: \(phase.outage.rawValue)
                \(phase.outage == .proceed ? "  state_directory: '\(state)'" : "")
                """)
            return replica
        }
        self.replicas = replicas
        let checker = CheckerBox(AnswerChecker(permanentCollectors: Churn.permanent))
        self.checker = checker
        pollers = replicas.enumerated().map { index, replica in
            ReplicaPoller(replica: index, port: replica.port, collectors: Churn.collectors, checker: checker)
        }
    }

    deinit {
        end()
        try? FileManager.default.removeItem(at: folder)
    }

    /// Starts the replicas, one after the other, and what changes and asks.
    func start() throws {
        for (index, replica) in replicas.enumerated() {
            pollers[index].nextLife()
            try replica.start()
            // Before all has been found once, lists may well be empty.
            let last = "\"10.0.\(Churn.fileCount - 1)."
            try replica.wait(for: "/jobs/\(Self.job)/targets") { $0.text.contains(last) }
            pollers[index].start()
        }
        churn.start()
    }

    func end() {
        churn.stop()
        for poller in pollers { poller.stop() }
        for replica in replicas { replica.kill() }
        for proxy in proxies + [replication] { proxy.stop() }
    }

    var primary: PlainServer { servers.withLock(\.primary) }

    var head: Int64? { (try? primary.value("SELECT revision FROM ledger.head")).flatMap { Int64($0) } }

    /// The replica that says it leads, of those that nothing is done to.
    func leader() -> Int? {
        let busy = busy.withLock(\.self)
        return pollers.first { $0.current.isLeading && !busy.contains($0.replica) }?.replica
    }

    // MARK: Being well

    /// Waits until every replica serves something that was recorded after this call.
    ///
    /// - Returns: False: not within the time.
    func waitUntilWell(seconds: Double) -> Bool {
        let since = ContinuousClock.now
        let deadline = since + .seconds(seconds)
        var head: Int64?
        while ContinuousClock.now < deadline {
            head = head ?? self.head
            if let head, pollers.allSatisfy({ Self.isWell($0.current, beyond: head, since: since) }) { return true }
            // The replicas are asked all the time by others.
            usleep(20_000)
        }
        return false
    }

    private static func isWell(_ view: ReplicaPoller.View, beyond head: Int64, since: ContinuousClock.Instant) -> Bool {
        guard let at = view.answeredAt, at > since, let revision = view.revision else { return false }
        return revision > head && !view.isStale && view.journal == nil
    }

    /// What each replica looks like, for a failure's message.
    var description: String {
        let views = pollers.map { poller -> String in
            let view = poller.current
            return "replica \(poller.replica): revision \(view.revision ?? 0), journal \(view.journal ?? 0), stale "
                + "\(view.isStale), \(view.readiness.replacing("\n", with: "; "))"
        }
        return views.joined(separator: "\n") + "\nhead \(head ?? -1)"
    }

    /// Once nothing changes any more, every replica has the head within two polls.
    func expectHeadEverywhere() {
        churn.stop()
        var head = self.head
        var quietSince = ContinuousClock.now
        while quietSince.duration(to: .now) < .seconds(1.5) {
            usleep(50_000)
            let next = self.head
            if next != head { (head, quietSince) = (next, .now) }
        }
        // Quiet for longer than a poll already; a second one is a second away.
        let deadline = ContinuousClock.now + .seconds(1.5)
        while ContinuousClock.now < deadline, !pollers.allSatisfy({ $0.current.revision == head }) { usleep(20_000) }
        #expect(pollers.allSatisfy { $0.current.revision == head }, "\(description)")
    }
}
