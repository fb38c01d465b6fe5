//
// EventWalk.swift: hashes the events of a slice of revisions again and names the rows that are not as they were.
//
// A leaf covers the event's revision and ordinal, so a row that changed places is as wrong as one that changed content;
// which of the two it was shows when a row's mark fits another place of the same revision.
//

import PostgresDriver

/// The events of some consecutive revisions.
struct EventWalk {
    /// What one revision's events are.
    struct Events {
        var tree = MerkleTree()
        var findings: [VerificationReport.Finding] = []
    }

    private enum Content {
        case target(RecordDigester.TargetEventContent)
        case collector(RecordDigester.CollectorEventContent)
    }

    /// A row whose mark is not that of its content.
    private struct Suspect {
        let content: Content
        let mark: Int32
        let ordinal: Int32
        let source: String
    }

    private var events: [Int64: Events] = [:]
    private var suspects: [Int64: [Suspect]] = [:]
    private let times: [Int64: Timestamp]
    private let counts: [Int64: RevisionCounts]
    private var digester = RecordDigester()
    /// The revision that the rows are at, and the ordinal that is next in it.
    private var current: Int64 = -1
    private var next: Int32 = 0

    init(revisions: [ChainVerifier.Row]) {
        times = Dictionary(
            revisions.map { ($0.record.revision, $0.record.at) }, uniquingKeysWith: { first, _ in first })
        counts = Dictionary(
            revisions.map { ($0.record.revision, $0.record.counts) }, uniquingKeysWith: { first, _ in first })
    }

    /// Hands over a revision's events.
    mutating func take(_ revision: Int64) -> Events { events.removeValue(forKey: revision) ?? Events() }

    /// What has not been taken.
    var rest: [(key: Int64, value: Events)] { events.sorted { $0.key < $1.key } }

    mutating func run(_ start: Int64, _ stop: Int64, _ connection: isolated PostgresConnection) async throws {
        var walk = self
        try await walk.readTargetEvents(start, stop, connection)
        try await walk.readCollectorEvents(start, stop, connection)
        walk.judgeSuspects()
        self = walk
    }

    // MARK: Rows

    private mutating func readTargetEvents(
        _ start: Int64, _ stop: Int64, _ connection: isolated PostgresConnection
    ) async throws {
        var walk = self
        // COPY takes no binds; these are numbers of ours.
        let range = "BETWEEN \(start) AND \(stop)"
        try await connection.copyOut(
            """
            COPY (SELECT e.revision, e.ordinal, e.at, e.leaf, j.name, t.identity, t.address, b.name, b.uid, a.name, a.uid, \
            sb.digest, sa.digest, e.reason, e.flags FROM ledger.target_event e \
            LEFT JOIN ledger.target t ON t.id = e.target LEFT JOIN ledger.job j ON j.id = t.job \
            LEFT JOIN ledger.collector b ON b.id = e.collector_before \
            LEFT JOIN ledger.collector a ON a.id = e.collector_after \
            LEFT JOIN ledger.label_set sb ON sb.id = e.label_set_before \
            LEFT JOIN ledger.label_set sa ON sa.id = e.label_set_after \
            WHERE e.revision \(unsafeSQL: range) ORDER BY e.revision, e.ordinal) TO STDOUT (FORMAT binary)
            """
        ) { row in
            let (revision, ordinal) = (try row.int64(), try row.int32())
            let (at, mark) = (try row.timestamp(), try row.int32())
            let job = try row.stringIfPresent() ?? ""
            let identity = UInt64(bitPattern: try row.int64IfPresent() ?? 0)
            let address = try row.stringIfPresent() ?? ""
            let before = Self.collector(try row.stringIfPresent(), try row.stringIfPresent())
            let after = Self.collector(try row.stringIfPresent(), try row.stringIfPresent())
            let labelsBefore = try row.bytesIfPresent().flatMap { Digest32($0) }
            let labelsAfter = try row.bytesIfPresent().flatMap { Digest32($0) }
            let content = RecordDigester.TargetEventContent(
                revision: revision, ordinal: ordinal, job: job, identity: identity, address: address,
                collectorBefore: before, collectorAfter: after, labelsBefore: labelsBefore, labelsAfter: labelsAfter,
                reason: try row.int16(), flags: try row.int16())
            walk.take(.target(content), revision, ordinal, at, mark, "target_event")
        }
        walk.closeRevision("target_event")
        for (revision, counts) in walk.counts where walk.events[revision] == nil && counts.targetEvents > 0 {
            walk.note(.missing, revision, 0, "its row in ledger.target_event is gone")
        }
        self = walk
    }

    private mutating func readCollectorEvents(
        _ start: Int64, _ stop: Int64, _ connection: isolated PostgresConnection
    ) async throws {
        let rows = try await connection.query(
            """
            SELECT e.revision, e.ordinal, e.at, e.leaf, e.kind, c.name, c.uid, e.node, e.evidence \
            FROM ledger.collector_event e LEFT JOIN ledger.collector c ON c.id = e.collector \
            WHERE e.revision BETWEEN \(start) AND \(stop) ORDER BY e.revision, e.ordinal
            """)
        current = -1
        var seen: Set<Int64> = []
        for row in rows {
            let revision = try row.decode(0, as: Int64.self)
            seen.insert(revision)
            let content = RecordDigester.CollectorEventContent(
                revision: revision, ordinal: try row.decode(1), kind: try row.decode(4),
                collector: Self.collector(
                    try row.decode(5, as: String?.self), try row.decode(6, as: String?.self))
                    ?? .init(name: "", uid: ""),
                node: try row.decode(7, as: String?.self), evidence: try row.decode(8))
            take(
                .collector(content), revision, content.ordinal, try row.decode(2), try row.decode(3), "collector_event")
        }
        closeRevision("collector_event")
        for (revision, counts) in counts where !seen.contains(revision) && counts.collectorEvents > 0 {
            note(.missing, revision, 0, "its row in ledger.collector_event is gone")
        }
    }

    private static func collector(_ name: String?, _ uid: String?) -> RecordDigester.CollectorContent? {
        name.map { RecordDigester.CollectorContent(name: $0, uid: uid ?? "") }
    }

    // MARK: Judging

    private mutating func take(
        _ content: Content, _ revision: Int64, _ ordinal: Int32, _ at: Timestamp, _ mark: Int32, _ source: String
    ) {
        if revision != current {
            closeRevision(source)
            (current, next) = (revision, 0)
        }
        if ordinal > next {
            note(.missing, revision, next, "its row in ledger.\(source) is gone")
        } else if ordinal < next {
            note(.reordered, revision, ordinal, "its number occurs twice in ledger.\(source)")
        }
        next = ordinal + 1
        if let time = times[revision], time != at {
            note(.altered, revision, ordinal, "its time in ledger.\(source) is not its revision's")
        }
        let leaf = hash(content)
        if leaf.prefix != mark, suspects[revision, default: []].count < ChainVerifier.findingsMax {
            suspects[revision, default: []].append(
                Suspect(content: content, mark: mark, ordinal: ordinal, source: source))
        }
        events[revision, default: Events()].tree.append(leaf)
    }

    /// Notes what is missing at the end of the revision that the rows were at, or too much.
    private mutating func closeRevision(_ source: String) {
        guard current >= 0, let counts = counts[current] else { return }
        let wanted = source == "target_event" ? counts.targetEvents : counts.collectorEvents
        if next < wanted {
            note(.missing, current, next, "its row in ledger.\(source) is gone")
        } else if next > wanted {
            note(.altered, current, wanted, "its row in ledger.\(source) was added later")
        }
    }

    private mutating func judgeSuspects() {
        for (revision, list) in suspects {
            for suspect in list {
                let home = list.first {
                    $0.ordinal != suspect.ordinal && $0.source == suspect.source
                        && hash(suspect.content, at: $0.ordinal).prefix == suspect.mark
                }
                if let home {
                    note(
                        .reordered, revision, suspect.ordinal,
                        "its row in ledger.\(suspect.source) was event \(home.ordinal)")
                } else {
                    note(
                        .altered, revision, suspect.ordinal,
                        "its row in ledger.\(suspect.source), or what that refers to, is not what was recorded")
                }
            }
        }
        for revision in events.keys {
            events[revision]?.findings.sort { ($0.ordinal ?? -1) < ($1.ordinal ?? -1) }
        }
    }

    private mutating func hash(_ content: Content, at ordinal: Int32? = nil) -> Digest32 {
        switch content {
        case .target(var event):
            event.ordinal = ordinal ?? event.ordinal
            return digester.targetEvent(event)
        case .collector(var event):
            event.ordinal = ordinal ?? event.ordinal
            return digester.collectorEvent(event)
        }
    }

    private mutating func note(
        _ kind: VerificationReport.Finding.Kind, _ revision: Int64, _ ordinal: Int32, _ detail: String
    ) {
        guard events[revision, default: Events()].findings.count < ChainVerifier.findingsMax else { return }
        events[revision, default: Events()].findings.append(
            .init(kind: kind, revision: revision, ordinal: ordinal, detail: detail))
    }
}
