//
// DiscoveryManager.swift: runs a discoverer for each distinct section and hands over what changed.
//
// DiscoveryState decides; this starts and stops tasks, wakes whoever waits for a batch, and counts. Rounds come in on
// the discoverers' executors and touch the state briefly under a lock; reading and parsing happen before it.
//

import AllocationCore
import HTTPTransport
import Logging
import Metrics
import Synchronization

/// All discovery of the process.
///
/// ``apply(_:)`` may be called at any time, before ``run()`` too; one task at a time calls ``nextBatch()``.
package final class DiscoveryManager: Sendable {
    /// A running discoverer and how to end it.
    private struct Running: Sendable {
        let id: ProviderID
        let source: String
        let discoverer: any Discoverer
        let stop: AsyncSignal
    }

    /// Groups in a batch after which no further job is added, so that a million targets that arrive together need not
    /// be held as values all at once. A job is never split: what moves between its sources moves in one step.
    private static let groupsPerBatchMax = 65_536

    private let table: LabelTable
    private let watcher: FileWatcher
    private let http: HTTPClient
    private let metrics = DiscoveryMetrics()
    private let logger: Logger
    private let executors = BlockingExecutors()

    private let state = Mutex(DiscoveryState())
    private let stops = Mutex<[ProviderID: AsyncSignal]>([:])
    private let pending = AsyncSignal()
    private let starting: AsyncStream<Running>
    private let start: AsyncStream<Running>.Continuation

    /// - Parameters:
    ///   - table: Where labels are interned.
    ///   - watcher: The process's one watch on files.
    ///   - http: Asks the servers of `http_sd_configs`.
    package init(table: LabelTable, watcher: FileWatcher, http: HTTPClient, logger: Logger) {
        self.table = table
        self.watcher = watcher
        self.http = http
        self.logger = logger
        // Bounded by the sections of the configurations applied.
        (starting, start) = AsyncStream.makeStream()
    }

    // MARK: Configuration

    /// Makes these the jobs whose targets are discovered: starts what is new, stops what is obsolete, and leaves equal
    /// sections running with all that they found.
    package func apply(_ jobs: [JobDiscovery]) async {
        let staticGroups = Dictionary(
            jobs.map { ($0.job, StaticGroups.packed($0.static, table: table)) }, uniquingKeysWith: { first, _ in first }
        )
        let actions = state.withLock {
            $0.apply(jobs, staticGroups: staticGroups, finishedAt: WallClock.microseconds())
        }
        for id in actions.stop {
            stops.withLock { $0.removeValue(forKey: id) }?.raise()
        }
        for (id, configuration) in actions.start {
            let running = Running(
                id: id, source: configuration.source, discoverer: discoverer(configuration), stop: AsyncSignal())
            stops.withLock { $0[id] = running.stop }
            start.yield(running)
        }
        logger.info(
            "discovery configured",
            metadata: [
                "jobs": "\(jobs.count)", "started": "\(actions.start.count)", "stopped": "\(actions.stop.count)",
            ])
        metrics.failedConfigs.record(jobs.reduce(0) { $0 + $1.providers.count(where: \.isRefused) })
        updateGauges(jobs.map(\.job))
        pending.raise()
    }

    private func discoverer(_ configuration: ProviderConfiguration) -> any Discoverer {
        switch configuration {
        case .file(let config):
            FileDiscoverer(
                config, table: table, watcher: watcher, executor: executors.take(), metrics: metrics, logger: logger)
        case .http(let config):
            HTTPDiscoverer(
                config, table: table, http: http, executor: executors.take(), metrics: metrics, logger: logger)
        }
    }

    // MARK: Running

    /// Runs the discoverers until the task is cancelled.
    package func run() async throws {
        await withDiscardingTaskGroup { group in
            for await running in starting {
                group.addTask { await self.run(running) }
            }
            group.cancelAll()
        }
        try Task.checkCancellation()
    }

    private func run(_ running: Running) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                await running.discoverer.run { round in self.take(round, from: running) }
            }
            group.addTask {
                // Ends by being raised or cancelled; both end the discoverer.
                try? await running.stop.wait()
            }
            await group.next()
            group.cancelAll()
        }
    }

    private func take(_ round: DiscoveryRound, from running: Running) {
        metrics.receivedUpdates.increment()
        let (news, isLate, jobs) = state.withLock { state -> (Bool?, Bool, [String: Int]) in
            let isLate = state.hasPendingJobs
            let news = state.take(round, from: running.id, source: running.source)
            guard news == true else { return (news, false, [:]) }
            return (news, isLate, state.targetCounts(fedBy: running.id))
        }
        guard let news else { return }
        if news { metrics.discovered(jobs) }
        if isLate { metrics.updatesDelayed.increment() }
        pending.raise()
    }

    private func updateGauges(_ jobs: [String]) {
        let counts = state.withLock { state in jobs.map { ($0, state.targetCount(of: $0)) } }
        for (job, count) in counts { metrics.discovered([job: count]) }
    }

    // MARK: Handing over

    /// Waits until something is pending and returns it, each source in its latest state. Many groups may come in
    /// several batches; no job is split between two.
    ///
    /// - Throws: `CancellationError`.
    package func nextBatch() async throws -> DiscoveryBatch {
        while true {
            if let draft = state.withLock({ $0.takeDraft(groupsMax: Self.groupsPerBatchMax) }) {
                metrics.updates.increment()
                return draft.batch()
            }
            try await pending.wait()
        }
    }

    /// Hands everything that is known over again, to a consumer that has let go of what it was given.
    ///
    /// - Returns: ``DiscoveryBatch/handOver`` of the batches that belong to it. One that is under way is older, and does not.
    package func requestFullHandOver() async -> Int {
        defer { pending.raise() }
        return state.withLock { $0.handOverAll() }
    }

    /// Hands all groups of one job over again: its relabel rules changed.
    package func requestHandOver(of job: String) async {
        state.withLock { $0.handOver(job) }
        pending.raise()
    }
}
