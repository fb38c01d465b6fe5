-- 0004_seal_tree: keeps the edge of the log's tree with the seal of a dropped partition.
--
-- Why:    the root over all revisions must be computable after the first ones were dropped: checkpoints and proofs of what
--         is kept need it.
-- Locks:  ACCESS EXCLUSIVE on ledger.seal, for as long as it takes to write a catalog row.
-- Check:  SELECT tree FROM ledger.seal LIMIT 0;

ALTER TABLE ledger.seal ADD COLUMN tree bytea;
COMMENT ON COLUMN ledger.seal.tree IS
    'Of a partition of ledger.revision: roots of the complete subtrees of the log up to last_revision, largest first.';
COMMENT ON COLUMN ledger.seal.digest IS
    'Of a partition of ledger.revision: the digest of its last revision, which the next one names as the one before.';
