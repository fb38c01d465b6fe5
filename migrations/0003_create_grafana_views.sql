-- 0003_create_grafana_views: the history for dashboards and for people who ask in SQL.
--
-- Why:    annotations, who had a target when, and the load of each collector are one SELECT each. Columns named time, timeend,
--         text and tags are what Grafana's PostgreSQL data source reads as annotations.
-- Locks:  none that matter; all objects are new.
-- Check:  SELECT * FROM ledger.annotation ORDER BY time DESC LIMIT 10;

-- Rights ------------------------------------------------------------------------------------------------------------------

-- Each migration that makes a table or a view ends with this, so that no object is left to whoever happened to migrate.
CREATE FUNCTION ledger.settle_rights() RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE item record;
BEGIN
    IF (SELECT count(*) FROM pg_roles WHERE rolname IN ('ledger_owner', 'ledger_writer', 'ledger_reader')) < 3 THEN
        RETURN;
    END IF;
    GRANT SELECT ON ALL TABLES IN SCHEMA ledger TO ledger_reader, ledger_writer;
    IF NOT pg_has_role(current_user, 'ledger_owner', 'MEMBER') THEN
        RETURN;
    END IF;
    FOR item IN SELECT c.oid::regclass AS name, CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END AS kind
        FROM pg_class c
        WHERE c.relnamespace = 'ledger'::regnamespace AND c.relkind IN ('r', 'p', 'v')
            AND c.relowner <> 'ledger_owner'::regrole
    LOOP
        EXECUTE format('ALTER %s %s OWNER TO ledger_owner', item.kind, item.name);
    END LOOP;
    FOR item IN SELECT p.oid::regprocedure AS name FROM pg_proc p
        WHERE p.pronamespace = 'ledger'::regnamespace AND p.proowner <> 'ledger_owner'::regrole
    LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO ledger_owner', item.name);
    END LOOP;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'some rights were not settled: role % may not give them', current_user;
END $$;
COMMENT ON FUNCTION ledger.settle_rights() IS
    'Lets ledger_reader and ledger_writer read every table and view, and gives what is new to ledger_owner.';

-- Annotations -------------------------------------------------------------------------------------------------------------

CREATE VIEW ledger.annotation AS
    SELECT v.at AS time, NULL::timestamptz AS timeend,
           format('Revision %s, %s: %s moved, %s discovered, %s vanished, %s relabelled', v.revision, v.cause,
               v.targets_moved, v.targets_added, v.targets_removed, v.targets_relabelled)
               || CASE WHEN v.cause_detail = '' THEN '' ELSE ' (' || v.cause_detail || ')' END AS text,
           'revision,' || v.cause AS tags
    FROM ledger.revision v
    UNION ALL
    SELECT r.first_at, r.last_at, format('Discovery of job %s failed %s times: %s', r.job, r.rounds, r.error),
           'discovery_failed,' || r.job
    FROM ledger.discovery_report r WHERE r.outcome = 'failed'
    UNION ALL
    SELECT r.first_at, r.last_at, format('Discovery of job %s fails, %s times so far: %s', r.job, r.rounds, r.error),
           'discovery_failed,' || r.job
    FROM ledger.discovery_run r WHERE r.outcome = 'failed'
    UNION ALL
    SELECT t.acquired_at, t.ended_at, format('Term %s of %s', t.epoch, t.address)
               || CASE WHEN t.end_reason IS NULL THEN '' ELSE ', ended: ' || t.end_reason END,
           'term'
    FROM ledger.term t
    UNION ALL
    SELECT g.from_at, g.to_at, format('Nothing was recorded, %s: %s', g.cause, g.detail), 'gap,' || g.cause
    FROM ledger.gap g
    UNION ALL
    SELECT n.from_at, n.to_at, format('%s: %s', n.author, n.text), 'note'
    FROM ledger.note n;
COMMENT ON VIEW ledger.annotation IS
    'What happened, as Grafana reads annotations: revisions, failed discoveries, terms, gaps and reviewers'' notes.';

-- Who had a target when ---------------------------------------------------------------------------------------------------

-- A target's own events are found by its number, so a question for one address costs what happened to it.
CREATE VIEW ledger.owner_time_line AS
    SELECT j.name AS job, t.address,
           CASE WHEN t.identity < 0 THEN t.identity::numeric + 18446744073709551616 ELSE t.identity END AS identity,
           e.at AS time, e.until AS timeend, c.name AS collector, e.revision, r.name AS reason
    FROM ledger.target t
    JOIN ledger.job j ON j.id = t.job
    CROSS JOIN LATERAL (
        SELECT x.*, lead(x.at) OVER (ORDER BY x.revision, x.ordinal) AS until
        FROM ledger.target_event x WHERE x.target = t.id
    ) e
    JOIN ledger.reason r ON r.code = e.reason
    LEFT JOIN ledger.collector c ON c.id = e.collector_after
    WHERE e.label_set_after IS NOT NULL;
COMMENT ON VIEW ledger.owner_time_line IS
    'For each stretch of a target''s life the collector that had it; none: nobody scraped it. An open timeend: still so.';

-- Load per collector ------------------------------------------------------------------------------------------------------

CREATE VIEW ledger.collector_load_change AS
    SELECT x.at AS time, x.revision, c.name AS collector, sum(x.change) AS change
    FROM (
        SELECT at, revision, collector_after AS collector, 1 AS change
        FROM ledger.target_event WHERE collector_after IS NOT NULL
        UNION ALL
        SELECT at, revision, collector_before, -1 FROM ledger.target_event WHERE collector_before IS NOT NULL
    ) x
    JOIN ledger.collector c ON c.id = x.collector
    GROUP BY x.at, x.revision, c.name
    HAVING sum(x.change) <> 0;
COMMENT ON VIEW ledger.collector_load_change IS 'By how many targets each revision changed each collector''s load.';

-- Goes back from the present, so that it costs what happened since since_at, and retention does not make it wrong.
CREATE FUNCTION ledger.collector_load(since_at timestamptz, until_at timestamptz, step interval)
RETURNS TABLE ("time" timestamptz, collector text, targets bigint)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    step_seconds numeric := extract(epoch FROM step);
    last_instant bigint;
BEGIN
    IF step_seconds <= 0 THEN
        RAISE EXCEPTION 'step is %, allowed is more than 0', step USING ERRCODE = 'invalid_parameter_value';
    END IF;
    last_instant := floor(extract(epoch FROM until_at - since_at) / step_seconds);
    IF last_instant < 0 OR last_instant > 11000 THEN
        RAISE EXCEPTION 'from % to % by % is % instants, allowed are 1 to 11001', since_at, until_at, step, last_instant + 1
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN QUERY
        WITH present AS (
            SELECT t.collector AS id, count(*) AS targets FROM ledger.current_target t
            WHERE t.collector IS NOT NULL GROUP BY t.collector
        ), change AS (
            -- What happened after instant n counts for the instants before it alone; what came after the last, for all.
            SELECT x.id, least(ceil(extract(epoch FROM x.at - since_at) / step_seconds), last_instant + 1)::bigint AS before,
                sum(x.change) AS change
            FROM (
                SELECT e.at, e.collector_after AS id, 1 AS change FROM ledger.target_event e
                WHERE e.at > since_at AND e.collector_after IS DISTINCT FROM e.collector_before
                    AND e.collector_after IS NOT NULL
                UNION ALL
                SELECT e.at, e.collector_before, -1 FROM ledger.target_event e
                WHERE e.at > since_at AND e.collector_after IS DISTINCT FROM e.collector_before
                    AND e.collector_before IS NOT NULL
            ) x
            GROUP BY 1, 2
        ), member AS (
            SELECT p.id FROM present p UNION SELECT c.id FROM change c
            UNION SELECT m.collector FROM ledger.current_collector m
        )
        SELECT since_at + g.n * step, min(c.name),
            (coalesce(min(p.targets), 0) - coalesce(sum(sum(d.change)) OVER later, 0))::bigint
        FROM member m
        JOIN ledger.collector c ON c.id = m.id
        CROSS JOIN generate_series(0, last_instant) AS g(n)
        LEFT JOIN present p ON p.id = m.id
        LEFT JOIN change d ON d.id = m.id AND d.before = g.n + 1
        GROUP BY m.id, g.n
        WINDOW later AS (PARTITION BY m.id ORDER BY g.n DESC)
        ORDER BY 1, 2;
END $$;
COMMENT ON FUNCTION ledger.collector_load(timestamptz, timestamptz, interval) IS
    'How many targets each collector had, from since_at to until_at by step; at most 11,001 instants.';

SELECT ledger.settle_rights();
