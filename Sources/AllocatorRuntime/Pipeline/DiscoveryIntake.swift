//
// DiscoveryIntake.swift: discovery and the table of labels that it fills, apart from the walk that takes the results.
//
// What is found waits in the manager until the walk asks. So discovery may begin while a database is still being made,
// which at a first start is a good part of the time until something is served.
//

import AllocationCore
import Discovery
import HTTPTransport
import Logging

/// All discovery of a process. One runs at a time.
package struct DiscoveryIntake: Sendable {
    package let table = LabelTable()
    let watcher: FileWatcher
    let manager: DiscoveryManager

    package init(logger: Logger) {
        watcher = FileWatcher(logger: logger)
        manager = DiscoveryManager(
            table: table, watcher: watcher, http: HTTPClient(userAgent: "target-ledger"), logger: logger)
    }

    /// Discovers what the settings' jobs name until cancelled.
    ///
    /// - Throws: `CancellationError`.
    package func run(_ settings: AllocatorService.Settings) async throws {
        await apply(settings)
        try await manager.run()
    }

    /// Says what is to be discovered once it runs.
    func apply(_ settings: AllocatorService.Settings) async {
        await manager.apply(settings.scrapeConfigs.map { JobDiscovery($0) })
    }
}
