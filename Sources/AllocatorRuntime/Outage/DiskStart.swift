//
// DiskStart.swift: serves what was kept on the disk, marked as old.
//

import AllocationCore
import AllocationLedger
import Logging
import PostgresDriver
import PrometheusConfig

/// A start without the database, and without a walk.
package struct DiskStart: Sendable {
    private let folder: OutageFolder?
    private let publisher: SnapshotPublisher
    private let table: LabelTable
    private let logger: Logger

    package init(folder: OutageFolder?, publisher: SnapshotPublisher, table: LabelTable, logger: Logger) {
        self.folder = folder
        self.publisher = publisher
        self.table = table
        self.logger = logger
    }

    /// - Parameter reason: Why there is no database.
    /// - Returns: Whether there is something to serve.
    package func serve(_ settings: AllocatorService.Settings, because reason: String) async -> Bool {
        if publisher.current == nil, let folder {
            do {
                guard let kept = try await folder.state(into: table) else { return false }
                let state = kept.allocation(in: table, strategy: settings.strategy)
                let known = state.jobsKnownToBeComplete
                kept.publish(
                    state, journal: nil, ConfigurationDocument(WalkSettings(settings)).served,
                    pendingJobs: Set(settings.scrapeConfigs.lazy.map(\.jobName).filter { !known.contains($0) }),
                    on: publisher, logger)
            } catch {
                logger.error("the state on the disk cannot be used", metadata: ["error": "\(error)"])
            }
        }
        guard publisher.current != nil else { return false }
        publisher.update { $0.becomeStale(because: reason) }
        return true
    }
}

extension KeptState {
    /// Serves it.
    ///
    /// - Parameters:
    ///   - state: This one, with what the journal has beyond it.
    ///   - own: The configuration of this process: served with its secrets where it is the one that was kept.
    func publish(
        _ state: AllocationState, journal: JournalPosition?, _ own: ScrapeConfigDocument, pendingJobs: Set<String>,
        on publisher: SnapshotPublisher, _ logger: Logger
    ) {
        let document = ScrapeConfigDocument(redacted: scrapeConfigs, clear: nil)
        publisher.publish(
            AllocationSnapshot(
                state: state, head: head, journal: journal,
                scrapeConfigs: document.redacted == own.redacted ? own : document, pendingJobs: pendingJobs))
        publisher.update {
            $0.reasonsNotReady = []
            let age = max(.zero, Timestamp.now().since(savedAt))
            $0.staleness = .init(since: .now - age, reason: "the state is the one that was kept on the disk")
        }
        logger.warning(
            "serving the state that was kept on the disk",
            metadata: [
                "revision": "\(head.revision.number)", "targets": "\(state.targetCount)", "saved_at": "\(savedAt)",
                "journal_entries": "\(journal?.ordinal ?? 0)",
            ])
    }
}
