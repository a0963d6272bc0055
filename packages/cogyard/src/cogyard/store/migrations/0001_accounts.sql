-- Who there is, and what lets them in. Moments are microseconds since 1970, UTC.
CREATE TABLE accounts (
  id INTEGER PRIMARY KEY,
  username TEXT NOT NULL COLLATE NOCASE UNIQUE,
  type TEXT NOT NULL CHECK (type IN ('user', 'organization')),
  name TEXT NOT NULL,
  password TEXT,
  is_admin INTEGER NOT NULL DEFAULT 0,
  avatar_url TEXT,
  github_url TEXT,
  created_at INTEGER NOT NULL
) STRICT;

-- Tokens are kept as SHA-256: 200 random bits need no slow hash, and every request looks one up.
CREATE TABLE tokens (
  id INTEGER PRIMARY KEY,
  account_id INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  hash BLOB NOT NULL UNIQUE,
  tail TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER,
  revoked_at INTEGER
) STRICT;
CREATE INDEX tokens_by_account ON tokens (account_id, id);

CREATE TABLE login_links (
  hash BLOB PRIMARY KEY,
  account_id INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  used_at INTEGER
) STRICT, WITHOUT ROWID;

-- What an account signs its webhooks with.
CREATE TABLE webhook_secrets (
  account_id INTEGER PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
  secret TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;
