-- Where an account wants to be told of all its predictions, each place with a secret of its own. The secret that was
-- replaced goes on signing for a day. `failing_since` is since when nothing was answered well.
CREATE TABLE webhook_endpoints (
  id TEXT PRIMARY KEY,
  account_id INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  url TEXT NOT NULL,
  events TEXT NOT NULL,
  model TEXT,
  enabled INTEGER NOT NULL,
  disabled_reason TEXT,
  secret TEXT NOT NULL,
  previous TEXT,
  rotated_at INTEGER,
  failing_since INTEGER,
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX webhook_endpoints_by_account ON webhook_endpoints (account_id, id);

-- Whom a letter is for: an endpoint, or the prediction's own webhook (''). An event waits once for each.
ALTER TABLE outbox ADD COLUMN endpoint TEXT NOT NULL DEFAULT '';
DROP INDEX outbox_once;
CREATE UNIQUE INDEX outbox_once ON outbox (prediction_id, endpoint, event);

ALTER TABLE webhook_calls ADD COLUMN endpoint TEXT NOT NULL DEFAULT '';
CREATE INDEX webhook_calls_of_endpoint ON webhook_calls (endpoint, rank) WHERE endpoint <> '';
