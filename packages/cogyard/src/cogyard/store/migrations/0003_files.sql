-- Bytes that an account sent or a model made. The bytes themselves are blobs, kept by digest.
CREATE TABLE files (
  rank INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  account_id INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  token TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  content_type TEXT NOT NULL,
  size INTEGER NOT NULL,
  sha256 TEXT NOT NULL,
  md5 TEXT NOT NULL,
  metadata TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER,
  prediction_id TEXT
) STRICT;
CREATE INDEX files_uploaded ON files (account_id, rank) WHERE prediction_id IS NULL;
CREATE INDEX files_of_prediction ON files (prediction_id) WHERE prediction_id IS NOT NULL;
CREATE INDEX files_expiring ON files (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX files_by_content ON files (sha256);
