-- 0006_find_deliveries: an index by which the first fetch of a changed answer is found.
--
-- Why:    moves, reports and the recording itself ask when a collector first fetched a list of a job at or after a
--         revision; without an index each question reads whole days.
-- Locks:  blocks the recording of deliveries while it is made, and of reads for a moment; deliveries are recorded from
--         this release on.
-- Check:  SELECT indexrelid::regclass FROM pg_index WHERE indrelid = 'ledger.delivery'::regclass;

CREATE INDEX delivery_list ON ledger.delivery (collector, job, first_fetch_at);
COMMENT ON TABLE ledger.delivery IS
    'The first fetch of each changed answer by each collector: when it learned what was assigned to it.';
COMMENT ON COLUMN ledger.delivery.revision IS 'The revision at which this collector''s list of this job last changed.';
COMMENT ON COLUMN ledger.delivery.first_fetch_at IS 'By the database''s clock.';

-- How a read of the history was answered. Rows from before this have none: they were answered.
ALTER TABLE ledger.access ADD COLUMN status smallint;
COMMENT ON COLUMN ledger.access.status IS 'Status of the answer; 499: nobody waited for it. Null before it was recorded.';
