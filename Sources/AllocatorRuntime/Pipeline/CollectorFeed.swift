//
// CollectorFeed.swift: the collectors of whatever source the configuration names now.
//

import AsyncAlgorithms
import Discovery
import Logging
import Synchronization

/// Runs a collector watch, and another in its place when the configuration names other sources.
final class CollectorFeed: Sendable {
    private let watcher: FileWatcher
    private let logger: Logger
    private let source: Mutex<CollectorSource>
    private let changed = AsyncChannel<CollectorSource>()

    init(_ source: CollectorSource, watcher: FileWatcher, logger: Logger) {
        self.watcher = watcher
        self.logger = logger
        self.source = Mutex(source)
    }

    /// Watches these from now on. Until they are synchronised the collectors stay as they are.
    func use(_ next: CollectorSource) async {
        let isOther = source.withLock { current in
            defer { current = next }
            return current != next
        }
        if isOther { await changed.send(next) }
    }

    /// Runs until cancelled.
    func run(_ take: @escaping @Sendable (CollectorSet) async -> Void) async throws {
        while true {
            let watch = CollectorWatch(source.withLock { $0 }, watcher: watcher, logger: logger)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await watch.run() }
                group.addTask { for await set in watch.sets { await take(set) } }
                group.addTask { [changed] in
                    for await _ in changed { return }
                }
                try await group.next()
                group.cancelAll()
            }
            try Task.checkCancellation()
        }
    }
}
