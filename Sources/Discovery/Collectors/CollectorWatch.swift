//
// CollectorWatch.swift: watches the sources of collectors and tells the whole set whenever it changes.
//

import AllocationCore
import Logging
import Metrics
import Synchronization

/// The collectors, from configuration, a file and DNS.
package final class CollectorWatch: Sendable {
    /// Full sets, the latest one alone kept for a reader that is slow. For one reader.
    package let sets: AsyncStream<CollectorSet>

    /// How often DNS is asked. Headless services of Kubernetes are cached for 5 s as a rule.
    private static let dnsInterval = Duration.seconds(5)
    /// How often the file is read although nothing seems to have happened to it.
    private static let fileInterval = Duration.seconds(60)

    private let source: CollectorSource
    private let watcher: FileWatcher
    private let resolver: CollectorResolver
    private let logger: Logger
    private let continuation: AsyncStream<CollectorSet>.Continuation
    private let union: Mutex<CollectorUnion>
    private let failures = Counter(label: "target_ledger_collector_watch_failures_total")

    /// - Parameters:
    ///   - source: At least one of its parts is set, or the watch never tells anything.
    ///   - watcher: The process's one watch on files.
    package convenience init(_ source: CollectorSource, watcher: FileWatcher, logger: Logger) {
        self.init(source, watcher: watcher, resolver: CollectorResolver(), logger: logger)
    }

    init(_ source: CollectorSource, watcher: FileWatcher, resolver: CollectorResolver, logger: Logger) {
        self.source = source
        self.watcher = watcher
        self.resolver = resolver
        self.logger = logger
        (sets, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        union = Mutex(
            CollectorUnion(
                sources: [
                    source.listed.isEmpty ? nil : "static", source.file.map { "file \($0)" },
                    source.dns.map { "dns \($0)" },
                ].compactMap(\.self)))
    }

    /// Watches until the task is cancelled.
    package func run() async throws {
        if !source.listed.isEmpty { take(.success(source.listed), from: "static") }
        await withTaskGroup(of: Void.self) { group in
            if let file = source.file { group.addTask { await self.watch(file: file) } }
            if let name = source.dns { group.addTask { await self.watch(dns: name) } }
            // Without either there is nothing left to do but to stay.
            group.addTask { try? await AsyncSignal().wait() }
        }
        continuation.finish()
        try Task.checkCancellation()
    }

    private func watch(file: String) async {
        let reader = CollectorReader()
        await watcher.follow(file, interval: Self.fileInterval) { take(await reader.read(file), from: "file \(file)") }
    }

    private func watch(dns name: String) async {
        await RefreshLoop(interval: Self.dnsInterval).run {
            take(await resolver.collectors(name), from: "dns \(name)")
        }
    }

    private func take(_ result: Result<[Collector], CollectorSourceError>, from source: String) {
        guard let set = union.withLock({ $0.take(result, from: source) }) else { return }
        if let error = set.error {
            failures.increment()
            logger.error("collectors cannot be read; the last ones stay", metadata: ["error": "\(error)"])
        } else {
            logger.info("collectors", metadata: ["evidence": "\(set.evidence)"])
        }
        continuation.yield(set)
    }
}

/// Reads the file beside the shared pool.
private actor CollectorReader {
    nonisolated let executor = BlockingExecutor(label: "collector-file")
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    func read(_ path: String) -> Result<[Collector], CollectorSourceError> {
        Result { () throws(CollectorSourceError) in try CollectorFile.read(path) }
    }
}
