-- 0001_create_ledger: placeholder; replaced before the first release.
CREATE SCHEMA IF NOT EXISTS ledger;
