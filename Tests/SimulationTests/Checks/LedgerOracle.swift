//
// LedgerOracle.swift: knows everything that was ever committed and checks each step against the rules.
//

import AllocationCore
import PostgresDriver

@testable import AllocationLedger
@testable import AllocatorRuntime

/// The judge. It sees the database's commits before anybody else does, and everything that a replica serves.
final class LedgerOracle {
    private struct Committed {
        var row: RevisionRow
        var targets: [TargetPlace: TargetRow]
        var collectors: Set<String>
    }

    private unowned let cluster: Cluster
    private var simulation: Simulation { cluster.simulation }
    private var committed: [Digest32: Committed] = [:]
    private var holders: [Int64: UUID128] = [:]
    /// By number, of what was ever served.
    private var servedDigests: [Int64: Digest32] = [:]
    /// Those that were served and then lost.
    private var lostNumbers: Set<Int64> = []
    private(set) var lossCount = 0
    private var journal: [Digest32: Journalled] = [:]
    /// The entries that a journal had when this was its tip.
    private var covered: [String: [Digest32]] = [:]
    private var recordedChanges: Set<UUID128> = []
    private(set) var commitCount = 0
    private(set) var publishCount = 0

    init(_ cluster: Cluster) { self.cluster = cluster }

    // MARK: Commits

    func committed(_ row: RevisionRow, _ before: LedgerTables, _ after: LedgerTables) {
        commitCount += 1
        simulation.note(
            "db",
            "revision \(row.number) of epoch \(row.epoch) by \(cluster.name(of: row.holder)): "
                + "\(row.cause.rawValue), \(row.targets.count) targets, \(row.collectors.count) collectors")
        if after.lease.epoch != row.epoch || after.lease.holder != row.holder {
            simulation.violate(.oneWriter, "revision \(row.number) of epoch \(row.epoch) in epoch \(after.lease.epoch)")
        }
        if holders[row.epoch, default: row.holder] != row.holder {
            simulation.violate(.oneWriter, "epoch \(row.epoch) has two holders")
        }
        holders[row.epoch] = row.holder
        checkNumber(row, before)
        if row.previous != before.head?.digest ?? .zero || row.sealed().digest != row.digest {
            simulation.violate(.chain, "revision \(row.number)")
        }
        if let head = before.head, row.at <= head.at { simulation.violate(.chain, "time goes back at \(row.number)") }
        if before.revision(of: row.changeID) != nil {
            simulation.violate(.onceOnly, "revision \(row.number) repeats a change")
        }
        // What is recorded again has the reasons that two states show.
        if row.cause != .forkRepaired, row.cause != .outageRecovered {
            for event in row.targets { check(event, row, before, after) }
            for event in row.collectors { check(event, row, before) }
        }
        recordedChanges.insert(row.changeID)
        committed[row.digest] = Committed(row: row, targets: after.targets, collectors: after.collectors)
        certainUntil = [row.at, certainUntil, heldUntil].compactMap(\.self).max()
        hasRecorded = true
        if simulation.now >= Cluster.calmFrom {
            simulation.after(Cluster.twoPolls) { [unowned self] in checkReached(row.number) }
        }
    }

    /// Once all is well nobody needs longer than two polls.
    private func checkReached(_ number: Int64) {
        for replica in cluster.replicas where replica.published.map({ $0.revision.number < number }) ?? true {
            simulation.violate(
                .catchUp,
                "\(replica.process.name) serves \(replica.published?.revision.number ?? 0), and \(number) is two polls old"
            )
        }
    }

    // MARK: Times without recording

    /// When recording was last certain: something was recorded, or the lease held.
    private var certainUntil: Timestamp?
    /// In the term that there is.
    private var hasRecorded = false
    private var heldUntil: Timestamp?
    private var unrecorded: [(from: Timestamp, to: Timestamp, why: String)] = []

    func leaseHeld(at now: Timestamp) {
        heldUntil = now
        if hasRecorded { certainUntil = now }
    }

    /// A term begins.
    func termBegins(_ epoch: Int64, at now: Timestamp) {
        if let certainUntil, certainUntil < now, cluster.database.tables.head != nil {
            unrecorded.append((certainUntil, now, "before term \(epoch)"))
        }
        hasRecorded = false
        heldUntil = now
    }

    /// The server took nothing for longer than a lease lasts.
    func unavailable(from: Timestamp, to: Timestamp) {
        if cluster.database.tables.head.map({ $0.at < from }) ?? false { unrecorded.append((from, to, "no server")) }
    }

    /// Every such time lies in gaps that are declared, unless clocks were set or what declared it was lost.
    private func checkGaps() {
        guard !cluster.plan.has(.databaseClock), !cluster.plan.has(.failover) else { return }
        let gaps = cluster.database.tables.revisions.flatMap(\.gaps).sorted { $0.from < $1.from }
        for time in unrecorded {
            var covered = time.from
            for gap in gaps where gap.from <= covered && gap.to > covered { covered = gap.to }
            if covered < time.to {
                simulation.violate(.gap, "\(time.from) to \(time.to), \(time.why): recorded until \(covered)")
            }
        }
    }

    private func checkNumber(_ row: RevisionRow, _ before: LedgerTables) {
        let last = before.head?.revision.number ?? 0
        if row.number != last + 1 {
            let skipped = ForkRepair.skipped(in: row.detail)
            if skipped != last + 1...max(last + 1, row.number - 1) || row.number <= last + 1 {
                simulation.violate(.numbers, "\(row.number) follows \(last)")
            }
        }
        if let other = servedDigests[row.number], other != row.digest {
            simulation.violate(.numbers, "\(row.number) was served with another digest before it was lost")
        }
    }

    /// A standby without them has taken over.
    func lost(_ rows: [RevisionRow]) {
        lossCount += rows.count
        for row in rows where servedDigests[row.number] == row.digest { lostNumbers.insert(row.number) }
    }

    private func check(_ event: TargetEventRow, _ row: RevisionRow, _ before: LedgerTables, _ after: LedgerTables) {
        let what = "\(event.place.job)/\(event.place.identity.rawValue) at revision \(row.number)"
        if before.targets[event.place] != event.before {
            simulation.violate(.replay, "\(what) was not as its event says")
        }
        guard let now = event.after else {
            if event.reason != .vanished || cluster.sight(of: row.holder)?.hasMissed(event.place) != true {
                simulation.violate(.emptied, "\(what): \(event.reason.code)")
            }
            return
        }
        if let name = now.collector, !after.collectors.contains(name) {
            simulation.violate(.reason, "\(what) goes to \(name), who is not there")
        }
        guard let old = event.before, old.collector != now.collector else { return }
        let isTrue =
            switch event.reason {
            case .collectorLeft: old.collector.map { !after.collectors.contains($0) } ?? false
            case .collectorJoined: row.collectors.contains { $0.kind == .joined && $0.name == now.collector }
            default: false
            }
        if !isTrue { simulation.violate(.reason, "\(what) moves for \(event.reason.code)") }
    }

    private func check(_ event: CollectorEventRow, _ row: RevisionRow, _ before: LedgerTables) {
        let isThere = before.collectors.contains(event.name)
        switch event.kind {
        case .joined:
            if isThere { simulation.violate(.replay, "\(event.name) joins twice at revision \(row.number)") }
        case .left:
            if !isThere { simulation.violate(.replay, "\(event.name) leaves twice at revision \(row.number)") }
            if cluster.sight(of: row.holder)?.missedCollectors.contains(event.name) != true {
                simulation.violate(.emptied, "\(event.name) leaves at revision \(row.number)")
            }
        case .ready, .notReady, .nodeChanged: break
        }
    }

    // MARK: What goes to a journal

    private struct Journalled {
        var changeID: UUID128
        var state: AllocationState
        var targets: [TargetPlace: TargetRow]
        var collectors: Set<String>
        var wasServed = false
    }

    /// An entry is about to be written; what it says will be served.
    func journalling(_ entry: JournalEntry, _ row: RevisionRow, _ state: AllocationState, by replica: Replica) {
        for event in row.targets where event.after == nil && !replica.sight.hasMissed(event.place) {
            simulation.violate(.emptied, "\(event.place) in the journal of \(replica.process.name)")
        }
        let (targets, collectors) = Self.content(state)
        journal[entry.digest] = Journalled(
            changeID: entry.changeID, state: state, targets: targets, collectors: collectors)
    }

    /// What a statement that names the journal's tip covers.
    func journalled(_ whole: OutageJournal) {
        covered["\(whole.tip)"] = whole.entries.map(\.digest)
    }

    func state(after position: JournalPosition) -> AllocationState? { journal[position.digest]?.state }

    // MARK: What is served

    func published(_ snapshot: AllocationSnapshot, by replica: Replica) {
        publishCount += 1
        let (head, position, content) = (snapshot.head, snapshot.journal, Self.content(snapshot))
        replica.note("serves revision \(head.revision.number)\(position.map { ", entry \($0.ordinal)" } ?? "")")
        if let position {
            guard let entry = journal[position.digest], content == (entry.targets, entry.collectors) else {
                return simulation.violate(.served, "\(replica.process.name) at entry \(position.ordinal)")
            }
            journal[position.digest]?.wasServed = true
            return
        }
        guard let committed = committed[head.digest] else {
            return simulation.violate(
                .served, "\(replica.process.name) serves \(head.revision), which was never committed")
        }
        if servedDigests[head.revision.number, default: head.digest] != head.digest {
            simulation.violate(.numbers, "\(head.revision) is served with two digests")
        }
        servedDigests[head.revision.number] = head.digest
        if cluster.isLost(committed.row) { lostNumbers.insert(committed.row.number) }
        guard committed.row.head == head else {
            return simulation.violate(.served, "\(replica.process.name) names \(head.revision) wrongly")
        }
        if replica.everServed.last != head { replica.everServed.append(head) }
        if content != (committed.targets, committed.collectors) {
            simulation.violate(
                .served,
                "\(replica.process.name) at \(head.revision): \(content.targets.count) targets, "
                    + "\(content.collectors.sorted()), not \(committed.targets.count), \(committed.collectors.sorted())"
            )
        }
        if Self.content(replica.state) != content {
            simulation.violate(.replay, "\(replica.process.name) at \(head.revision): the walk's state is another")
        }
    }

    /// What the lists of a snapshot say.
    static func content(_ snapshot: AllocationSnapshot) -> (targets: [TargetPlace: TargetRow], collectors: Set<String>)
    {
        var targets: [TargetPlace: TargetRow] = [:]
        for job in snapshot.jobs {
            let lists = job.lists.map { (Optional($0.key), $0.value) } + (job.unassigned.map { [(nil, $0)] } ?? [])
            for (collector, list) in lists {
                let name = collector.map { snapshot.roster.collectors[Int($0.rawValue)].name }
                for target in list.targets {
                    targets[TargetPlace(job: job.name, identity: target.identity)] = TargetRow(
                        labels: target.labels, address: target.address, collector: name)
                }
            }
        }
        return (targets, Set(snapshot.roster.present))
    }

    static func content(_ state: AllocationState) -> ([TargetPlace: TargetRow], Set<String>) {
        var targets: [TargetPlace: TargetRow] = [:]
        let (jobs, collectors) = (state.jobNames, state.collectorTable)
        state.forEachTarget { job, identity, target in
            let place = TargetPlace(job: jobs[Int(job.rawValue)], identity: identity)
            targets[place] = TargetRow(
                labels: target.labels, address: target.address,
                collector: target.collector.map { collectors[Int($0.rawValue)].name })
        }
        return (targets, Set(state.collectorNames))
    }

    // MARK: Trust

    /// At most one process trusts a lease, unless the database's clock or memory was tampered with. Asked whenever somebody
    /// begins to: time only ends trust.
    func checkTrust() {
        guard !cluster.plan.canBreakLeases else { return }
        var trusting: Replica?
        for replica in cluster.replicas where replica.process.isAlive {
            guard let epoch = replica.lease.heldEpoch,
                replica.isTrusted(FencingToken(holder: replica.holder, epoch: epoch))
            else { continue }
            if let other = trusting {
                simulation.violate(.oneTrusted, "\(other.process.name) and \(replica.process.name)")
            }
            trusting = replica
        }
    }

    /// After the faults have ended and nothing has changed for a while.
    func checkEnd() {
        let database = cluster.database
        guard let head = database.tables.head else { return simulation.violate(.catchUp, "nothing is recorded") }
        for replica in cluster.replicas where replica.published != head {
            simulation.violate(
                .catchUp,
                "\(replica.process.name) serves \(replica.published?.revision.number ?? 0), not \(head.revision)")
        }
        checkGaps()
        // What was stated and then lost with a server is to be stated again.
        let statements = database.tables.revisions.flatMap(\.gaps).filter { $0.cause == "journal" }.map(\.detail)
        let stated = Set(covered.filter { tip, _ in statements.contains { $0.contains(tip) } }.flatMap(\.value))
        for (digest, entry) in journal where entry.wasServed && !recordedChanges.contains(entry.changeID) {
            if !stated.contains(digest) {
                simulation.violate(.lost, "an entry of a journal was served, and nothing says so")
            }
        }
        let skipped = database.tables.revisions.compactMap { ForkRepair.skipped(in: $0.detail) }
        for number in lostNumbers.sorted() where !skipped.contains(where: { $0.contains(number) }) {
            simulation.violate(.lost, "revision \(number) was served and lost, and nothing says so")
        }
        checkStatements()
        var targets: Set<TargetPlace> = []
        for place in Truth.places {
            for target in cluster.truth.found(at: place) {
                targets.insert(TargetPlace(job: place.job, identity: target.identity))
            }
        }
        let (held, collectors) = (Set(database.tables.targets.keys), database.tables.collectors)
        if held != targets || collectors != cluster.truth.collectors {
            simulation.violate(
                .catchUp,
                "the ledger holds \(collectors.sorted()), there are \(cluster.truth.collectors.sorted()); "
                    + "it lacks \(targets.subtracting(held).count) targets and has \(held.subtracting(targets).count) more"
            )
        }
    }

    /// Whoever served a revision that was lost, and is still there, has stated that very one.
    private func checkStatements() {
        let tables = cluster.database.tables
        let recorded = Set(tables.revisions.map(\.digest))
        let details = tables.revisions.flatMap(\.gaps).map(\.detail)
        for replica in cluster.replicas {
            for head in replica.everServed where !recorded.contains(head.digest) {
                if !details.contains(where: { $0.contains("\(head.digest)") }) {
                    simulation.violate(
                        .lost, "\(replica.process.name) served \(head.revision), which was lost, and did not state it")
                }
            }
        }
    }
}
