//
// ChainVerifier.swift: walks the digest chain from the first revision to the tip.
//
// Everything is computed again from the rows: the digests of dictionary rows from their contents, each event's hash from
// what it refers to, each revision's tree and record, the link to the one before. It goes on after a finding, so that
// every part gets its verdict. Rows are streamed, from the database or an export. The format is on the module's README
// page.
//

import AllocationCore
import PostgresDriver

/// Verifies a ledger, row by row.
///
/// The root over a revision's events proves that one of them was altered; the first four bytes of each leaf hash, kept in
/// the event's row, tell which.
package final class ChainVerifier: LedgerRecordSink {
    /// What of the log is looked at.
    struct Scope {
        /// Nil: all of it, with the current state.
        var revisions: ClosedRange<Int64>?
        /// Checkpoints of former times that the log has to continue.
        var checkpoints: [Checkpoint] = []
    }

    private let scope: Scope
    private var log = VerificationLog()
    private var report = VerificationReport()
    private var contents = RecordedContents()
    private var digester = RecordDigester()
    private var replay = StateReplay()
    private var seals = SealCheck()
    private var terms = TermCheck()
    private var partitions: Set<PartitionRow> = []
    private var partitionNames: Set<String> = []
    private var witnesses: [(table: String, revision: Int64)] = []
    private var checkpoints: CheckpointCheck

    // The chain so far.
    private var previous = Digest32.zero
    private var previousAt: Timestamp?
    private var expected: Int64 = 1
    private var hasStarted = false
    private var tree: MerkleTree? = MerkleTree()
    /// The last revision that is gone and should not be.
    private var lost: Int64 = 0
    /// The next revision follows a hole: nothing can be said of its link.
    private var mendsLink = false
    private var firstAt: Timestamp?

    // The block that is being read.
    private var rows: [RevisionRow] = []
    private var walk = BlockWalk()
    private var isInBlock = false
    /// Events of revisions without a row, told when it is known where the log ends.
    private var strays: [(revision: Int64, events: BlockWalk.Events)] = []
    private var rule: (configuration: Int32?, ring: Int32)?
    private var lastRule: (configuration: Int32?, ring: Int32)?

    init(_ scope: Scope = Scope()) {
        self.scope = scope
        checkpoints = CheckpointCheck(scope.checkpoints)
    }

    private var isWhole: Bool { scope.revisions == nil }

    // MARK: Records

    func take(_ record: LedgerRecord) {
        switch record {
        case .targetEvent(let row):
            walk.take(row, &contents)
            if isWhole { replay.take(row) }
        case .collectorEvent(let row):
            walk.take(row, &contents)
            if isWhole { replay.take(row) }
        case .revision(let row):
            rows.append(row)
            walk.expect(row)
        case .block:
            finishBlock()
            isInBlock = true
        case .labelSet(let id, let digest, let pairs): check(labelSet: id, digest, pairs)
        case .target(let id, let job, let identity, let address):
            contents.add(target: id, job: job, identity: identity, address: address)
            log.add(rows: 1, to: .dictionary("target"))
        case .job(let id, let name):
            contents.add(job: id, name: name)
            log.add(rows: 1, to: .dictionary("job"))
        case .collector(let id, let name, let uid):
            contents.add(collector: id, name: name, uid: uid)
            log.add(rows: 1, to: .dictionary("collector"))
        case .configuration(let id, let digest, let text):
            contents.add(configuration: id, digest: digest)
            log.add(rows: 1, to: .dictionary("configuration"))
            if Digest32.hash(Array(text.utf8)) != digest { altered("configuration", id) }
        case .ring(let id, let digest, let placement):
            contents.add(ring: id, digest: digest)
            log.add(rows: 1, to: .dictionary("ring"))
            if digester.ring(placement) != digest { altered("ring", id) }
        case .partition(let row):
            partitions.insert(row)
            partitionNames.insert(row.name)
        case .head(let head): report.head = head.revision.number == 0 ? nil : head
        case .term(let term): terms.take(term)
        case .gap(let gap): terms.take(gap)
        case .seal(let seal): seals.take(seal)
        case .witness(let table, let revision): witnesses.append((table, revision))
        case .currentRule(let configuration, let ring): rule = (configuration, ring)
        case .currentCollector(let collector, let node, let since): check(collector: collector, node, since)
        case .currentTarget(let target, let collector, let labelSet, let since):
            check(target: target, collector ?? 0, labelSet, since)
        }
    }

    private func altered(_ table: String, _ id: Int32) {
        log.find(.altered, in: .dictionary(table), "ledger.\(table) row \(id) is not what was recorded")
    }

    private func check(labelSet id: Int32, _ digest: Digest32?, _ pairs: [LabelPair]) {
        contents.add(labelSet: id, digest: digest)
        report.labelSets += 1
        log.add(rows: 1, to: .dictionary("label_set"))
        var contents: [(name: [UInt8], value: [UInt8])] = []
        contents.reserveCapacity(pairs.count)
        for pair in pairs {
            switch pair {
            case .pair(let name, let value): contents.append((name, value))
            case .gone(let label):
                return log.find(
                    .missing, in: .dictionary("label_set"),
                    "ledger.label row \(label), which label set \(id) names, is gone")
            }
        }
        if digester.labelSet(contents) != digest {
            log.find(
                .altered, in: .dictionary("label_set"),
                "ledger.label_set row \(id), or one of its labels, is not what was recorded")
        }
    }

    // MARK: Blocks

    private func finishBlock() {
        guard isInBlock else { return }
        walk.finish(&contents)
        for row in rows {
            start(with: row)
            passUnused(before: row)
            noteMissing(before: row.revision, next: row.at)
            guard row.revision == expected else {
                log.find(.reordered, in: part(row), revision: row.revision, "its number occurs twice")
                continue
            }
            expected += 1
            check(row, walk.take(row.revision))
        }
        for absent in walk.absent.sorted(by: { ($0.key.table, $0.key.id) < ($1.key.table, $1.key.id) }) {
            log.find(
                .missing, in: .dictionary(absent.key.table), revision: absent.value.revision,
                ordinal: absent.value.ordinal,
                "ledger.\(absent.key.table) row \(absent.key.id), which it names, is gone")
        }
        for (revision, events) in walk.rest where strays.count < VerificationLog.findingsMax {
            strays.append((revision, events))
        }
        walk = BlockWalk()
        rows.removeAll(keepingCapacity: true)
    }

    private func part(_ row: RevisionRow) -> VerificationLog.Part { .day(UTCDay.of(row.at), "revision") }

    /// Begins the chain where what is kept begins.
    private func start(with row: RevisionRow) {
        guard !hasStarted else { return }
        hasStarted = true
        if let range = scope.revisions {
            guard range.lowerBound > 1, row.revision == range.lowerBound else {
                expected = range.lowerBound
                return
            }
            // What came before is not looked at.
            (expected, previous, tree) = (row.revision, row.previousDigest ?? .zero, nil)
        } else if row.revision > 1, let seal = seals.prefix(endingBefore: row.unused?.lowerBound ?? row.revision) {
            let last = seals.dropped
            expected = last + 1
            previous = seal.digest
            tree = seal.tree.flatMap { MerkleTree(count: last, edge: $0) }
            checkpoints.start(tree, size: last)
            terms.pass(last, seal.digest, &log)
        }
    }

    /// Numbers that the repair of a fork declares never to be used are no holes. The link goes over them.
    private func passUnused(before row: RevisionRow) {
        guard let unused = row.unused, unused.upperBound == row.revision - 1, unused.contains(expected) else { return }
        log.find(
            .declaredGap, in: part(row), revision: expected,
            "revisions \(unused.lowerBound) to \(unused.upperBound) are not used: the database has lost revisions, or may "
                + "have, and revision \(row.revision) goes on behind them")
        // Who looks at some revisions only may begin among them.
        mendsLink = expected > unused.lowerBound
        if tree?.count == expected - 1 { tree?.skip(to: row.revision) } else { tree = nil }
        expected = row.revision
    }

    private func check(_ row: RevisionRow, _ events: BlockWalk.Events) {
        let (number, part) = (row.revision, part(row))
        report.revisions += 1
        report.events += events.tree.count
        log.add(rows: 1, to: part)
        let day = UTCDay.of(row.at)
        if events.targetRows > 0 { log.add(rows: events.targetRows, to: .day(day, "target_event")) }
        if events.collectorRows > 0 { log.add(rows: events.collectorRows, to: .day(day, "collector_event")) }

        if firstAt == nil { firstAt = row.at }
        if let previousAt, row.at <= previousAt {
            log.find(.reordered, in: part, revision: number, "its time is not after the one before it")
        }
        previousAt = row.at
        let record = RevisionRecord(
            revision: number, epoch: row.epoch, at: row.at, changeID: row.changeID, cause: row.cause,
            causeDetail: row.causeDetail, occurredAt: row.occurredAt, replica: row.replica,
            configuration: row.configuration.flatMap { contents.configurations[$0] },
            ring: contents.rings[row.ring] ?? .zero, counts: row.counts, eventsDigest: row.eventsDigest ?? .zero,
            previousDigest: row.previousDigest ?? .zero)
        if digester.revision(record) != row.digest {
            log.find(.altered, in: part, revision: number, "its row in ledger.revision is not what was recorded")
        }
        if mendsLink {
            mendsLink = false
        } else if row.previousDigest ?? .zero != previous {
            log.find(.altered, in: part, revision: number, "it does not continue the revision before it")
        }
        check(events, of: row, day)
        previous = row.digest ?? .zero
        tree?.append(previous)
        if let tree { checkpoints.pass(tree) }
        lastRule = (row.configuration, row.ring)
        seals.take(row, tree, &log)
        terms.take(row)
        terms.pass(number, previous, &log)
    }

    private func check(_ events: BlockWalk.Events, of row: RevisionRow, _ day: Int64) {
        // Of events that retention has dropped the seal speaks, once all is read.
        let isDropped = [BlockWalk.Source.target, .collector].contains { source in
            seals.has(VerificationLog.Part.day(day, source.rawValue).name, notAmong: partitionNames)
        }
        guard !isDropped else { return }
        for (finding, source) in events.findings { log.find(finding, in: .day(day, source.rawValue)) }
        for (source, count) in events.further { log.add(further: count, in: .day(day, source.rawValue), .missing) }
        if events.findings.isEmpty, events.tree.root != row.eventsDigest {
            let source: BlockWalk.Source = row.counts.targetEvents > 0 ? .target : .collector
            log.find(
                .altered, in: .day(day, source.rawValue), revision: row.revision,
                "its events are not those that were recorded; each row agrees with its own mark, so marks were altered too"
            )
        }
    }

    /// - Parameter next: The time of the revision behind the hole; nil at the end of the log.
    private func noteMissing(before number: Int64, next: Timestamp?) {
        guard expected < number else { return }
        let count = number - expected
        let detail =
            count == 1
            ? "its row in ledger.revision is gone"
            : "its row in ledger.revision is gone, and \(count - 1) more, up to revision \(number - 1)"
        for part in parts(missingBefore: next) { log.find(.missing, in: part, revision: expected, detail) }
        // What comes next has to be judged by itself.
        mendsLink = true
        tree = nil
        lost = number - 1
        expected = number
    }

    /// Whole days that have no partition any more; else the day of the revision behind the hole.
    private func parts(missingBefore next: Timestamp?) -> [VerificationLog.Part] {
        guard let next = next ?? previousAt ?? report.head?.at else { return [.control("head")] }
        let last = UTCDay.of(next)
        let days = Set(partitions.filter { $0.table == "revision" }.compactMap { UTCDay.named($0.name) })
        guard let first = previousAt.map(UTCDay.of) ?? days.min(), first <= last, last - first < 1000 else {
            return [.day(last, "revision")]
        }
        let gone = (first...last).filter { !days.contains($0) }
        return gone.isEmpty || days.isEmpty ? [.day(last, "revision")] : gone.map { .day($0, "revision") }
    }

    // MARK: The tip and the current state

    private func check(collector: Int32, _ node: String?, _ since: Int64) {
        endOfLog()
        log.add(rows: 1, to: .control("current_collector"))
        if !replay.confirm(collector: collector, node: node, since: since, dropped: max(seals.dropped, lost)) {
            log.find(
                .altered, in: .control("current_collector"),
                "the current state of collector \(collector) is not what its last event left")
        }
    }

    private func check(target: Int32, _ collector: Int32, _ labelSet: Int32, _ since: Int64) {
        endOfLog()
        log.add(rows: 1, to: .control("current_target"))
        if !replay.confirm(
            target: target, collector: collector, labelSet: labelSet, since: since, dropped: max(seals.dropped, lost))
        {
            notAsLeft(target)
        }
    }

    private func notAsLeft(_ target: Int32) {
        log.find(
            .altered, in: .control("current_target"),
            "the current state of target \(target) (\(contents.address(of: target))) is not what its last event left")
    }

    private var hasEnded = false

    /// All revisions have been taken.
    private func endOfLog() {
        guard !hasEnded else { return }
        hasEnded = true
        finishBlock()
        let tip = report.head?.revision.number ?? 0
        let end = scope.revisions.map { min($0.upperBound, tip) } ?? tip
        let last = expected - 1
        if hasStarted || end > 0 { noteMissing(before: end + 1, next: nil) }
        for (revision, events) in strays { tell(stray: revision, events, last: max(last, end)) }
        guard isWhole else { return }
        if last > tip {
            log.find(.altered, in: .control("head"), "the tip says revision \(tip), but there is a revision \(last)")
        } else if last == tip, report.head?.digest ?? .zero != previous {
            log.find(.altered, in: .control("head"), "the tip's digest is not that of revision \(tip)")
        }
        log.add(rows: 1, to: .control("head"))
        for witness in witnesses where witness.revision > max(last, tip) {
            log.find(
                .missing, in: .control("head"), revision: witness.revision,
                "ledger.\(witness.table) names it, and the log ends at revision \(max(last, tip))")
        }
        terms.finish(last: max(last, tip), &log)
    }

    private func tell(stray revision: Int64, _ events: BlockWalk.Events, last: Int64) {
        guard let first = events.first else { return }
        let part = VerificationLog.Part.day(UTCDay.of(first.at), first.source.rawValue)
        if revision < 1 || revision > last || revision <= seals.dropped {
            log.find(
                .altered, in: part, revision: revision, ordinal: first.ordinal,
                "its row in ledger.\(first.source.rawValue) belongs to no revision")
        } else {
            log.find(
                .missing, in: part, revision: revision,
                "it has \(events.tree.count) events, and its row in ledger.revision is gone")
        }
    }

    // MARK: The end

    /// What was found. To be asked once, after the last record.
    func finish() -> VerificationReport {
        endOfLog()
        if isWhole {
            replay.unconfirmedTargets { notAsLeft($0) }
            for collector in replay.unconfirmedCollectors {
                log.find(
                    .altered, in: .control("current_collector"),
                    "the current state of collector \(collector) is not what its last event left")
            }
            checkRule()
            seals.finish(partitions, &log)
            checkpoints.finish(size: expected - 1, &log)
        }
        addEmptyPartitions()
        report.root = tree?.root
        report.findings = log.findings
        report.parts = log.report
        return report
    }

    /// Partitions without a row are parts too, as long as they lie in the log's time.
    private func addEmptyPartitions() {
        guard let firstAt, let previousAt else { return }
        let (first, last) = (UTCDay.of(firstAt), UTCDay.of(previousAt))
        for partition in partitions.sorted(by: { $0.name < $1.name }) {
            guard let day = UTCDay.named(partition.name), day >= first, day <= last,
                SealCheck.tables.contains(partition.table)
            else { continue }
            log.add(rows: 0, to: .day(day, partition.table))
        }
    }

    private func checkRule() {
        guard let rule else { return }
        log.add(rows: 1, to: .control("current_rule"))
        guard let lastRule, rule.configuration == lastRule.configuration, rule.ring == lastRule.ring else {
            return log.find(
                .altered, in: .control("current_rule"),
                "the configuration or the placement rule in force is not that of the last revision")
        }
    }
}
