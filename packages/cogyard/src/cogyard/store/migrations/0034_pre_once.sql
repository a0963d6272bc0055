-- Creates that said an Idempotency-Key, and what came of them: the same key again is the same prediction.
CREATE TABLE created_once (
  account_id INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  key TEXT NOT NULL,
  fingerprint BLOB NOT NULL,
  prediction_id TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (account_id, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX created_once_by_age ON created_once (created_at);
