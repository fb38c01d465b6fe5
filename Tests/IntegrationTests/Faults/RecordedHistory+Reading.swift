//
// RecordedHistory+Reading.swift: the statements that read a ledger for its replay, and the rules that SQL alone can check.
//

extension RecordedHistory {
    static func read(_ server: PlainServer, job: String, collectors: [String]) throws -> RecordedHistory {
        var history = RecordedHistory(job: job, collectors: collectors)
        history.revisions = try server.sql("SELECT revision FROM ledger.revision ORDER BY 1").compactMap {
            Int64($0[0])
        }
        history.events = try server.sql(
            """
            SELECT revision, target, collector_after, label_set_after FROM ledger.target_event ORDER BY revision, ordinal
            """
        ).compactMap { row in
            guard let revision = Int64(row[0]), let target = Int(row[1]) else { return nil }
            return Event(revision: revision, target: target, collector: Int(row[2]), labels: Int(row[3]))
        }
        history.memberships = try server.sql(
            "SELECT revision, collector, kind FROM ledger.collector_event WHERE kind IN (1, 2) ORDER BY revision, ordinal"
        ).compactMap { row in
            guard let revision = Int64(row[0]), let collector = Int(row[1]) else { return nil }
            return Membership(revision: revision, collector: collector, isJoining: row[2] == "1")
        }
        history.take(
            targets: try server.sql("SELECT id, address FROM ledger.target").compactMap { row in
                Int(row[0]).map { ($0, row[1]) }
            })
        for row in try server.sql(
            """
            SELECT s.id, coalesce((SELECT string_agg(to_json(l.name)::text || ':' || to_json(l.value)::text, ',' \
            ORDER BY l.name COLLATE "C") FROM unnest(s.labels) AS pair(id) JOIN ledger.label l ON l.id = pair.id), '') \
            FROM ledger.label_set s
            """)
        {
            if let id = Int(row[0]) { history.labelSets[id] = "{\(row[1])}" }
        }
        for row in try server.sql("SELECT id, name FROM ledger.collector") {
            if let id = Int(row[0]) { history.names[id] = row[1] }
        }
        try history.readStatements(server)
        return history
    }

    private mutating func readStatements(_ server: PlainServer) throws {
        for row in try server.sql(
            "SELECT revision, cause_detail FROM ledger.revision WHERE cause = 'outage_recovered' ORDER BY 1")
        {
            guard let revision = Int64(row[0]), row[1].hasPrefix("journal entry "),
                let entry = Int64(row[1].dropFirst("journal entry ".count).prefix { $0 != " " })
            else { continue }
            recoveries.append(Recovery(revision: revision, entry: entry))
        }
        for row in try server.sql("SELECT cause_detail FROM ledger.revision WHERE cause = 'fork_repaired'") {
            guard let start = row[0].firstRange(of: " fork: revisions "),
                let end = row[0].firstRange(of: " are not used")
            else { continue }
            let bounds = row[0][start.upperBound..<end.lowerBound].split(separator: "-").compactMap { Int64($0) }
            if bounds.count == 2, bounds[0] <= bounds[1] { unused.append(bounds[0]...bounds[1]) }
        }
        for row in try server.sql("SELECT cause, detail FROM ledger.gap WHERE cause IN ('fork', 'journal')") {
            if row[0] == "journal" {
                if let number = Self.number(after: " of its own on revision ", in: row[1]) {
                    statedJournals.insert(number)
                }
            } else if let list = row[1].firstRange(of: "the database lost ")
                ?? row[1].firstRange(of: "served revisions that the database lost: ")
            {
                for item in row[1][list.upperBound...].split(separator: ", ") {
                    if let number = Int64(item.prefix { $0 != " " }) { statedLost.insert(number) }
                }
            }
        }
    }

    private static func number(after text: String, in whole: String) -> Int64? {
        whole.firstRange(of: text).flatMap { Int64(whole[$0.upperBound...].prefix { "0"..."9" ~= $0 }) }
    }

    /// What the ledger's tables must never show: the question, and the rows that answer it.
    static func brokenRules(_ server: PlainServer) throws -> [String] {
        let rules: [(name: String, sql: String)] = [
            (
                "numbers have no gap that is not declared",
                """
                SELECT revision, before FROM (SELECT revision, cause, lag(revision) OVER (ORDER BY revision) AS before \
                FROM ledger.revision) r WHERE revision <> coalesce(before, 0) + 1 AND cause <> 'fork_repaired'
                """
            ),
            (
                // Whatever is written to a file, it names a hundred targets.
                "nothing is taken away that nobody took away",
                """
                SELECT revision, cause, targets_added, targets_removed FROM ledger.revision \
                WHERE targets_removed > targets_added AND cause <> 'fork_repaired'
                """
            ),
            (
                "a number is used once, and epochs never go back",
                """
                SELECT revision, epoch FROM (SELECT revision, epoch, lag(revision) OVER w AS r, lag(epoch) OVER w AS e \
                FROM ledger.revision WINDOW w AS (ORDER BY revision)) x WHERE r = revision OR e > epoch
                """
            ),
            (
                "nothing is written in a term after a later one has begun",
                """
                SELECT r.revision, r.epoch, t.epoch FROM ledger.revision r JOIN ledger.term t \
                ON t.epoch > r.epoch AND t.acquired_at < r.at
                """
            ),
            (
                "a revision is written by the one who holds its term",
                """
                SELECT r.revision, r.epoch FROM ledger.revision r LEFT JOIN ledger.term t USING (epoch) \
                WHERE t.holder IS DISTINCT FROM r.replica
                """
            ),
            (
                "a move has a reason for moves",
                """
                SELECT e.revision, e.ordinal, r.name FROM ledger.target_event e LEFT JOIN ledger.reason r \
                ON r.code = e.reason WHERE r.name IS NULL OR (e.flags & 4 <> 0 AND r.name IN ('discovered', 'vanished')) \
                OR (e.flags & 1 <> 0) <> (e.label_set_before IS NULL) OR (e.flags & 2 <> 0) <> (e.label_set_after IS NULL)
                """
            ),
            (
                "a target moves for a collector's sake only where that came or went",
                """
                SELECT e.revision, e.ordinal, r.name FROM ledger.target_event e JOIN ledger.reason r ON r.code = e.reason \
                WHERE r.name IN ('collector_joined', 'collector_left') AND NOT EXISTS (SELECT FROM ledger.collector_event c \
                WHERE c.revision = e.revision AND c.kind IN (1, 2))
                """
            ),
            (
                "an event begins with what the one before left",
                """
                SELECT revision, target FROM (SELECT revision, target, collector_before AS cb, label_set_before AS lb, \
                lag(collector_after) OVER w AS ca, lag(label_set_after) OVER w AS la FROM ledger.target_event \
                WINDOW w AS (PARTITION BY target ORDER BY revision, ordinal)) x \
                WHERE cb IS DISTINCT FROM ca OR lb IS DISTINCT FROM la
                """
            ),
            (
                "the current state is what the last events left",
                """
                SELECT coalesce(l.target, c.target) FROM (SELECT DISTINCT ON (target) target, collector_after, \
                label_set_after FROM ledger.target_event ORDER BY target, revision DESC, ordinal DESC) l \
                FULL JOIN ledger.current_target c USING (target) WHERE c.collector IS DISTINCT FROM l.collector_after \
                OR c.label_set IS DISTINCT FROM l.label_set_after
                """
            ),
        ]
        var broken: [String] = []
        for rule in rules {
            let rows = try server.sql(rule.sql + " LIMIT 5")
            if !rows.isEmpty { broken.append("not true that \(rule.name): \(rows)") }
        }
        return broken
    }
}
