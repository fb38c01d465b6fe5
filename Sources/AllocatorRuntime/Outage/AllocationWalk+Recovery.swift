//
// AllocationWalk+Recovery.swift: what the walk does when the database is back: what the journal holds becomes revisions, or
// is stated as served; what the database has lost is recorded again.
//
// Everything here can be begun anew where it ended: entries are found by their change ids, statements by their texts.
//

import AllocationCore
import AllocationLedger
import Logging
import PostgresDriver

extension AllocationWalk {
    // MARK: Beginning a term

    /// Does what has to come before anything else of a term: the first revision after lost ones, the term's start, and what
    /// the journal holds.
    func recover(_ token: FencingToken) async throws {
        let found = try await writer.found(of: publisher.served)
        if case .lost(let lost) = ForkRepair.compare(publisher.served, with: found) {
            if found.head.map({ $0.revision > lost.last }) ?? false {
                // Another has gone on behind it.
                outage.losses.lose(lost.items)
                try await stateLosses(token)
            } else {
                try await repair(lost, token)
            }
        }
        outage.mayLackStatements = true
        try await settleRequest()
        repeat {
            try await takeBackStatements()
            try await recordJournal(token)
        } while outage.mayLackStatements && outage.asked == nil
        // Found while another led, who was not asked yet.
        if outage.asked == nil, !outage.losses.open.isEmpty { try await stateLosses(token) }
        outage.policy.recorded()
        outage.isAlone = false
    }

    // MARK: Forks

    /// Before a state is loaded: what was served has to be in the database, or the database has to be beyond it.
    ///
    /// - Throws: ``LedgerError/forked(_:)``.
    func requireNothingLost(mayBeReadOnly: Bool) async throws {
        let served = publisher.served
        guard served.last != nil else { return }
        let found = try await writer.found(of: served, mayBeReadOnly: mayBeReadOnly)
        guard case .lost(let lost) = ForkRepair.compare(served, with: found) else { return }
        guard let head = found.head, head.revision > lost.last else {
            throw LedgerError.forked(
                "the database has lost revisions that were served here, up to \(lost.last); it is at revision "
                    + "\(found.head?.revision.number ?? 0)")
        }
        if token == nil { outage.losses.lose(lost.items) }
    }

    /// Records again what the database has lost, behind every number that can have been served.
    ///
    /// - Parameter lost: Nil: nothing is known to be, but it may.
    private func repair(_ lost: LostRevisions?, _ token: FencingToken) async throws {
        if let lost, token.epoch <= lost.epoch {
            await outage.beginTerm(lost.epoch)
            throw LedgerError.fenced(token)
        }
        if lost != nil, publisher.current == nil, await !startFromDisk() {
            logger.error("the database has lost revisions, and nothing here has their content")
        }
        let start = try await writer.termStart(token)
        let memory = lost != nil && publisher.current != nil ? (state, recordedPlacement, recordedConfiguration) : nil
        let loaded = try await writer.load(into: AllocationLoader(table: table, strategy: settings.strategy))
        guard let placement = memory?.1 ?? loaded.placement else {
            throw LedgerError.refused("the database has lost all that was recorded, and nothing is kept here")
        }
        let change =
            memory?.0.change(from: loaded.state, evidence: "the database lost what was recorded", placement: placement)
            ?? AllocationChange(placement: placement)
        try await leaveNumbersOut(behind: loaded.head, lost, change, configuration: memory?.2, start, token)
        // What is pending stays so until the state is another: a journal that begins before has to begin with it.
        try await load()
        try await recordStart(start, token)
    }

    /// Records the revision that declares numbers unused, and brings the change with it.
    private func leaveNumbersOut(
        behind tip: LedgerHead?, _ lost: LostRevisions?, _ change: AllocationChange,
        configuration: ConfigurationRecord?, _ start: TermStart, _ token: FencingToken
    ) async throws {
        let last = tip?.revision.number ?? 0
        // A change that is under way may have got a number too.
        let served = (lost?.last.number ?? 0) + (outage.pending == nil ? 0 : 1)
        let number = ForkRepair.next(after: last, served: served, elapsed: start.elapsed)
        let now = try await writer.databaseTime()
        let draft = RevisionDraft(
            fork: Gap(
                from: min(tip?.at ?? head?.at ?? now, now.advanced(by: .microseconds(-1))), to: now, cause: .fork,
                detail: ForkRepair.statement(skipping: last + 1...number - 1, lost: lost)),
            number: Revision(number), change: change, configuration: configuration)
        logger.error(
            "the database has lost revisions, or may have; going on behind them",
            metadata: [
                "lost": "\(lost?.items.count ?? 0)", "database_at": "\(last)", "goes_on_at": "\(number)",
                "targets": "\(change.targets.count)",
            ])
        _ = try await writer.append(draft, fencedBy: token)
    }

    /// Where the database is another than the one that the tip was written to, it may lack what another replica has served.
    func leaveNumbersOut(_ start: TermStart, _ token: FencingToken) async throws -> Bool {
        guard start.mayHaveLost else { return false }
        try await repair(nil, token)
        return true
    }

    /// The same for a first revision, which brings its change with it.
    func leaveNumbersOut(with first: AllocationChange, _ token: FencingToken) async throws -> Bool {
        let start = try await writer.termStart(token)
        guard start.mayHaveLost else { return false }
        try await leaveNumbersOut(behind: nil, nil, first, configuration: configuration.record, start, token)
        try await load()
        try await recordStart(start, token)
        return true
    }

    /// States what this process served and the database has lost, when others have gone on since.
    private func stateLosses(_ token: FencingToken) async throws {
        try await load()
        try await recordTermStart(token)
        try await recordGap(try await statement(of: outage.losses.open), token)
        outage.losses.state()
    }

    /// Nil: all of it is stated already.
    private func statement(of lost: [ServedRevisions.Item]) async throws -> Gap? {
        let unstated = try await unstated(lost)
        guard !unstated.isEmpty else { return nil }
        let now = try await writer.databaseTime()
        return Gap(
            from: now.advanced(by: .microseconds(-1)), to: now, cause: .fork,
            detail: ForkRepair.statement(of: unstated, servedBy: outage.holder))
    }

    private func unstated(_ lost: [ServedRevisions.Item]) async throws -> [ServedRevisions.Item] {
        let digests = try await writer.unstated(lost.map(\.digest.description))
        return lost.filter { digests.contains($0.digest.description) }
    }

    // MARK: The journal

    /// Makes revisions of what the journal holds, or states what was served from it.
    private func recordJournal(_ token: FencingToken) async throws {
        guard let folder = outage.folder, var journal = outage.journal else { return }
        if !journal.holders.contains(token.holder) {
            // So that whoever comes after this process knows its revisions. A disk that is full must not stop recording.
            let record = JournalRecord.holder(token.holder)
            if (try? await folder.append(record.piece(after: journal.tip))) != nil {
                try journal.take(record)
                outage.journal = journal
            }
        }
        switch journal.recovery(try await writer.since(journal), by: token.holder) {
        case .append(let place):
            try await append(journal, from: place, token)
            await folder.removeJournal()
            outage.journal = nil
            try await load()
        case .stateServed(let place): try await stateServed(journal, from: place, token)
        case .repairFork: try await stateServed(journal, from: 0, token)
        }
        outage.contents = []
    }

    private func append(_ journal: OutageJournal, from place: Int, _ token: FencingToken) async throws {
        guard let folder = outage.folder, place < journal.entries.count else { return }
        // What the writer has to know; what is served stays until all of it is recorded.
        let loaded = try await writer.load(into: AllocationLoader(table: table, strategy: settings.strategy))
        let start = try await writer.termStart(token)
        if let placement = loaded.placement, loaded.head?.epoch != token.epoch {
            if start.mayHaveLost {
                try await leaveNumbersOut(
                    behind: loaded.head, nil, AllocationChange(placement: placement), configuration: nil, start, token)
            }
            gap.beganTerm(at: start.acquiredAt)
            _ = try await writer.append(RevisionDraft(start, placement: placement), fencedBy: token)
        }
        for (index, entry) in journal.entries.enumerated().dropFirst(place) {
            guard let content = RecordedContent(try await folder.content(outage.contents[index]), into: table) else {
                throw LedgerError.corrupted("entry \(entry.ordinal) of the journal cannot be read")
            }
            let draft = RevisionDraft(
                changeID: entry.changeID, change: content.change, cause: .outageRecovered,
                causeDetail: "journal entry \(entry.ordinal) \(entry.digest.shortText) of \(entry.cause): "
                    + entry.causeDetail,
                occurredAt: entry.occurredAt, configuration: content.configuration)
            let committed = try await writer.append(draft, fencedBy: token)
            logger.info(
                "revision recorded",
                metadata: [
                    "revision": "\(committed.head.revision.number)", "cause": "\(draft.cause.rawValue)",
                    "detail": "\(draft.causeDetail)", "occurred_at": "\(entry.occurredAt)",
                ])
        }
        logger.notice(
            "the journal is recorded", metadata: ["entries": "\(journal.entries.count)", "journal": "\(journal.tip)"])
    }

    private func stateServed(_ journal: OutageJournal, from place: Int, _ token: FencingToken) async throws {
        try await load()
        try await recordTermStart(token)
        try await recordGap(try await statement(of: journal, from: place), token)
        await letGo(of: journal, statedFrom: place)
    }

    /// Nil: nothing to state, or it is stated already.
    private func statement(of journal: OutageJournal, from place: Int) async throws -> Gap? {
        guard place < journal.entries.count, let times = journal.times,
            try await !writer.unstated([journal.tip.description]).isEmpty
        else { return nil }
        return Gap(
            from: times.from, to: max(.now(), times.to.advanced(by: .microseconds(1))), cause: .journal,
            detail: journal.statement(from: place))
    }

    /// A journal of which something was stated is kept: it is the only place that has its content.
    private func letGo(of journal: OutageJournal, statedFrom place: Int) async {
        guard let folder = outage.folder else { return }
        outage.journal = nil
        guard place < journal.entries.count else { return await folder.removeJournal() }
        let archive = await folder.archiveJournal(journal.tip.description)
        logger.notice(
            "what was served from the journal is stated in the ledger; the journal is kept",
            metadata: ["entries": "\(journal.entries.count)", "file": "\(archive)"])
    }

    // MARK: Statements that are gone

    /// A failover may have lost the revision that stated what a journal held, or which revisions were lost before. What it
    /// was made of is still here, and is there to be stated again.
    private func takeBackStatements() async throws {
        guard outage.mayLackStatements, outage.asked == nil else { return }
        outage.losses.lose(try await unstated(outage.losses.stated))
        // One after the other.
        guard outage.journal == nil else { return }
        if let folder = outage.folder, let (journal, contents) = try await lostStatement(in: folder) {
            logger.warning(
                "the database has lost what was stated of a journal", metadata: ["journal": "\(journal.tip)"])
            (outage.journal, outage.contents) = (journal, contents)
        } else {
            outage.mayLackStatements = false
        }
    }

    /// The first journal that was put aside and that the ledger does not name, as the journal again.
    private func lostStatement(in folder: OutageFolder) async throws -> (OutageJournal, [Range<Int64>])? {
        let tips = await folder.archivedJournals(youngerThan: .seconds(3600))
        let unstated = try await writer.unstated(tips)
        for tip in tips where unstated.contains(tip) {
            if let found = try await folder.takeBackJournal(tip) { return found }
        }
        return nil
    }

    /// What is left to be stated may wait for a request that this process made before it led; then the term begins again.
    func settleOwnRequest() async throws {
        guard outage.asked != nil, !outage.policy.isJournalling else { return }
        try await settleRequest()
        if outage.asked == nil, outage.journal != nil || !outage.losses.open.isEmpty { needsLoad = true }
    }

    // MARK: Not leading

    /// Has whoever leads state what this process served: from its journal, or revisions that were lost.
    func askToState() async {
        guard token == nil, !outage.policy.isJournalling, case .following(leader: .some) = publisher.status.role,
            outage.journal != nil || !outage.losses.open.isEmpty || outage.mayLackStatements
        else { return }
        do {
            try await takeBackStatements()
            try await askLeader()
        } catch {
            logger.debug("what was served is stated later", metadata: ["error": "\(error)"])
        }
    }

    private func askLeader() async throws {
        try await settleRequest()
        guard outage.asked == nil else { return }
        if let journal = outage.journal {
            // Untouched, it becomes revisions when this process leads again; what is recorded already needs no more.
            let place: Int
            switch journal.recovery(try await writer.since(journal), by: outage.holder) {
            case .append(let next) where next == journal.entries.count:
                return await letGo(of: journal, statedFrom: next)
            case .append: return
            case .stateServed(let next): place = next
            case .repairFork: place = 0
            }
            guard let gap = try await statement(of: journal, from: place) else {
                return await letGo(of: journal, statedFrom: place)
            }
            outage.asked = (try await writer.ask(toState: gap, by: "replica \(outage.holder)"), journal.tip)
        } else if let name = outage.losses.name {
            guard let gap = try await statement(of: outage.losses.open) else { return outage.losses.state() }
            outage.asked = (try await writer.ask(toState: gap, by: "replica \(outage.holder)"), name)
        }
    }

    /// Looks what has become of the request to state something, if there is one.
    private func settleRequest() async throws {
        guard let asked = outage.asked else { return }
        let fate = try await writer.fate(of: asked.id)
        guard fate != .open else { return }
        outage.asked = nil
        // Else lost in a failover: asked again.
        guard fate == .done else { return }
        if outage.losses.name == asked.about { outage.losses.state() }
        if let journal = outage.journal, journal.tip == asked.about { await letGo(of: journal, statedFrom: 0) }
    }
}
