-- 0005_create_retention: days that are sealed and dropped, legal holds, requests of operators, and what makes gaps certain.
--
-- Why:    a day that is over is closed and sealed; a sealed day that no hold keeps is detached and dropped. All of it is
--         decided by the fenced writer as revisions, and the server itself refuses to drop what is not sealed, not recorded
--         as dropped, or held. Periods without recording need to be known to the second, so the lease says when it was last
--         renewed and a term until when the one before it could record.
-- Locks:  ACCESS EXCLUSIVE on ledger.lease, term, gap, seal and legal_hold, for as long as it takes to write catalog rows.
-- Check:  SELECT * FROM ledger.retention_day;  SELECT recorded_until, gap_cause FROM ledger.term ORDER BY epoch DESC LIMIT 1;

-- Gaps ------------------------------------------------------------------------------------------------------------------

ALTER TABLE ledger.lease ADD COLUMN renewed_at timestamptz;
COMMENT ON COLUMN ledger.lease.renewed_at IS 'When the holder last proved that it could write here.';

ALTER TABLE ledger.term ADD COLUMN recorded_until timestamptz, ADD COLUMN gap_cause text;
COMMENT ON COLUMN ledger.term.recorded_until IS
    'Until when recording was certain before this term; null when nothing had been recorded.';
COMMENT ON COLUMN ledger.term.gap_cause IS 'Why nothing was recorded from then on: as ledger.gap.cause.';

ALTER TABLE ledger.gap ADD COLUMN revision bigint;
COMMENT ON COLUMN ledger.gap.revision IS 'The revision whose cause_detail states this gap and so binds it into the chain.';
COMMENT ON COLUMN ledger.gap.cause IS
    'stopped: the leader gave its lease up. crashed: its lease ran out. lease_lost: the same process lost its lease and got '
    'it back. database_outage: the database could not be written to.';

-- Seals -----------------------------------------------------------------------------------------------------------------

ALTER TABLE ledger.seal ADD COLUMN revision bigint;
COMMENT ON TABLE ledger.seal IS 'One row for each partition of a day that is over: what it held, and can no longer change.';
COMMENT ON COLUMN ledger.seal.revision IS 'The revision that recorded the seal; its cause_detail names the seal''s digest.';

CREATE TABLE ledger.partition_drop (
    partition text PRIMARY KEY REFERENCES ledger.seal (partition),
    revision bigint NOT NULL, at timestamptz NOT NULL, asked_by text NOT NULL, export_sha256 bytea
);
COMMENT ON TABLE ledger.partition_drop IS
    'Sealed partitions that were given up, by the revision that says so. The table itself goes a moment later.';
COMMENT ON COLUMN ledger.partition_drop.export_sha256 IS 'Of the file that the day was exported to, where that was asked for.';

-- Legal holds -------------------------------------------------------------------------------------------------------------

ALTER TABLE ledger.legal_hold ADD COLUMN hold bigint, ADD COLUMN placed_by text NOT NULL DEFAULT '';
-- Rows that somebody may have written by hand get numbers that no revision has.
UPDATE ledger.legal_hold AS h SET hold = -n.number
    FROM (SELECT ctid, row_number() OVER (ORDER BY placed_at) AS number FROM ledger.legal_hold) AS n WHERE n.ctid = h.ctid;
ALTER TABLE ledger.legal_hold ADD PRIMARY KEY (hold);
COMMENT ON TABLE ledger.legal_hold IS 'Periods whose days are never dropped, until the hold is released.';
COMMENT ON COLUMN ledger.legal_hold.hold IS 'Its number: the revision that recorded it.';

CREATE TABLE ledger.hold_release (
    hold bigint PRIMARY KEY REFERENCES ledger.legal_hold (hold), revision bigint NOT NULL,
    released_at timestamptz NOT NULL, released_by text NOT NULL, reason text NOT NULL
);
COMMENT ON TABLE ledger.hold_release IS 'Holds that are over. The hold''s own row stays as it was.';

-- Requests ----------------------------------------------------------------------------------------------------------------

CREATE TABLE ledger.operator_request (
    id uuid PRIMARY KEY,
    kind text NOT NULL,
    parameters jsonb NOT NULL,
    asked_by text NOT NULL,
    asked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    taken_epoch bigint,
    taken_at timestamptz,
    done_at timestamptz,
    succeeded boolean,
    outcome text,
    CHECK (done_at IS NULL OR (taken_epoch IS NOT NULL AND succeeded IS NOT NULL AND outcome IS NOT NULL))
);
CREATE INDEX operator_request_open ON ledger.operator_request (asked_at) WHERE done_at IS NULL;
COMMENT ON TABLE ledger.operator_request IS
    'What operators asked for, to be done by whoever holds the lease: asked, taken in a term, done.';

-- Rules that hold for every role -------------------------------------------------------------------------------------------

CREATE FUNCTION ledger.refuse_other_request() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.done_at IS NOT NULL OR NEW.taken_epoch < OLD.taken_epoch
        OR ROW(NEW.id, NEW.kind, NEW.parameters, NEW.asked_by, NEW.asked_at)
            IS DISTINCT FROM ROW(OLD.id, OLD.kind, OLD.parameters, OLD.asked_by, OLD.asked_at) THEN
        RAISE EXCEPTION 'request % is refused: it is only taken, by later terms, and then done once', OLD.id
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER only_forward BEFORE UPDATE ON ledger.operator_request
    FOR EACH ROW EXECUTE FUNCTION ledger.refuse_other_request();
CREATE TRIGGER no_removal BEFORE DELETE OR TRUNCATE ON ledger.operator_request
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['legal_hold', 'hold_release', 'partition_drop'] LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON ledger.%I '
            || 'FOR EACH ROW EXECUTE FUNCTION ledger.refuse_change()', name);
        EXECUTE format('CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON ledger.%I '
            || 'FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change()', name);
    END LOOP;
END $$;

CREATE FUNCTION ledger.refuse_late_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'INSERT into % is refused: its day is over and sealed', TG_TABLE_NAME USING ERRCODE = 'check_violation';
END $$;

-- Partitions --------------------------------------------------------------------------------------------------------------

-- The tables of a day, in the order in which they are given up. What is derived from the others is not sealed, and goes first:
-- it must not be read without them. Then the revisions, with which whoever reads begins.
CREATE VIEW ledger.retention_parent AS
    SELECT name, place, name = 'state_snapshot' AS is_derived FROM unnest(
        ARRAY['state_snapshot', 'revision', 'target_event', 'collector_event', 'discovery_report', 'delivery'])
    WITH ORDINALITY AS t(name, place);

-- Makes the partitions from the day before until so many days after, where they are not there and were not given up.
CREATE FUNCTION ledger.ensure_partitions(today date, days integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    parent text;
    day date;
    partition text;
    made integer := 0;
    has_roles boolean := (SELECT count(*) = 2 FROM pg_roles WHERE rolname IN ('ledger_writer', 'ledger_reader'));
BEGIN
    IF days < 0 OR days > 366 THEN
        RAISE EXCEPTION 'days is %, allowed are 0 to 366', days;
    END IF;
    -- Two processes that start together make them once.
    PERFORM pg_advisory_xact_lock(hashtextextended('ledger.ensure_partitions', 0));
    FOR day IN SELECT today + n FROM generate_series(-1, days) AS n LOOP
        CONTINUE WHEN EXISTS (SELECT FROM ledger.seal s WHERE s.partition = 'revision_' || to_char(day, 'YYYYMMDD'));
        FOR parent IN SELECT c.relname FROM pg_class c
            WHERE c.relnamespace = 'ledger'::regnamespace AND c.relkind = 'p' ORDER BY c.oid
        LOOP
            partition := format('%s_%s', parent, to_char(day, 'YYYYMMDD'));
            CONTINUE WHEN to_regclass(format('ledger.%I', partition)) IS NOT NULL;
            -- Made aside and attached: PARTITION OF would lock readers out.
            EXECUTE format('CREATE TABLE ledger.%I (LIKE ledger.%I INCLUDING ALL)', partition, parent);
            EXECUTE format('CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON ledger.%I '
                || 'FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change()', partition);
            IF has_roles THEN
                EXECUTE format('GRANT SELECT ON ledger.%I TO ledger_reader, ledger_writer', partition);
                EXECUTE format('GRANT INSERT ON ledger.%I TO ledger_writer', partition);
            END IF;
            EXECUTE format('ALTER TABLE ledger.%I ATTACH PARTITION ledger.%I FOR VALUES FROM (%L) TO (%L)',
                parent, partition, day::text || ' 00:00:00+00', (day + 1)::text || ' 00:00:00+00');
            made := made + 1;
        END LOOP;
    END LOOP;
    RETURN made;
END $$;

CREATE OR REPLACE FUNCTION ledger.ensure_partitions(days integer) RETURNS integer
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
    'SELECT ledger.ensure_partitions((clock_timestamp() AT TIME ZONE ''UTC'')::date, days)';

-- Every partition there is, wherever it stands between being written to and being gone.
CREATE VIEW ledger.retention_partition AS
    SELECT c.relname::text AS partition, p.name AS parent, p.place, p.is_derived,
           to_date(substring(c.relname FROM '_([0-9]{8})$'), 'YYYYMMDD') AS day, c.oid AS relation,
           CASE WHEN i.inhrelid IS NULL THEN 'detached' WHEN i.inhdetachpending THEN 'detaching' ELSE 'attached' END AS state,
           EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = 'sealed') AS is_closed
    FROM ledger.retention_parent p
    JOIN pg_class c ON c.relnamespace = 'ledger'::regnamespace AND c.relkind = 'r'
        AND c.relname ~ ('^' || p.name || '_[0-9]{8}$')
    LEFT JOIN pg_inherits i ON i.inhrelid = c.oid;

-- Nothing is written into this partition any more. Waits for whoever is just writing into it.
CREATE FUNCTION ledger.close_partition(closed text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF (SELECT p.day + 1 > (clock_timestamp() AT TIME ZONE 'UTC')::date FROM ledger.retention_partition p
        WHERE p.partition = closed AND NOT p.is_closed) THEN
        RAISE EXCEPTION '% is refused to be closed: its day is not over', closed USING ERRCODE = 'check_violation';
    END IF;
    IF EXISTS (SELECT FROM ledger.retention_partition p WHERE p.partition = closed AND NOT p.is_closed) THEN
        EXECUTE format('CREATE TRIGGER sealed BEFORE INSERT ON ledger.%I '
            || 'FOR EACH ROW EXECUTE FUNCTION ledger.refuse_late_row()', closed);
    END IF;
END $$;

-- Who still holds a period: placed, and not released.
CREATE VIEW ledger.active_hold AS
    SELECT h.* FROM ledger.legal_hold h WHERE NOT EXISTS (SELECT FROM ledger.hold_release r WHERE r.hold = h.hold);

CREATE FUNCTION ledger.require_droppable(dropped text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    held bigint;
    -- What is derived goes when the day's revisions may.
    bound text := CASE WHEN dropped LIKE 'state\_snapshot\_%' THEN 'revision_' || right(dropped, 8) ELSE dropped END;
BEGIN
    IF NOT EXISTS (SELECT FROM ledger.seal s JOIN ledger.partition_drop d USING (partition) WHERE s.partition = bound) THEN
        RAISE EXCEPTION '% is refused to be dropped: it is not sealed, or no revision says so', dropped
            USING ERRCODE = 'check_violation';
    END IF;
    SELECT min(h.hold) INTO held FROM ledger.active_hold h JOIN ledger.seal s ON s.partition = bound
        WHERE h.from_at < s.to_at AND h.to_at > s.from_at;
    IF held IS NOT NULL THEN
        RAISE EXCEPTION '% is refused to be dropped: hold % keeps it', dropped, held USING ERRCODE = 'check_violation';
    END IF;
END $$;

-- For a role that does not own the tables: waits for readers instead of letting them by, so call it with a lock_timeout.
CREATE FUNCTION ledger.detach_partition(detached text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE found record;
BEGIN
    PERFORM ledger.require_droppable(detached);
    SELECT p.parent, p.state INTO found FROM ledger.retention_partition p WHERE p.partition = detached;
    IF found.state = 'attached' THEN
        EXECUTE format('ALTER TABLE ledger.%I DETACH PARTITION ledger.%I', found.parent, detached);
    ELSIF found.state = 'detaching' THEN
        EXECUTE format('ALTER TABLE ledger.%I DETACH PARTITION ledger.%I FINALIZE', found.parent, detached);
    END IF;
END $$;

CREATE FUNCTION ledger.drop_partition(dropped text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE state text;
BEGIN
    -- A hold that is being placed is waited for, and one that comes later finds the table gone.
    LOCK TABLE ledger.legal_hold IN SHARE MODE;
    PERFORM ledger.require_droppable(dropped);
    SELECT p.state INTO state FROM ledger.retention_partition p WHERE p.partition = dropped;
    IF state = 'detached' THEN
        EXECUTE format('DROP TABLE ledger.%I', dropped);
    ELSIF state IS NOT NULL THEN
        RAISE EXCEPTION '% is refused to be dropped: it is still a part of its table', dropped USING ERRCODE = 'check_violation';
    END IF;
END $$;

-- For people and for `retention status`: one row a day, the latest first.
CREATE VIEW ledger.retention_day AS
    SELECT day, count(p.partition) AS partitions, bool_and(p.state = 'attached') AS is_attached,
           bool_and(s.partition IS NOT NULL OR p.is_derived) AS is_sealed, bool_or(d.partition IS NOT NULL) AS is_given_up,
           sum(s.rows)::bigint AS sealed_rows, sum(pg_total_relation_size(p.relation))::bigint AS bytes
    FROM ledger.retention_partition p
    LEFT JOIN ledger.seal s USING (partition)
    LEFT JOIN ledger.partition_drop d USING (partition)
    GROUP BY day ORDER BY day DESC;
COMMENT ON VIEW ledger.retention_day IS 'The days there are tables for: their size, and whether they are sealed.';

-- Rights ------------------------------------------------------------------------------------------------------------------

DO $$
DECLARE item record;
BEGIN
    IF (SELECT count(*) FROM pg_roles WHERE rolname IN ('ledger_owner', 'ledger_writer', 'ledger_reader')) = 3 THEN
        GRANT SELECT ON ALL TABLES IN SCHEMA ledger TO ledger_reader, ledger_writer;
        GRANT INSERT ON ledger.seal, ledger.legal_hold, ledger.hold_release, ledger.partition_drop, ledger.operator_request
            TO ledger_writer;
        GRANT UPDATE ON ledger.operator_request TO ledger_writer;
        FOR item IN SELECT partition FROM ledger.retention_partition LOOP
            EXECUTE format('GRANT INSERT ON ledger.%I TO ledger_writer', item.partition);
        END LOOP;
        FOR item IN SELECT unnest(ARRAY['ensure_partitions(date, integer)', 'ensure_partitions(integer)',
            'close_partition(text)', 'require_droppable(text)', 'detach_partition(text)', 'drop_partition(text)']) AS name
        LOOP
            EXECUTE format('REVOKE ALL ON FUNCTION ledger.%s FROM PUBLIC', item.name);
            EXECUTE format('GRANT EXECUTE ON FUNCTION ledger.%s TO ledger_writer', item.name);
        END LOOP;
    END IF;
END $$;

-- To the owner's role, where this role may hand them over; else they stay with it.
DO $$
DECLARE item record;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'ledger_owner')
        OR NOT pg_has_role(current_user, 'ledger_owner', 'MEMBER') THEN
        RETURN;
    END IF;
    FOR item IN SELECT c.oid::regclass AS name, CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END AS kind
        FROM pg_class c WHERE c.relnamespace = 'ledger'::regnamespace AND c.relkind IN ('r', 'p', 'v')
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
    RAISE NOTICE 'new objects stay with %: they could not be handed to ledger_owner', current_user;
END $$;
