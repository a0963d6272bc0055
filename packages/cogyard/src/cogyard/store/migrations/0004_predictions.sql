-- What was asked and what came of it. Ids sort by age, so they are the order of every listing.
CREATE TABLE predictions (
  rank INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  account_id INTEGER NOT NULL REFERENCES accounts (id),
  model_id INTEGER REFERENCES models (id) ON DELETE SET NULL,
  model TEXT NOT NULL,
  version TEXT NOT NULL,
  status TEXT NOT NULL,
  source TEXT NOT NULL,
  input TEXT NOT NULL,
  secret_inputs TEXT NOT NULL DEFAULT '',
  output TEXT,
  error TEXT,
  logs TEXT NOT NULL DEFAULT '',
  metrics TEXT NOT NULL DEFAULT '{}',
  created_at INTEGER NOT NULL,
  started_at INTEGER,
  completed_at INTEGER,
  deadline INTEGER,
  stream_token TEXT NOT NULL UNIQUE,
  origin TEXT NOT NULL,
  webhook TEXT,
  webhook_events TEXT NOT NULL DEFAULT '',
  data_removed INTEGER NOT NULL DEFAULT 0,
  attempts INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX predictions_by_account ON predictions (account_id, id);
CREATE INDEX predictions_by_version ON predictions (version, model_id);

-- Only what has not ended yet: small, and apart from the rows above, because it is what every claim searches.
CREATE TABLE queue (
  rank INTEGER PRIMARY KEY,
  prediction_id TEXT NOT NULL UNIQUE,
  deployable TEXT NOT NULL,
  claims INTEGER NOT NULL DEFAULT 0,
  deadline INTEGER,
  lease_token TEXT,
  lease_expires_at INTEGER,
  instance TEXT
) STRICT;
CREATE INDEX queue_waiting ON queue (deployable, rank) WHERE lease_token IS NULL;
-- Partial, or the planner would look for what waits among all that has no lease, whatever its deployable.
CREATE UNIQUE INDEX queue_held ON queue (lease_token) WHERE lease_token IS NOT NULL;
CREATE INDEX queue_leases ON queue (lease_expires_at) WHERE lease_token IS NOT NULL;
CREATE INDEX queue_deadlines ON queue (deadline) WHERE deadline IS NOT NULL;

-- What was streamed, one row a batch, for watchers who come late and for outputs that are put together at the end.
CREATE TABLE prediction_events (
  prediction_id TEXT NOT NULL,
  first INTEGER NOT NULL,
  last INTEGER NOT NULL,
  items TEXT NOT NULL,
  written_at INTEGER NOT NULL,
  PRIMARY KEY (prediction_id, first)
) STRICT, WITHOUT ROWID;
CREATE INDEX prediction_events_by_age ON prediction_events (written_at);

-- Webhook events that still have to be told, in the order they happened.
CREATE TABLE outbox (
  rank INTEGER PRIMARY KEY,
  message_id TEXT NOT NULL UNIQUE,
  prediction_id TEXT NOT NULL,
  event TEXT NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  due_at INTEGER NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX outbox_due ON outbox (due_at, rank);
CREATE UNIQUE INDEX outbox_once ON outbox (prediction_id, event);
