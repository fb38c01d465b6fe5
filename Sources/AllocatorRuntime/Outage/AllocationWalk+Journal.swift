//
// AllocationWalk+Journal.swift: the walk while nothing can be recorded: relabel → allocate → journal → publish.
//
// What the journal's policy allows is written to the journal in place of the ledger, and served with the journal's ordinal
// beside the last revision's number. Nothing of it counts as a revision before it is one.
//

import AllocationCore
import AllocationLedger
import Discovery
import Logging
import PostgresDriver

extension AllocationWalk {
    // MARK: Steps

    /// Whether this step goes to the journal.
    func journalsNow() -> Bool {
        guard outage.folder != nil, head != nil, !outage.hasOlderJournal(than: head), outage.lastToken != nil else {
            return false
        }
        // While the lease is held the ledger is tried first; the journal is only used once it has begun to be.
        return token == nil ? outage.policy.mayJournal(now: .now) : outage.policy.isJournalling
    }

    /// Whether what could not be written under the held lease can be by now. If so, the journal is recorded.
    func isRecordable(_ token: FencingToken) async throws -> Bool {
        let started = ContinuousClock.now
        // However far it gets: a state that is loaded on the way has nothing of this process's discovery.
        defer { needsLoad = true }
        do {
            try await recover(token)
            return true
        } catch let error as LedgerError where error.isRetryable {
            outage.probe(after: started.duration(to: .now), now: .now)
            certainty.failed()
            // The lease may have been renewed since the last revision; that proves nothing of what the journal took.
            gap.failed(certainUntil: head?.at, because: "\(error)")
            return false
        }
    }

    /// Runs one step without the database.
    func journalStep(_ body: (FencingToken) async throws -> Void) async throws {
        guard let token = outage.lastToken else { return }
        do {
            try await beginJournal()
            try await body(token)
        } catch let error as OutageFolderError {
            hold(because: error)
        } catch let error as LedgerError {
            // What needs the database waits for it.
            logger.debug("left for later", metadata: ["error": "\(error)"])
        }
    }

    /// The journal takes no more: nothing changes until the database is back.
    func hold(because error: OutageFolderError) {
        outage.policy.journalFailed(because: "\(error)")
        outage.isAlone = false
        publisher.update { $0.becomeStale(because: "the journal takes no more, so nothing changes: \(error)") }
        logger.error(
            "the journal cannot be written; nothing changes until the database is back",
            metadata: ["error": "\(error)"])
    }

    /// The grace period is over: takes what has come since the last revision, and goes on.
    func goOnAlone() async throws {
        guard token == nil, !outage.isAlone, journalsNow() else { return }
        outage.isAlone = true
        logger.warning(
            "going on without the database: changes are kept in a journal and served from it",
            metadata: ["journal": "\(outage.folder?.path ?? "")", "revision": "\(head?.revision.number ?? 0)"])
        try await journalStep { token in
            try await self.recordConfiguration(token)
            try await self.takeCollectors(token)
        }
        handOver = await discovery.requestFullHandOver()
    }

    // MARK: Writing

    /// Begins the journal, if there is none, with the state that it continues beside it.
    ///
    /// - Parameter draft: What is written next. What could not be recorded before it comes first.
    private func beginJournal(before draft: RevisionDraft? = nil) async throws {
        guard outage.journal == nil, let folder = outage.folder, let head, let token = outage.lastToken,
            let current = publisher.current
        else { return }
        try await folder.keep(current, ledTerm: token.epoch)
        let base = OutageJournal.Base(
            head: head, holder: outage.holder, beganAt: .now(),
            reason: publisher.status.staleness?.reason ?? "the database cannot be reached")
        try await folder.beginJournal(base)
        outage.journal = OutageJournal(base: base)
        outage.contents = []
        guard let pending = outage.pending, pending.changeID != draft?.changeID else { return }
        _ = try await journal(pending)
        publishJournalled(pending.change)
    }

    /// Serves what has just been written to the journal.
    func publishJournalled(_ change: AllocationChange) {
        guard let current = publisher.current else { return }
        publisher.publish(
            current.advanced(
                by: change, state: state, head: current.head, journal: outage.journal?.position,
                scrapeConfigs: configuration.served, pendingJobs: pendingJobs()))
    }

    /// Writes a change to the journal. It is on the disk when this returns.
    ///
    /// - Returns: The revision that the journal continues.
    /// - Throws: ``OutageFolderError``.
    func journal(_ draft: RevisionDraft) async throws -> CommittedRevision {
        try await beginJournal(before: draft)
        guard let folder = outage.folder, var journal = outage.journal, let head else {
            throw LedgerError.refused("there is no journal")
        }
        let content = RecordedContent(change: draft.change, configuration: draft.configuration).encoded(in: table)
        let entry = journal.entry(
            changeID: draft.changeID, occurredAt: .now(), cause: draft.cause.rawValue, causeDetail: draft.causeDetail,
            counts: draft.change.counts, contentDigest: .hash(content))
        let end = try await folder.append(JournalRecord.entry(entry).piece(after: journal.tip, content: content))
        try journal.take(.entry(entry))
        outage.journal = journal
        outage.contents.append(end - Int64(content.count)..<end)
        outage.pending = nil
        gap.failed(certainUntil: head.at, because: journal.base.reason)
        logger.notice(
            "change written to the journal",
            metadata: [
                "entry": "\(entry.ordinal)", "revision": "\(head.revision.number)", "cause": "\(entry.cause)",
                "detail": "\(entry.causeDetail)", "targets": "\(draft.change.targets.count)",
            ])
        return CommittedRevision(head: head)
    }

    /// Whether what others record can be taken over: not while the journal is in use, or will become revisions. Once another
    /// has written, the ledger's state is loaded: this one is beyond another revision.
    func mayFollow() async throws -> Bool {
        if outage.policy.isJournalling { return false }
        guard publisher.current?.journal != nil else { return true }
        if try await isJournalUntouched() { return false }
        needsLoad = true
        return true
    }

    /// Whether there is a journal that will become revisions, with something in it that is none yet.
    func isJournalUntouched() async throws -> Bool {
        guard let journal = outage.journal, !journal.entries.isEmpty else { return false }
        guard case .append(let place) = journal.recovery(try await writer.since(journal), by: outage.holder) else {
            return false
        }
        return place < journal.entries.count
    }

    // MARK: Starting

    /// Looks at what a process before this one has left on the disk. Called once, before anything else.
    func openOutageFiles() async {
        guard let folder = outage.folder else { return }
        do {
            if let head = try await folder.keptHead() { publisher.remember(head) }
            guard let (journal, contents) = try await folder.openJournal() else { return }
            outage.journal = journal
            outage.contents = contents
            logger.notice(
                "a journal of an outage is there",
                metadata: ["entries": "\(journal.entries.count)", "revision": "\(journal.base.head.revision.number)"])
        } catch {
            logger.error(
                "what is kept on the disk cannot be used",
                metadata: ["folder": "\(folder.path)", "error": "\(error)"])
        }
    }

    /// Serves what was kept on the disk, because the database cannot be asked.
    ///
    /// - Returns: Whether there was something.
    func startFromDisk() async -> Bool {
        guard publisher.current == nil, let folder = outage.folder else { return false }
        do {
            guard let kept = try await folder.state(into: table) else { return false }
            var later: [AllocationChange] = []
            var position: JournalPosition?
            if let journal = outage.journal, journal.base.head.digest == kept.head.digest {
                for range in outage.contents {
                    guard let content = RecordedContent(try await folder.content(range), into: table) else {
                        throw KeptStateError.altered
                    }
                    later.append(content.change)
                }
                position = journal.position
            }
            serve(kept, later, position)
            return true
        } catch {
            logger.error("the state on the disk cannot be used", metadata: ["error": "\(error)"])
            return false
        }
    }

    private func serve(_ kept: KeptState, _ later: [AllocationChange], _ position: JournalPosition?) {
        state = kept.allocation(in: table, strategy: settings.strategy, after: later)
        head = kept.head
        recordedPlacement = (later.last ?? kept.state).placement
        // The same configuration is not recorded again.
        if kept.strategy == settings.strategy.name, kept.scrapeConfigs == configuration.served.redacted {
            recordedConfiguration = configuration.record
        }
        kept.publish(state, journal: position, configuration.served, pendingJobs: pendingJobs(), on: publisher, logger)
        let ledTerm = kept.ledTerm ?? (position == nil ? nil : kept.head.epoch)
        if let ledTerm {
            outage.lastToken = FencingToken(holder: outage.holder, epoch: ledTerm)
            outage.policy.resumed(epoch: ledTerm, now: .now)
        }
    }
}

extension AllocationChange {
    /// Targets added, removed, moved and relabelled.
    var counts: [Int64] {
        var counts: [Int64] = [0, 0, 0, 0]
        for target in targets {
            switch (target.before, target.after) {
            case (nil, _): counts[0] += 1
            case (_, nil): counts[1] += 1
            case (let before?, let after?):
                if before.collector != after.collector { counts[2] += 1 }
                if before.labels != after.labels { counts[3] += 1 }
            }
        }
        return counts
    }
}
