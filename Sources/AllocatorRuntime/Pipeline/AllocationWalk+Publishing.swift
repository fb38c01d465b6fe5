//
// AllocationWalk+Publishing.swift: what is served: the state as it was loaded, and each change of it that is recorded.
//
// Nothing is published that is not committed, and nothing that was served is taken back.
//

import AllocationCore
import AllocationLedger
import Logging
import PrometheusConfig

extension AllocationWalk {
    func load(mayBeReadOnly: Bool = false) async throws {
        try await requireNothingLost(mayBeReadOnly: mayBeReadOnly)
        let started = ContinuousClock.now
        let loaded = try await writer.load(
            into: AllocationLoader(table: table, strategy: settings.strategy), mayBeReadOnly: mayBeReadOnly)
        if let current = publisher.current?.head, FollowerLog.Tip(current) != FollowerLog.Tip(loaded.head),
            current.revision.number >= loaded.head?.revision.number ?? 0
        {
            // Nothing that was served is taken back: whoever leads has to repair this.
            let fork = FollowerLog.Fork(applied: FollowerLog.Tip(current), head: FollowerLog.Tip(loaded.head))
            throw LedgerError.forked("\(fork)")
        }
        state = loaded.state
        head = loaded.head
        outage.pending = nil
        // Whatever was in between is not known here.
        outage.mayLackStatements = true
        recordedConfiguration = loaded.configuration
        recordedPlacement = loaded.placement
        needsLoad = false
        tail.withLog { [head] in $0.loaded(FollowerLog.Tip(head), now: .now) }
        guard let head else {
            publisher.update {
                $0.reasonsNotReady = ["no state: the ledger is empty, and waits for collectors and the lease"]
            }
            return
        }
        publisher.publish(
            AllocationSnapshot(
                state: state, head: head, scrapeConfigs: servedConfiguration, pendingJobs: pendingJobs(),
                after: publisher.current))
        publisher.update { $0.reasonsNotReady = [] }
        logger.notice(
            "state loaded from the ledger",
            metadata: [
                "revision": "\(head.revision.number)", "targets": "\(state.targetCount)",
                "collectors": "\(state.collectorNames.count)", "seconds": "\(started.duration(to: .now).inSeconds)",
            ])
    }

    func publish(_ change: AllocationChange) {
        guard let head else { return }
        let snapshot: AllocationSnapshot
        if let current = publisher.current, current.head.revision.number + 1 == head.revision.number {
            snapshot = current.advanced(
                by: change, state: state, head: head, scrapeConfigs: configuration.served, pendingJobs: pendingJobs())
        } else {
            snapshot = AllocationSnapshot(
                state: state, head: head, scrapeConfigs: configuration.served, pendingJobs: pendingJobs(),
                after: publisher.current)
        }
        publisher.publish(snapshot)
        publisher.update {
            $0.reasonsNotReady = []
            $0.staleness = nil
        }
    }

    /// A job that turned out to be empty, or a configuration whose secrets changed, makes no revision but another answer.
    func publishIfSame() {
        guard let current = publisher.current, current.head.digest == head?.digest,
            recordedConfiguration?.digest == configuration.record.digest
        else { return }
        let pending = pendingJobs()
        guard current.pendingJobs != pending || current.scrapeConfigs != configuration.served else { return }
        publisher.publish(current.with(scrapeConfigs: configuration.served, pendingJobs: pending))
    }

    /// The configuration as it is in force: this process's own where that is the one recorded.
    var servedConfiguration: ScrapeConfigDocument {
        recordedConfiguration?.digest == configuration.record.digest
            ? configuration.served
            : recordedConfiguration.flatMap(ConfigurationDocument.served) ?? configuration.served
    }

    /// Jobs whose discovery has not shown yet whether they have targets.
    func pendingJobs() -> Set<String> {
        let known = state.jobsKnownToBeComplete.union(following.synchronisedJobs)
        return Set(settings.scrapeConfigs.lazy.map(\.jobName).filter { !known.contains($0) })
    }
}
