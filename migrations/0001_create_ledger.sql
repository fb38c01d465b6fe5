-- 0001_create_ledger: everything that the first release records.
--
-- Why:    the allocation, its whole history and the lease that fences its writer live here. Names are the contract with
--         auditors who read the tables in SQL; each table and many columns carry a comment.
-- Locks:  none that matter; all objects are new.
-- Check:  SELECT * FROM ledger.head;  SELECT count(*) FROM pg_inherits WHERE inhparent = 'ledger.target_event'::regclass;
-- Needs:  PostgreSQL 14, CREATE on the database; no extension, no superuser. Roles are made where that is allowed.

CREATE SCHEMA IF NOT EXISTS ledger;
COMMENT ON SCHEMA ledger IS 'What the target allocator decided, when and why.';

-- Control -----------------------------------------------------------------------------------------------------------

CREATE TABLE ledger.lease (
    name        text PRIMARY KEY,
    holder      uuid,
    epoch       bigint NOT NULL,
    address     text NOT NULL DEFAULT '',
    acquired_at timestamptz,
    expires_at  timestamptz NOT NULL,
    -- A key, so that a takeover (which changes the epoch) waits for a writer's FOR KEY SHARE and a renewal does not.
    UNIQUE (name, epoch)
);
COMMENT ON TABLE ledger.lease IS 'Who may append now. All times are this server''s.';
INSERT INTO ledger.lease (name, epoch, expires_at) VALUES ('allocator', 0, '-infinity');

CREATE TABLE ledger.term (
    epoch             bigint PRIMARY KEY,
    holder            uuid NOT NULL,
    address           text NOT NULL,
    acquired_at       timestamptz NOT NULL,
    ended_at          timestamptz,
    end_reason        text,
    system_identifier bigint,
    timeline          integer,
    first_revision    bigint NOT NULL,
    first_digest      bytea NOT NULL
);
COMMENT ON TABLE ledger.term IS 'Who led, from when to when, and the tip of the log it found.';

CREATE TABLE ledger.head (
    name     text PRIMARY KEY,
    revision bigint NOT NULL,
    epoch    bigint NOT NULL,
    at       timestamptz NOT NULL,
    digest   bytea NOT NULL
);
COMMENT ON TABLE ledger.head IS 'The tip of the log: revision 0 and a digest of zeros while nothing is recorded.';
INSERT INTO ledger.head (name, revision, epoch, at, digest)
VALUES ('allocator', 0, 0, '1970-01-01 00:00:00+00', decode(repeat('00', 32), 'hex'));

CREATE TABLE ledger.replica (
    id                   uuid PRIMARY KEY,
    name                 text NOT NULL,
    version              text NOT NULL,
    configuration_digest bytea,
    applied_revision     bigint,
    state                text NOT NULL,
    started_at           timestamptz NOT NULL,
    seen_at              timestamptz NOT NULL
);

-- What may change still cannot go back: epochs and revisions only grow, a term's end is written once.
CREATE FUNCTION ledger.refuse_going_back() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME = 'lease' THEN
        IF NEW.epoch < OLD.epoch THEN
            RAISE EXCEPTION 'epoch % after % is refused: epochs only grow', NEW.epoch, OLD.epoch
                USING ERRCODE = 'insufficient_privilege';
        END IF;
    ELSIF TG_TABLE_NAME = 'head' THEN
        IF NEW.revision < OLD.revision OR NEW.at < OLD.at THEN
            RAISE EXCEPTION 'revision % after % is refused: the log only grows', NEW.revision, OLD.revision
                USING ERRCODE = 'insufficient_privilege';
        END IF;
    ELSIF OLD.ended_at IS NOT NULL OR (to_jsonb(NEW) - 'ended_at' - 'end_reason')
        IS DISTINCT FROM (to_jsonb(OLD) - 'ended_at' - 'end_reason') THEN
        RAISE EXCEPTION 'of term % only the end can be written, once', OLD.epoch
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;

-- Which server this is and on which timeline; null where this role may not ask.
CREATE FUNCTION ledger.server_identity(OUT system_identifier bigint, OUT timeline integer)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    SELECT s.system_identifier INTO system_identifier FROM pg_control_system() s;
    SELECT c.timeline_id INTO timeline FROM pg_control_checkpoint() c;
EXCEPTION WHEN insufficient_privilege OR undefined_function THEN
    NULL;
END $$;

-- Dictionaries: append-only. Ids are given by the fenced writer; digests of history bind contents, not ids. ----------

CREATE TABLE ledger.job (id integer PRIMARY KEY, name text NOT NULL UNIQUE);

CREATE TABLE ledger.collector (id integer PRIMARY KEY, name text NOT NULL, uid text NOT NULL DEFAULT '', UNIQUE (name, uid));
COMMENT ON COLUMN ledger.collector.uid IS 'Tells incarnations under one name apart, for instance a pod''s UID; empty when there is none.';

-- No index on the content: at a first start millions of pairs come at once, and entries at random places of an index cost
-- three times as much as the rows (2 M pairs: 3.3 s without, 12 s with). The writer knows the ids of what is current.
CREATE TABLE ledger.label (id integer PRIMARY KEY, name text NOT NULL, value text NOT NULL, raw bytea);
COMMENT ON TABLE ledger.label IS
    'Label pairs. One that comes back after a restart may have a second id: search by name and value, join by id.';
COMMENT ON COLUMN ledger.label.raw IS
    'Null, but for the rare pair that text cannot hold (a zero byte, broken UTF-8): name, a byte FF, value, as they are.';

CREATE TABLE ledger.label_set (id integer PRIMARY KEY, digest bytea NOT NULL, labels integer[] NOT NULL);
COMMENT ON COLUMN ledger.label_set.labels IS 'Ids of ledger.label, ordered bytewise by label name.';
COMMENT ON COLUMN ledger.label_set.digest IS 'SHA-256 of the pairs as the module''s README describes.';
CREATE INDEX label_set_digest ON ledger.label_set (digest);

CREATE TABLE ledger.target (
    id       integer PRIMARY KEY,
    job      integer NOT NULL,
    identity bigint NOT NULL,
    address  text NOT NULL,
    UNIQUE (job, identity)
);
-- An endpoint's story joins all identities of a job's address; also finds addresses by how they begin.
CREATE INDEX target_address ON ledger.target (address text_pattern_ops);
COMMENT ON COLUMN ledger.target.identity IS 'The 64-bit identity of the standard API, as a signed number.';
COMMENT ON COLUMN ledger.target.address IS
    '__address__ when the target was first recorded, empty without one; its label sets say what it was later.';

CREATE TABLE ledger.configuration (id integer PRIMARY KEY, digest bytea NOT NULL UNIQUE, text text NOT NULL);
COMMENT ON COLUMN ledger.configuration.text IS 'The configuration in force, without secrets.';

CREATE TABLE ledger.ring (
    id               integer PRIMARY KEY,
    digest           bytea NOT NULL UNIQUE,
    strategy         text NOT NULL,
    version          text,
    members          text[] NOT NULL,
    partition_owners smallint[] NOT NULL,
    note             text
);
COMMENT ON COLUMN ledger.ring.partition_owners IS 'For each partition the place (from 0) of its owner in members; empty without a ring.';

-- History: append-only, partitioned by day. ----------------------------------------------------------------------------

CREATE TABLE ledger.revision (
    at                 timestamptz NOT NULL,
    revision           bigint NOT NULL,
    epoch              bigint NOT NULL,
    change_id          uuid NOT NULL,
    cause              text NOT NULL,
    cause_detail       text NOT NULL,
    occurred_at        timestamptz,
    replica            uuid NOT NULL,
    ring               integer NOT NULL,
    configuration      integer,
    targets_added      integer NOT NULL,
    targets_removed    integer NOT NULL,
    targets_moved      integer NOT NULL,
    targets_relabelled integer NOT NULL,
    target_events      integer NOT NULL,
    collector_events   integer NOT NULL,
    events_digest      bytea NOT NULL,
    previous_digest    bytea NOT NULL,
    digest             bytea NOT NULL,
    PRIMARY KEY (revision, at)
) PARTITION BY RANGE (at);
COMMENT ON TABLE ledger.revision IS 'One row for each atomic change of the allocation; numbers have no gap, times never go back.';
CREATE INDEX revision_change ON ledger.revision (change_id);
CREATE INDEX revision_at ON ledger.revision (at);

CREATE TABLE ledger.target_event (
    at               timestamptz NOT NULL,
    revision         bigint NOT NULL,
    ordinal          integer NOT NULL,
    target           integer NOT NULL,
    collector_before integer,
    collector_after  integer,
    label_set_before integer,
    label_set_after  integer,
    leaf             integer NOT NULL,
    reason           smallint NOT NULL,
    flags            smallint NOT NULL,
    PRIMARY KEY (revision, ordinal, at) WITH (fillfactor = 100)
) PARTITION BY RANGE (at);
COMMENT ON TABLE ledger.target_event IS 'One row for each target that a revision changed, with the state before and after.';
COMMENT ON COLUMN ledger.target_event.label_set_before IS 'Null: the target is new. label_set_after null: it is gone.';
COMMENT ON COLUMN ledger.target_event.reason IS 'Code of ledger.reason.';
COMMENT ON COLUMN ledger.target_event.leaf IS
    'The first four bytes of the event''s leaf hash: tells which row was altered, where events_digest proves that one was.';
COMMENT ON COLUMN ledger.target_event.flags IS
    '1 discovered, 2 vanished, 4 moved (there before and after, with another collector or none), 8 other labels, 16 cascade.';
-- Without the revision equal keys share an entry, which is a third of the size; a target's events lie in order anyway.
CREATE INDEX target_event_target ON ledger.target_event (target);
-- Where a time without a collector begins or ends: few events, and a report over any night needs all since.
CREATE INDEX target_event_unassigned ON ledger.target_event (target, revision)
    WHERE (collector_before IS NULL AND label_set_before IS NOT NULL)
        OR (collector_after IS NULL AND label_set_after IS NOT NULL);

CREATE TABLE ledger.collector_event (
    at        timestamptz NOT NULL,
    revision  bigint NOT NULL,
    ordinal   integer NOT NULL,
    collector integer NOT NULL,
    leaf      integer NOT NULL,
    kind      smallint NOT NULL,
    node      text,
    evidence  text NOT NULL,
    PRIMARY KEY (revision, ordinal, at)
) PARTITION BY RANGE (at);
COMMENT ON COLUMN ledger.collector_event.kind IS '1 joined, 2 left, 3 ready, 4 not_ready, 5 node_changed.';

CREATE TABLE ledger.discovery_report (
    first_at              timestamptz NOT NULL,
    last_at               timestamptz NOT NULL,
    job                   text NOT NULL,
    provider              text NOT NULL,
    source                text NOT NULL,
    outcome               text NOT NULL CHECK (outcome IN ('succeeded', 'failed')),
    targets               integer NOT NULL,
    added                 integer NOT NULL,
    removed               integer NOT NULL,
    dropped_by_relabelling integer NOT NULL,
    error                 text,
    duration              double precision NOT NULL,
    rounds                bigint NOT NULL,
    revision              bigint NOT NULL
) PARTITION BY RANGE (first_at);
COMMENT ON TABLE ledger.discovery_report IS 'Runs of equal discovery results that have ended; the open ones are in ledger.discovery_run.';
CREATE INDEX discovery_report_job ON ledger.discovery_report (job, first_at);

CREATE TABLE ledger.delivery (
    first_fetch_at timestamptz NOT NULL,
    collector      text NOT NULL,
    job            text NOT NULL,
    revision       bigint NOT NULL,
    replica        uuid NOT NULL
) PARTITION BY RANGE (first_fetch_at);

CREATE TABLE ledger.gap (from_at timestamptz NOT NULL, to_at timestamptz NOT NULL, cause text NOT NULL, detail text NOT NULL);
COMMENT ON TABLE ledger.gap IS 'Periods in which nothing could be recorded.';

-- Current state: what a restart reads. In the same transaction as history. ----------------------------------------------

CREATE TABLE ledger.current_target (
    target         integer PRIMARY KEY,
    collector      integer,
    label_set      integer NOT NULL,
    since_revision bigint NOT NULL
);
CREATE TABLE ledger.current_collector (collector integer PRIMARY KEY, node text, since_revision bigint NOT NULL);
CREATE TABLE ledger.current_rule (name text PRIMARY KEY, configuration integer, ring integer NOT NULL);
COMMENT ON TABLE ledger.current_rule IS 'The configuration and the placement rule in force.';

CREATE TABLE ledger.discovery_run (
    LIKE ledger.discovery_report INCLUDING DEFAULTS INCLUDING CONSTRAINTS, PRIMARY KEY (job, provider, source)
);
COMMENT ON TABLE ledger.discovery_run IS 'The run of equal results that each provider is in; unchanged rounds only lengthen it.';

-- Retention and audit ---------------------------------------------------------------------------------------------------

CREATE TABLE ledger.seal (
    partition text PRIMARY KEY, from_at timestamptz NOT NULL, to_at timestamptz NOT NULL, rows bigint NOT NULL,
    first_revision bigint, last_revision bigint, digest bytea NOT NULL, sealed_at timestamptz NOT NULL
);
CREATE TABLE ledger.legal_hold (from_at timestamptz NOT NULL, to_at timestamptz NOT NULL, reason text NOT NULL, placed_at timestamptz NOT NULL);
CREATE TABLE ledger.note (from_at timestamptz NOT NULL, to_at timestamptz NOT NULL, author text NOT NULL, text text NOT NULL, written_at timestamptz NOT NULL);
CREATE TABLE ledger.access (at timestamptz NOT NULL, who text NOT NULL, route text NOT NULL, parameters text NOT NULL);

CREATE TABLE ledger.reason (code smallint PRIMARY KEY, name text NOT NULL UNIQUE, meaning text NOT NULL);
INSERT INTO ledger.reason (code, name, meaning) VALUES
    (1, 'discovered', 'found, and had not been there'),
    (2, 'vanished', 'its synchronised discovery no longer has it'),
    (3, 'labels_changed', 'same identity, other labels; the collector stays'),
    (4, 'job_removed', 'its job is no longer configured'),
    (5, 'collector_joined', 'a collector that joined took it'),
    (6, 'collector_left', 'its collector left'),
    (7, 'collector_not_ready', 'its collector was not ready for longer than the grace period'),
    (8, 'cascade_load_bound', 'neither collector joined or left; the load bound pushed its partition on'),
    (9, 'node_changed', 'the target''s or the collector''s node changed'),
    (10, 'strategy_changed', 'the strategy or the version of the ring changed'),
    (11, 'rebalanced', 'moved to even out the load, on request'),
    (12, 'no_collector', 'no collector could take it'),
    (13, 'drained', 'its collector was drained on request');

-- Append-only, for every role ---------------------------------------------------------------------------------------------

CREATE FUNCTION ledger.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % is refused: the ledger is append-only', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$;

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['job', 'collector', 'label', 'label_set', 'target', 'configuration', 'ring', 'reason',
        'revision', 'target_event', 'collector_event', 'discovery_report', 'delivery', 'gap', 'seal', 'note', 'access']
    LOOP
        -- Row triggers, because partitions inherit those.
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON ledger.%I '
            || 'FOR EACH ROW EXECUTE FUNCTION ledger.refuse_change()', name);
        EXECUTE format('CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON ledger.%I '
            || 'FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change()', name);
    END LOOP;
END $$;

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['lease', 'head', 'term'] LOOP
        EXECUTE format('CREATE TRIGGER only_forward BEFORE UPDATE ON ledger.%I '
            || 'FOR EACH ROW EXECUTE FUNCTION ledger.refuse_going_back()', name);
        EXECUTE format('CREATE TRIGGER no_removal BEFORE DELETE OR TRUNCATE ON ledger.%I '
            || 'FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change()', name);
    END LOOP;
END $$;

-- Partitions: made ahead, none by default, so that a missing one is an error and not a silent heap. -----------------------

CREATE FUNCTION ledger.ensure_partitions(days integer) RETURNS integer
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
        FOREACH parent IN ARRAY ARRAY['revision', 'target_event', 'collector_event', 'discovery_report', 'delivery'] LOOP
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
SELECT ledger.ensure_partitions(7);

-- For people --------------------------------------------------------------------------------------------------------------

CREATE VIEW ledger.label_set_json AS
    SELECT s.id, s.digest, (SELECT jsonb_object_agg(l.name, l.value) FROM ledger.label l WHERE l.id = ANY (s.labels)) AS labels
    FROM ledger.label_set s;

CREATE VIEW ledger.target_move AS
    SELECT e.at, e.revision, e.ordinal, j.name AS job, t.address, t.identity,
           b.name AS collector_before, a.name AS collector_after, r.name AS reason, v.cause, v.cause_detail
    FROM ledger.target_event e
    JOIN ledger.revision v ON v.revision = e.revision AND v.at = e.at
    JOIN ledger.target t ON t.id = e.target
    JOIN ledger.job j ON j.id = t.job
    JOIN ledger.reason r ON r.code = e.reason
    LEFT JOIN ledger.collector b ON b.id = e.collector_before
    LEFT JOIN ledger.collector a ON a.id = e.collector_after
    WHERE b.name IS DISTINCT FROM a.name;
COMMENT ON VIEW ledger.target_move IS 'When and why each target came to another collector, or to or from none.';

CREATE VIEW ledger.current_assignment AS
    SELECT j.name AS job, t.address, t.identity, c.name AS collector, ct.since_revision, s.labels
    FROM ledger.current_target ct
    JOIN ledger.target t ON t.id = ct.target
    JOIN ledger.job j ON j.id = t.job
    JOIN ledger.label_set_json s ON s.id = ct.label_set
    LEFT JOIN ledger.collector c ON c.id = ct.collector;

-- Roles -------------------------------------------------------------------------------------------------------------------

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['ledger_owner', 'ledger_writer', 'ledger_reader'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', name);
        END IF;
    END LOOP;
EXCEPTION
    WHEN insufficient_privilege THEN
        RAISE NOTICE 'roles ledger_owner, ledger_writer and ledger_reader were not made: this role may not create roles';
    WHEN unique_violation OR duplicate_object THEN
        NULL;  -- Another database of this cluster made them at the same time.
END $$;

DO $$
BEGIN
    IF (SELECT count(*) FROM pg_roles WHERE rolname IN ('ledger_owner', 'ledger_writer', 'ledger_reader')) = 3 THEN
        GRANT USAGE ON SCHEMA ledger TO ledger_reader, ledger_writer;
        GRANT SELECT ON ALL TABLES IN SCHEMA ledger TO ledger_reader, ledger_writer;
        GRANT INSERT ON ALL TABLES IN SCHEMA ledger TO ledger_writer;
        REVOKE INSERT ON ledger.reason, ledger.seal, ledger.legal_hold FROM ledger_writer;
        GRANT UPDATE ON ledger.lease, ledger.term, ledger.head, ledger.replica, ledger.current_target,
            ledger.current_collector, ledger.current_rule, ledger.discovery_run TO ledger_writer;
        GRANT DELETE ON ledger.current_target, ledger.current_collector, ledger.discovery_run, ledger.replica TO ledger_writer;
        REVOKE ALL ON FUNCTION ledger.ensure_partitions(integer) FROM PUBLIC;
        GRANT EXECUTE ON FUNCTION ledger.ensure_partitions(integer) TO ledger_writer;
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
    LOOP
        EXECUTE format('ALTER %s %s OWNER TO ledger_owner', item.kind, item.name);
    END LOOP;
    FOR item IN SELECT p.oid::regprocedure AS name FROM pg_proc p WHERE p.pronamespace = 'ledger'::regnamespace LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO ledger_owner', item.name);
    END LOOP;
    ALTER SCHEMA ledger OWNER TO ledger_owner;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'the ledger stays with %: its objects could not be handed to ledger_owner', current_user;
END $$;
