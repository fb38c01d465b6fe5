//
// AllocationWalk+Following.swift: what the walk does while another process leads: publish each revision that one records.
//
// Work is proportional to the change. The state that is served is the state that a term would begin with, so a follower
// that is at the head begins to lead without loading anything.
//

import AllocationCore
import AllocationLedger
import Discovery
import Logging

/// What a follower keeps in mind.
struct Following: Sendable {
    /// What this process's own discovery contributed has been let go of.
    var hasForgottenDiscovery = false
    /// Jobs of which this process's own discovery has shown everything; a list of theirs that is empty in the ledger is.
    var synchronisedJobs: Set<String> = []
    /// The lease cannot be asked for, and who holds it is not known.
    var isLeaseUnavailable = false
    /// What could not be read or applied, told once for as long as it stays the same.
    var fault: String?
}

extension AllocationWalk {
    /// Takes over what has been recorded, up to the head. Faults are held against it until they pass.
    func follow() async {
        do {
            guard try await mayFollow() else { return }
            let before = head?.revision
            try await advance()
            if following.fault != nil { logger.notice("what is recorded is followed again") }
            following.fault = nil
            guard head != nil else { return }
            // Where nobody may be recording, what is read without a fault may still be old.
            let isRecorded = head?.revision != before || !following.isLeaseUnavailable
            publisher.update {
                if isRecorded { $0.staleness = nil }
                $0.reasonsNotReady = []
            }
        } catch let error as LedgerError {
            note(error)
        } catch is CancellationError {
            return
        } catch {
            logger.error("following failed", metadata: ["error": "\(error)"])
        }
    }

    /// At the beginning of a term: the state is brought to the head by what was recorded since, or loaded.
    func reachHead() async throws {
        if !needsLoad, head != nil, tail.withLog({ $0.fork }) == nil {
            try await advance()
        }
        let tip = try await writer.prepareToLead()
        if needsLoad || tip?.digest != head?.digest { try await load() }
        following.hasForgottenDiscovery = false
    }

    /// Reads and applies until there is nothing more.
    private func advance() async throws {
        if needsLoad { try await load() }
        if !following.hasForgottenDiscovery {
            following.synchronisedJobs.formUnion(state.jobsKnownToBeComplete)
            state.forgetDiscovery()
            following.hasForgottenDiscovery = true
        }
        tail.withLog { [head] log in
            // This process itself may have written since it last followed.
            if log.applied != FollowerLog.Tip(head) { log.loaded(FollowerLog.Tip(head), now: .now) }
        }
        while true {
            let (tail, targets) = (tail, state.targetCount)
            let batch = try await writer.tail(behind: head) { reading in
                tail.withLog { $0.read(reading, targets: targets, now: .now) }
            }
            switch batch.decision {
            case .upToDate: return
            case .apply(_, let readMore):
                for revision in batch.revisions {
                    guard let change = revision.apply(to: &state) else {
                        return try await reload(.contradiction(at: revision.head.revision.number))
                    }
                    await take(revision, change, batch)
                }
                guard readMore else { return }
            case .reload(let reason): return try await reload(reason)
            case .forked(let fork): throw LedgerError.forked("\(fork)")
            }
        }
    }

    private func take(_ revision: RecordedRevision, _ change: AllocationChange, _ batch: TailBatch) async {
        head = revision.head
        recordedPlacement = change.placement
        if recordedConfiguration?.digest != revision.configuration {
            recordedConfiguration = revision.configuration.flatMap { batch.configurations[$0] }
        }
        // What a revision leaves empty is empty by what is recorded.
        following.synchronisedJobs.formUnion(revision.change.jobs)
        await writer.follow(revision, change)
        if revision.link.unused > 0 { outage.mayLackStatements = true }
        tail.withLog { $0.applied(through: revision.link, now: .now) }
        let snapshot: AllocationSnapshot
        if let current = publisher.current {
            snapshot = current.advanced(
                by: change, state: state, head: revision.head, scrapeConfigs: servedConfiguration,
                pendingJobs: pendingJobs())
        } else {
            snapshot = AllocationSnapshot(
                state: state, head: revision.head, scrapeConfigs: servedConfiguration, pendingJobs: pendingJobs())
        }
        publisher.publish(snapshot)
        logger.debug(
            "revision followed",
            metadata: ["revision": "\(revision.head.revision)", "targets": "\(change.targets.count)"])
    }

    private func reload(_ reason: FollowerLog.ReloadReason) async throws {
        logger.notice("the whole state is loaded instead of what is missing", metadata: ["reason": "\(reason)"])
        try await load()
        // Loaded as it is in the ledger: nothing of it is this process's own.
        following.hasForgottenDiscovery = true
    }

    private func note(_ error: LedgerError) {
        let text = "\(error)"
        publisher.update {
            $0.becomeStale(because: text)
            if case .corrupted = error { $0.reasonsNotReady = ["the chain is broken: \(text)"] }
        }
        guard following.fault != text else { return }
        following.fault = text
        logger.warning(
            "what is recorded cannot be followed; the last revision stays served", metadata: ["error": "\(text)"])
    }

    /// Without the lease nothing can be recorded; all of it is asked for again when this process leads.
    func letGo(_ batch: DiscoveryBatch) {
        keep(batch.reports)
        let found = batch.jobs.filter(\.value.isSynchronised).map(\.key)
        guard !following.synchronisedJobs.isSuperset(of: found) else { return }
        following.synchronisedJobs.formUnion(found)
        publishIfSame()
    }
}
