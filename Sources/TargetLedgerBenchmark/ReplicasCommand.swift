//
// ReplicasCommand.swift: what agreeing costs: recording, the fence, the lease, followers, and another leader.
//

import AllocationLedger
import ArgumentParser
import Foundation
import PostgresDriver
import Synchronization

/// This process records as a leader does; followers, and those who lead in turn, are processes of the executable.
struct ReplicasCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replicas",
        abstract: "Appends, fence and renewal, lag of followers, takeover after a crash and by hand-over.")

    @Option(help: "Seconds of each row of appends.")
    var seconds = 3.0

    @Option(help: "Appends whose arrival at one follower is timed.")
    var commits = 400

    @Option(help: "Number of followers.")
    var followers = 10

    @Option(help: "Rounds without and with followers, in turn.")
    var rounds = 3

    @Option(help: "Ends of a leader, of each kind.")
    var ends = 5

    @Option(help: "Seconds that the lease of those lasts.")
    var leaseSeconds = 5

    func run() async throws {
        try await BenchmarkCluster.with { cluster in
            try await cluster.withLedger("appends") { ledger in
                var load = try await AppendLoad(ledger)
                try await appends(&load)
                load = try await lease(load, ledger)
                try await follow(&load, ledger)
                await load.writer.close()
            }
            try await cluster.withDatabase("ends") { try await takeover(cluster, $0) }
        }
    }

    // MARK: Appends

    private func appends(_ load: inout AppendLoad) async throws {
        var table = FigureTable("changes of an append", "appends a second", "changes a second", "p50", "p99")
        for changes in [1, 10, 100] {
            let times = try await backToBack(&load, changes)
            table.add(
                "\(changes)", rate(times.count, times.sum), rate(times.count * changes, times.sum),
                milliseconds(times.median), milliseconds(times.percentile(99)))
        }
        output("One writer, one append after the other; each change is a target of 20 labels that gets new ones.\n")
        table.write()
    }

    private func backToBack(_ load: inout AppendLoad, _ changes: Int) async throws -> [Double] {
        var times: [Double] = []
        while times.sum < seconds { times.append(try await load.append(changes: changes).seconds) }
        return times
    }

    private func rate(_ count: Int, _ seconds: Double) -> String { String(format: "%.0f", Double(count) / seconds) }

    // MARK: Fence and renewal

    private func lease(_ load: AppendLoad, _ ledger: BenchmarkLedger) async throws -> AppendLoad {
        let connection = try await PostgresConnection.connect(ledger.configuration, logger: BenchmarkCluster.logger)
        var table = FigureTable("statement", "p50", "p99")
        func add(_ what: String, _ times: [Double]) {
            table.add(what, milliseconds(times.median), milliseconds(times.percentile(99)))
        }
        let idle = try await renewals(ledger.token, connection)
        let isOver = Flag()
        async let appended = Self.appendUntil(isOver, load)
        let outcome: Result<(statements: [(plain: Double, fence: Double)], renewals: [Double]), any Error>
        do {
            outcome = .success(
                (try await statements(ledger.token, connection), try await renewals(ledger.token, connection)))
        } catch {
            outcome = .failure(error)
        }
        isOver.value.store(true, ordering: .relaxed)
        let (load, appends) = try await appended
        await connection.close()
        let (statements, renewals) = try outcome.get()
        add("SELECT 1 in a transaction, beside appends", statements.map(\.plain))
        add("the fence in the same transaction", statements.map(\.fence))
        add("a renewal, nothing else going on", idle)
        add("a renewal, beside appends", renewals)
        add("those appends, of 10 changes each", appends)
        output("A second session beside one append after the other. A renewal is on the disk when it counts.\n")
        table.write()
        return load
    }

    private final class Flag: Sendable {
        let value = Atomic(false)
    }

    private static func appendUntil(_ isOver: Flag, _ load: AppendLoad) async throws -> (AppendLoad, [Double]) {
        var (load, times) = (load, [Double]())
        while !isOver.value.load(ordering: .relaxed) { times.append(try await load.append(changes: 10).seconds) }
        return (load, times)
    }

    private func renewals(_ token: FencingToken, _ connection: PostgresConnection) async throws -> [Double] {
        var times: [Double] = []
        while times.sum < seconds {
            let start = ContinuousClock.now
            let at = try await LeaseQueries.renew(
                token, timeToLive: 7200, connection, deadline: .now + .seconds(10))
            guard at != nil else { throw LedgerError.fenced(token) }
            times.append(start.duration(to: .now).seconds)
        }
        return times
    }

    private func statements(
        _ token: FencingToken, _ connection: PostgresConnection
    ) async throws -> [(plain: Double, fence: Double)] {
        var times: [(plain: Double, fence: Double)] = []
        let end = ContinuousClock.now + .seconds(seconds)
        while ContinuousClock.now < end {
            times.append(
                try await connection.transaction { @Sendable connection in
                    let start = ContinuousClock.now
                    try await connection.query("SELECT 1")
                    let middle = ContinuousClock.now
                    try await LedgerQueries.fence(token, connection)
                    return (start.duration(to: middle).seconds, middle.duration(to: .now).seconds)
                })
        }
        return times
    }

    // MARK: Followers

    private func follow(_ load: inout AppendLoad, _ ledger: BenchmarkLedger) async throws {
        var table = FigureTable(
            "followers", "append p50, 20 a second", "p99", "appends a second, one after the other",
            "lag after commit p50", "p99")
        let replicas = try (0..<max(followers, 1)).map { _ in
            try ReplicaProcess(
                folder: ledger.cluster.folder, database: ledger.connectionString,
                scrapeConfigs: "[{job_name: \(AppendLoad.job), static_configs: [{targets: ['a:1']}]}]",
                flags: ["--standby-discovery", "cold"])
        }
        var paced: [Bool: [Double]] = [:], full: [Bool: [Double]] = [:], lags: [Double] = []
        for _ in 0..<rounds {
            for isFollowed in [false, true] {
                if isFollowed { try start(replicas) }
                paced[isFollowed, default: []] += try await spread(&load)
                full[isFollowed, default: []] += try await backToBack(&load, 10)
                if isFollowed {
                    lags += try await lag(&load, replicas, commits: commits / rounds)
                    stop(replicas)
                }
            }
        }
        try start([replicas[0]])
        let one = try await lag(&load, [replicas[0]], commits: commits)
        stop([replicas[0]])
        func add(_ name: String, _ paced: [Double]?, _ full: [Double]?, _ lags: [Double]?) {
            table.add(
                name, paced.map { milliseconds($0.median) } ?? "", paced.map { milliseconds($0.percentile(99)) } ?? "",
                full.map { rate($0.count, $0.sum) } ?? "", lags.map { milliseconds($0.median) } ?? "",
                lags.map { milliseconds($0.percentile(99)) } ?? "")
        }
        add("0", paced[false], full[false], nil)
        add("\(replicas.count)", paced[true], full[true], lags)
        add("1", nil, nil, one)
        output(
            """
            Followers are processes of the executable on this machine, and appends are of 10 changes; \(rounds) rounds \
            without and with them in turn.
            Lag: from the commit's return until an answer of the follower names the revision; every follower counts.

            """)
        table.write()
        if let without = paced[false], let with = paced[true], let alone = full[false], let followed = full[true] {
            output(
                """
                With \(replicas.count) ÷ without: append p50 \(ratioText(with.median / without.median)), \
                p99 \(ratioText(with.percentile(99) / without.percentile(99))), appends a second \
                \(ratioText((Double(followed.count) / followed.sum) / (Double(alone.count) / alone.sum)))

                """)
        }
    }

    private func start(_ replicas: [ReplicaProcess]) throws {
        for replica in replicas { try replica.start() }
        for replica in replicas { try replica.wait(forRole: "following") }
    }

    private func stop(_ replicas: [ReplicaProcess]) {
        for replica in replicas { replica.terminate() }
        for replica in replicas { replica.waitUntilEnd() }
    }

    /// Appends that leave time between them.
    private func spread(_ load: inout AppendLoad) async throws -> [Double] {
        var times: [Double] = []
        for _ in 0..<Int(seconds * 20) {
            let next = ContinuousClock.now + .milliseconds(50)
            times.append(try await load.append(changes: 10).seconds)
            try await Task.sleep(until: next)
        }
        return times
    }

    private func lag(_ load: inout AppendLoad, _ replicas: [ReplicaProcess], commits: Int) async throws -> [Double] {
        let probes = try replicas.map { try RevisionProbe(port: $0.port) }
        var lags: [Double] = []
        for _ in 0..<commits {
            let revision = try await load.append(changes: 10).revision
            lags += try probes.wait(for: revision, since: .now)
            try await Task.sleep(for: .milliseconds(10))
        }
        return lags
    }

    // MARK: Another leader

    private func takeover(_ cluster: BenchmarkCluster, _ database: String) async throws {
        let files = try GeneratedFiles.write(targets: 2_000, jobs: 1, to: cluster.folder.appending(path: "targets"))
        let replicas = try (0..<2).map { _ in
            try ReplicaProcess(
                folder: cluster.folder, database: database,
                scrapeConfigs: "[{job_name: shop, file_sd_configs: [{files: ['\(files[0].path())']}]}]",
                flags: ["--lease-ttl", "\(leaseSeconds)s", "--lease-renew-interval", "\(max(1, leaseSeconds / 3))s"])
        }
        try replicas[0].start()
        try replicas[0].wait(forRole: "leading")
        let watch = try await TermWatch(database)
        var (handedOver, takenOver, afterLease): ([Double], [Double], [Double]) = ([], [], [])
        for number in 0..<(2 * ends) {
            let (leader, follower) = (replicas[number % 2], replicas[1 - number % 2])
            try follower.start()
            try follower.wait(forRole: "following")
            let epoch = try await watch.epoch()
            let start = ContinuousClock.now
            if number % 2 == 0 { leader.terminate() } else { leader.kill() }
            let expiry = number % 2 == 0 ? nil : try await watch.leaseEnd()
            let seconds = try await watch.wait(beyond: epoch, since: start)
            if let expiry {
                takenOver.append(seconds)
                afterLease.append(Date().timeIntervalSince1970 - expiry)
            } else {
                handedOver.append(seconds)
            }
            leader.waitUntilEnd()
            try follower.wait(forRole: "leading")
        }
        await watch.close()
        var table = FigureTable("the leader's end", "times", "p50", "longest")
        func add(_ what: String, _ times: [Double]) {
            table.add(what, "\(times.count)", secondsText(times.median), secondsText(times.max() ?? 0))
        }
        add("asked to stop (SIGTERM)", handedOver)
        add("killed (SIGKILL), a lease of \(leaseSeconds) s", takenOver)
        add("of it after the lease had run out", afterLease)
        output("Until the first revision of the next term is committed; 2,000 targets, one follower.\n")
        table.write()
    }
}

/// Looks at the ledger's head as often as it can.
private struct TermWatch {
    private let connection: PostgresConnection

    init(_ database: String) async throws {
        connection = try await PostgresConnection.connect(
            PostgresConfiguration(connectionString: database), logger: BenchmarkCluster.logger)
    }

    /// Of the newest revision.
    func epoch() async throws -> Int64 {
        try await connection.query("SELECT epoch FROM ledger.head").first?.decode(0, as: Int64.self) ?? 0
    }

    /// Seconds since 1970.
    func leaseEnd() async throws -> Double {
        try await connection.query("SELECT extract(epoch FROM expires_at)::double precision FROM ledger.lease")
            .first?.decode(0, as: Double.self) ?? 0
    }

    func wait(beyond epoch: Int64, since start: ContinuousClock.Instant) async throws -> Double {
        while try await self.epoch() <= epoch {
            guard start.duration(to: .now) < .seconds(120) else {
                throw LoopbackHTTP.Failure(description: "nobody leads after two minutes")
            }
            try await Task.sleep(for: .milliseconds(1))
        }
        return start.duration(to: .now).seconds
    }

    func close() async { await connection.close() }
}

extension [Double] {
    fileprivate var sum: Double { reduce(0, +) }
}
