//
// BlockWalk.swift: hashes the events of a block of revisions again and names the rows that are not as they were.
//
// A leaf covers the event's revision and ordinal, so a row that changed places is as wrong as one that changed content;
// which of the two it was shows when a row's mark fits another place of the same revision.
//

import PostgresDriver

/// The events of some consecutive revisions.
struct BlockWalk {
    enum Source: String {
        case target = "target_event"
        case collector = "collector_event"
    }

    /// What one revision's events are.
    struct Events {
        var tree = MerkleTree()
        var targetRows: Int64 = 0
        var collectorRows: Int64 = 0
        /// Where its first event stands.
        var first: (source: Source, ordinal: Int32, at: Timestamp)?
        var findings: [(finding: VerificationReport.Finding, source: Source)] = []
        var further: [Source: Int64] = [:]

        mutating func note(
            _ kind: VerificationReport.Finding.Kind, _ source: Source, _ revision: Int64, _ ordinal: Int32,
            _ detail: String
        ) {
            guard findings.count < BlockWalk.findingsMax else { return further[source, default: 0] += 1 }
            findings.append((.init(kind: kind, revision: revision, ordinal: ordinal, detail: detail), source))
        }
    }

    /// What a dictionary lacks, by its table and id, and an event that names it.
    struct Absent: Hashable {
        var table: String
        var id: Int32
    }

    private enum Row {
        case target(TargetEventRow)
        case collector(CollectorEventRow)

        var ordinal: Int32 {
            switch self {
            case .target(let row): row.ordinal
            case .collector(let row): row.ordinal
            }
        }
        var mark: Int32 {
            switch self {
            case .target(let row): row.leaf
            case .collector(let row): row.leaf
            }
        }
        var source: Source {
            switch self {
            case .target: .target
            case .collector: .collector
            }
        }
    }

    static let findingsMax = 100
    /// Hashes that a block spends on telling rows that changed places from altered ones.
    private var judgementsLeft = 20_000

    private var expected: [Int64: (at: Timestamp, counts: RevisionCounts)] = [:]
    private var done: [Int64: Events] = [:]
    private var suspects: [Int64: [Row]] = [:]
    private(set) var absent: [Absent: (revision: Int64, ordinal: Int32)] = [:]
    /// The revision that the rows are at, its events so far, and the ordinal that is next in it.
    private var current: (revision: Int64, source: Source)?
    private var open = Events()
    private var openTime: Timestamp?
    private var next: Int32 = 0
    private var sourcesSeen: [Source: Set<Int64>] = [.target: [], .collector: []]

    mutating func expect(_ row: RevisionRow) {
        if expected[row.revision] == nil { expected[row.revision] = (row.at, row.counts) }
    }

    // MARK: Rows

    mutating func take(_ row: TargetEventRow, _ contents: inout RecordedContents) {
        enter(row.revision, .target, row.ordinal, row.at)
        judge(row.ordinal, row.at, .target, row.revision)
        let leaf = contents.leaf(row)
        if leaf.prefix != row.leaf { suspect(.target(row), row.revision, contents) }
        open.tree.append(leaf)
        open.targetRows += 1
    }

    mutating func take(_ row: CollectorEventRow, _ contents: inout RecordedContents) {
        enter(row.revision, .collector, row.ordinal, row.at)
        judge(row.ordinal, row.at, .collector, row.revision)
        let leaf = contents.leaf(row)
        if leaf.prefix != row.leaf { suspect(.collector(row), row.revision, contents) }
        open.tree.append(leaf)
        open.collectorRows += 1
    }

    private mutating func enter(_ revision: Int64, _ source: Source, _ ordinal: Int32, _ at: Timestamp) {
        if let current, current.revision == revision, current.source == source { return }
        leave()
        current = (revision, source)
        open = done.removeValue(forKey: revision) ?? Events()
        if open.first == nil { open.first = (source, ordinal, at) }
        openTime = expected[revision]?.at
        next = 0
        sourcesSeen[source]?.insert(revision)
    }

    /// Notes what is missing at the end of the revision that the rows were at, or too much.
    private mutating func leave() {
        guard let current else { return }
        if let counts = expected[current.revision]?.counts {
            let wanted = current.source == .target ? counts.targetEvents : counts.collectorEvents
            if next < wanted {
                open.note(.missing, current.source, current.revision, next, Self.gone(current.source, wanted - next))
            } else if next > wanted {
                open.note(
                    .altered, current.source, current.revision, wanted,
                    "its row in ledger.\(current.source.rawValue) was added later")
            }
        }
        done[current.revision] = open
        self.current = nil
    }

    private static func gone(_ source: Source, _ count: Int32) -> String {
        count > 1
            ? "its row in ledger.\(source.rawValue) is gone, and \(count - 1) more behind it"
            : "its row in ledger.\(source.rawValue) is gone"
    }

    private mutating func judge(_ ordinal: Int32, _ at: Timestamp, _ source: Source, _ revision: Int64) {
        if ordinal > next {
            open.note(.missing, source, revision, next, Self.gone(source, ordinal - next))
        } else if ordinal < next {
            open.note(
                .reordered, source, revision, ordinal, "its number occurs twice in ledger.\(source.rawValue)")
        }
        next = ordinal &+ 1
        if let openTime, openTime != at {
            open.note(
                .altered, source, revision, ordinal,
                "its time in ledger.\(source.rawValue) is not its revision's")
        }
    }

    // MARK: Judging

    private mutating func suspect(_ row: Row, _ revision: Int64, _ contents: RecordedContents) {
        if suspects[revision, default: []].count < Self.findingsMax {
            suspects[revision, default: []].append(row)
        } else {
            open.further[row.source, default: 0] += 1
        }
        let place = (revision, row.ordinal)
        func lacks(_ table: String, _ id: Int32) {
            if absent.count < Self.findingsMax, absent[Absent(table: table, id: id)] == nil {
                absent[Absent(table: table, id: id)] = place
            }
        }
        switch row {
        case .target(let row):
            if !contents.has(target: row.target) { lacks("target", row.target) }
            if let job = contents.job(of: row.target), !job.isThere { lacks("job", job.id) }
            for id in [row.collectorBefore, row.collectorAfter] where id != 0 && !contents.has(collector: id) {
                lacks("collector", id)
            }
            for id in [row.labelSetBefore, row.labelSetAfter] where id != 0 && !contents.has(labelSet: id) {
                lacks("label_set", id)
            }
        case .collector(let row):
            if !contents.has(collector: row.collector) { lacks("collector", row.collector) }
        }
    }

    /// Ends the block.
    mutating func finish(_ contents: inout RecordedContents) {
        leave()
        for (revision, (_, counts)) in expected {
            for (source, count) in [(Source.target, counts.targetEvents), (.collector, counts.collectorEvents)]
            where count > 0 && sourcesSeen[source]?.contains(revision) == false {
                done[revision, default: Events()].note(.missing, source, revision, 0, Self.gone(source, count))
            }
        }
        for (revision, rows) in suspects { judge(rows, revision, &contents) }
        for revision in done.keys where done[revision]?.findings.isEmpty == false {
            done[revision]?.findings.sort { ($0.finding.ordinal ?? -1) < ($1.finding.ordinal ?? -1) }
        }
    }

    private mutating func judge(_ rows: [Row], _ revision: Int64, _ contents: inout RecordedContents) {
        for row in rows {
            var home: Int32?
            for other in rows
            where home == nil && judgementsLeft > 0 && other.ordinal != row.ordinal && other.source == row.source {
                judgementsLeft -= 1
                if mark(row, at: other.ordinal, &contents) == row.mark { home = other.ordinal }
            }
            let place = "its row in ledger.\(row.source.rawValue)"
            if let home {
                done[revision, default: Events()].note(
                    .reordered, row.source, revision, row.ordinal, "\(place) was event \(home)")
            } else {
                done[revision, default: Events()].note(
                    .altered, row.source, revision, row.ordinal,
                    "\(place), or what that refers to, is not what was recorded")
            }
        }
    }

    private func mark(_ row: Row, at ordinal: Int32, _ contents: inout RecordedContents) -> Int32 {
        switch row {
        case .target(let row): contents.leaf(row, at: ordinal).prefix
        case .collector(let row): contents.leaf(row, at: ordinal).prefix
        }
    }

    /// Hands over a revision's events.
    mutating func take(_ revision: Int64) -> Events { done.removeValue(forKey: revision) ?? Events() }

    /// What has not been taken.
    var rest: [(key: Int64, value: Events)] { done.sorted { $0.key < $1.key } }
}
