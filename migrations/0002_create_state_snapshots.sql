-- 0002_create_state_snapshots: whole states from time to time, so that an old state is read from one nearby.
--
-- Why:    without them a state in the middle of a long history costs half of all events.
-- Locks:  none that matter; ledger.state_snapshot is new. ledger.ensure_partitions is replaced: it now makes the
--         partitions of every partitioned table of the schema, so that a later migration need not name its own again.
-- Check:  SELECT revision, at, sum(cardinality(targets)) FROM ledger.state_snapshot GROUP BY 1, 2 ORDER BY 1;

CREATE TABLE ledger.state_snapshot (
    at         timestamptz NOT NULL,
    revision   bigint NOT NULL,
    block      integer NOT NULL,
    targets    integer[] NOT NULL,
    collectors integer[] NOT NULL,
    label_sets integer[] NOT NULL,
    PRIMARY KEY (at, block)
) PARTITION BY RANGE (at);
COMMENT ON TABLE ledger.state_snapshot IS
    'The state after a revision, in blocks of 4096 target numbers. Nothing but what the events say; verify compares them.';
COMMENT ON COLUMN ledger.state_snapshot.block IS 'A target''s number divided by 4096. Blocks without a target have no row.';
COMMENT ON COLUMN ledger.state_snapshot.collectors IS 'At the same places as in targets; 0: none had it.';

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON ledger.state_snapshot
    FOR EACH ROW EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON ledger.state_snapshot
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

CREATE OR REPLACE FUNCTION ledger.ensure_partitions(days integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    parent text;
    day date;
    partition text;
    made integer := 0;
BEGIN
    IF days < 0 OR days > 366 THEN
        RAISE EXCEPTION 'days is %, allowed are 0 to 366', days;
    END IF;
    -- Two processes that start together make them once.
    PERFORM pg_advisory_xact_lock(hashtextextended('ledger.ensure_partitions', 0));
    FOR day IN SELECT (clock_timestamp() AT TIME ZONE 'UTC')::date + n FROM generate_series(-1, days) AS n LOOP
        FOR parent IN SELECT c.relname FROM pg_class c
            WHERE c.relnamespace = 'ledger'::regnamespace AND c.relkind = 'p' ORDER BY c.oid
        LOOP
            partition := format('%s_%s', parent, to_char(day, 'YYYYMMDD'));
            CONTINUE WHEN to_regclass(format('ledger.%I', partition)) IS NOT NULL;
            -- Made aside and attached: PARTITION OF would lock readers out.
            EXECUTE format('CREATE TABLE ledger.%I (LIKE ledger.%I INCLUDING ALL)', partition, parent);
            EXECUTE format('CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON ledger.%I '
                || 'FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change()', partition);
            EXECUTE format('ALTER TABLE ledger.%I ATTACH PARTITION ledger.%I FOR VALUES FROM (%L) TO (%L)',
                parent, partition, day::text || ' 00:00:00+00', (day + 1)::text || ' 00:00:00+00');
            made := made + 1;
        END LOOP;
    END LOOP;
    RETURN made;
END $$;

DO $$
BEGIN
    IF (SELECT count(*) FROM pg_roles WHERE rolname IN ('ledger_owner', 'ledger_writer', 'ledger_reader')) = 3 THEN
        GRANT SELECT ON ledger.state_snapshot TO ledger_reader, ledger_writer;
        GRANT INSERT ON ledger.state_snapshot TO ledger_writer;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'ledger_owner')
        AND pg_has_role(current_user, 'ledger_owner', 'MEMBER') THEN
        ALTER TABLE ledger.state_snapshot OWNER TO ledger_owner;
    END IF;
END $$;
SELECT ledger.ensure_partitions(7);
