-- Every try to tell somebody by webhook, for a week: what was called, and what came of it.
CREATE TABLE webhook_calls (
  rank INTEGER PRIMARY KEY,
  account_id INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  prediction_id TEXT NOT NULL,
  message_id TEXT NOT NULL,
  event TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  at INTEGER NOT NULL,
  status INTEGER,
  problem TEXT,
  milliseconds INTEGER NOT NULL
) STRICT;
CREATE INDEX webhook_calls_by_account ON webhook_calls (account_id, rank);
CREATE INDEX webhook_calls_of_prediction ON webhook_calls (prediction_id, rank);
CREATE INDEX webhook_calls_by_age ON webhook_calls (at);
