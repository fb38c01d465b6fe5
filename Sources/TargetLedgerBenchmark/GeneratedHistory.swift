//
// GeneratedHistory.swift: a long history, written by the server itself in a minute or two.
//
// What happened follows from numbers alone: all targets are found in revision 1, and each later revision moves the next
// block of targets to the next collector, round and round. So the state at any revision can be written down, and
// snapshots with it. Digests are not true; nothing here is verified.
//

import AllocationLedger
import PostgresDriver

/// The sizes of a generated history.
struct GeneratedHistory {
    var targets: Int
    var events: Int
    var collectors: Int
    var jobs: Int
    var days: Int

    /// Targets that a revision moves.
    static let block = 1000

    var blocks: Int { targets / Self.block }
    /// With the first, which finds all targets.
    var revisions: Int { (events - targets) / Self.block + 1 }
    /// SQL: a revision's time. The last one is a few minutes old.
    private func at(_ revision: String) -> String {
        """
        (date_trunc('second', clock_timestamp_of_fill) - interval '5 minutes' \
        - (\(revisions) - \(revision)) * (interval '\(days) days' / \(revisions)))
        """
    }
    /// SQL: the collector that target `t` has after revision `r`.
    private func collector(_ target: String, _ revision: String) -> String {
        let place = "(\(target) - 1) / \(Self.block)"
        return """
            CASE WHEN \(revision) < 2 + \(place) THEN \(target) % \(collectors) + 1 \
            ELSE (\(target) + (\(revision) - 2 - \(place)) / \(blocks) + 1) % \(collectors) + 1 END
            """
    }

    /// Fills an empty ledger, and gathers statistics as a server does by itself after a while.
    func fill(_ ledger: BenchmarkLedger) async throws {
        let now = try await ledger.number("SELECT extract(epoch FROM clock_timestamp())::bigint")
        func script(_ text: String) async throws {
            try await ledger.script(
                text.replacing("clock_timestamp_of_fill", with: "to_timestamp(\(now))"))
        }
        try await script(partitions)
        try await script(dictionaries)
        try await script(history)
        // A snapshot a day, as the leader takes them.
        for day in 1...days {
            try await script(snapshot(after: 1 + (revisions - 1) * day / days))
        }
        try await script("VACUUM ANALYZE")
    }

    private var partitions: String {
        """
        DO $$
        DECLARE day date; parent text; p text;
        BEGIN
          FOR day IN SELECT current_date - \(days) - 1 + n FROM generate_series(0, \(days + 2)) n LOOP
            FOR parent IN SELECT c.relname FROM pg_class c
              WHERE c.relnamespace = 'ledger'::regnamespace AND c.relkind = 'p' LOOP
              p := format('%s_%s', parent, to_char(day, 'YYYYMMDD'));
              CONTINUE WHEN to_regclass(format('ledger.%I', p)) IS NOT NULL;
              EXECUTE format('CREATE TABLE ledger.%I PARTITION OF ledger.%I FOR VALUES FROM (%L) TO (%L)', p, parent,
                day::text || ' 00:00:00+00', (day + 1)::text || ' 00:00:00+00');
            END LOOP;
          END LOOP;
        END $$;
        """
    }

    /// Label sets of 20 pairs, four of them a target's own.
    private var dictionaries: String {
        """
        INSERT INTO ledger.job SELECT g, 'job-' || g FROM generate_series(1, \(jobs)) g;
        INSERT INTO ledger.collector SELECT g, 'collector-' || g, '' FROM generate_series(1, \(collectors)) g;
        INSERT INTO ledger.current_collector SELECT g, NULL, 1 FROM generate_series(1, \(collectors)) g;
        INSERT INTO ledger.ring SELECT g, sha256(g::text::bytea), 'consistent-hashing', 'v1',
          (SELECT array_agg('collector-' || c ORDER BY c) FROM generate_series(1, \(collectors)) c),
          (SELECT array_agg((x % \(collectors))::smallint) FROM generate_series(0, 1060) x), NULL
          FROM generate_series(1, 40) g;
        INSERT INTO ledger.label SELECT g, 'shared_' || (g % 16), 'value-' || g FROM generate_series(1, 1000) g;
        INSERT INTO ledger.label SELECT 1000 + 4 * (t - 1) + j + 1,
          (ARRAY['__address__', '__meta_pod', '__meta_ip', '__meta_uid'])[j + 1], 'value-' || t || '-' || j
          FROM generate_series(1, \(targets)) t, generate_series(0, 3) j;
        INSERT INTO ledger.label_set SELECT t, sha256(t::text::bytea),
          ARRAY[1000 + 4 * t - 3, 1000 + 4 * t - 2, 1000 + 4 * t - 1, 1000 + 4 * t]
          || (SELECT array_agg((t * 7 + s * 61) % 1000 + 1) FROM generate_series(0, 15) s)
          FROM generate_series(1, \(targets)) t;
        INSERT INTO ledger.target SELECT t, t % \(jobs) + 1, hashint8extended(t, 0),
          '10.' || t / 65536 || '.' || (t / 256) % 256 || '.' || t % 256 || ':9100'
          FROM generate_series(1, \(targets)) t;
        """
    }

    private var history: String {
        """
        INSERT INTO ledger.revision SELECT \(at("r")), r, 1, gen_random_uuid(),
          CASE WHEN r = 1 THEN 'discovery' ELSE 'membership' END, 'generated', NULL, gen_random_uuid(), r % 40 + 1, NULL,
          CASE WHEN r = 1 THEN \(targets) ELSE 0 END, 0, CASE WHEN r = 1 THEN 0 ELSE \(Self.block) END, 0,
          CASE WHEN r = 1 THEN \(targets) ELSE \(Self.block) END, 1, sha256(''), sha256(''), sha256('')
          FROM generate_series(1, \(revisions)) r;
        INSERT INTO ledger.target_event SELECT \(at("1")), 1, t - 1, t, NULL, \(collector("t", "1")), NULL, t, 0, 1, 1
          FROM generate_series(1, \(targets)) t;
        INSERT INTO ledger.target_event SELECT v.at, r, i - 1, t, \(collector("t", "(r - 1)")), \(collector("t", "r")),
          t, t, 0, 6, 4
          FROM (SELECT at, revision::integer AS r FROM ledger.revision WHERE revision > 1 ORDER BY revision) v,
            generate_series(1, \(Self.block)) i, LATERAL (SELECT ((r - 2) % \(blocks)) * \(Self.block) + i AS t) x;
        INSERT INTO ledger.collector_event SELECT v.at, r, 0, r % \(collectors) + 1, 0, 3, NULL, 'generated'
          FROM (SELECT at, revision::integer AS r FROM ledger.revision) v;
        INSERT INTO ledger.current_target SELECT t, \(collector("t", "\(revisions)")), t, 1
          FROM generate_series(1, \(targets)) t;
        INSERT INTO ledger.current_rule VALUES ('allocator', NULL, 1);
        UPDATE ledger.head SET revision = \(revisions), epoch = 1,
          at = (SELECT max(at) FROM ledger.revision) WHERE name = 'allocator';
        """
    }

    private func snapshot(after revision: Int) -> String {
        """
        INSERT INTO ledger.state_snapshot SELECT v.at, v.revision, s.block, s.targets, s.collectors, s.targets
          FROM ledger.revision v, (SELECT t >> 12 AS block, array_agg(t ORDER BY t) AS targets,
            array_agg(\(collector("t", "\(revision)")) ORDER BY t) AS collectors
            FROM generate_series(1, \(targets)) t GROUP BY 1) s WHERE v.revision = \(revision);
        """
    }
}
