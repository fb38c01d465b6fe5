-- 0007_report_replicas: what each process says of itself, every few seconds.
--
-- Why:    a page that shows who leads and how far the others are; and a rolling update, in which a process with a
--         configuration that another one has superseded must not take the lease from it.
-- Locks:  ACCESS EXCLUSIVE on ledger.replica for an instant; the table was not written before.
-- Check:  SELECT name, state, applied_revision, seen_at FROM ledger.replica;

ALTER TABLE ledger.replica
    ADD COLUMN epoch bigint,
    ADD COLUMN applied_digest bytea,
    ADD COLUMN behind_revisions bigint NOT NULL DEFAULT 0,
    ADD COLUMN behind_seconds double precision NOT NULL DEFAULT 0,
    ADD COLUMN hearing text NOT NULL DEFAULT '';
COMMENT ON TABLE ledger.replica IS 'What each process said of itself last; not history: a row that is not renewed is removed.';
COMMENT ON COLUMN ledger.replica.name IS 'Its address.';
COMMENT ON COLUMN ledger.replica.version IS 'The newest migration that it knows.';
COMMENT ON COLUMN ledger.replica.configuration_digest IS 'The configuration that it would record if it led.';
COMMENT ON COLUMN ledger.replica.state IS 'starting, leading, following, or superseded: it does not ask for the lease.';
COMMENT ON COLUMN ledger.replica.epoch IS 'The term that it leads in; null while it does not.';
COMMENT ON COLUMN ledger.replica.hearing IS 'How it hears of revisions: connecting, listening or polling.';
