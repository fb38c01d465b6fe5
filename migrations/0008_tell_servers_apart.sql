-- 0008_tell_servers_apart: which server wrote, told as soon as it takes writes.
--
-- Why:    after a failover commits may be missing that were served. That the server is another one shows in its timeline,
--         which a promoted standby writes into its control file only with its first checkpoint, minutes later; the name of
--         the log file that is written has it at once.
-- Locks:  none that matter; a function is replaced.
-- Check:  SELECT * FROM ledger.server_identity();

CREATE OR REPLACE FUNCTION ledger.server_identity(OUT system_identifier bigint, OUT timeline integer)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    BEGIN
        SELECT s.system_identifier INTO system_identifier FROM pg_control_system() s;
        SELECT c.timeline_id INTO timeline FROM pg_control_checkpoint() c;
    EXCEPTION WHEN insufficient_privilege OR undefined_function THEN
        NULL;
    END;
    BEGIN
        timeline := ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::integer;
    -- A standby, or a server that keeps no log of its own.
    EXCEPTION WHEN OTHERS THEN
        NULL;
    END;
END $$;

COMMENT ON COLUMN ledger.gap.cause IS
    'stopped: the leader gave its lease up. crashed: its lease ran out. lease_lost: the same process lost its lease and got '
    'it back. database_outage: the database could not be written to. journal: one process went on by itself and another '
    'wrote meanwhile, so what it served is no revision. fork: the database lost revisions that were served, or may have.';
