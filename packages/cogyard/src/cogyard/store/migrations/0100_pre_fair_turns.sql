-- Accounts take turns at the instances that they share: `turn` says in which round a place of an account is, and
-- `urgency` which of an account's own predictions goes first. What waits already keeps its order within each account.
ALTER TABLE queue ADD COLUMN account_id INTEGER NOT NULL DEFAULT 0;
ALTER TABLE queue ADD COLUMN urgency INTEGER NOT NULL DEFAULT 1;
ALTER TABLE queue ADD COLUMN turn INTEGER NOT NULL DEFAULT 0;
UPDATE queue SET account_id = (SELECT account_id FROM predictions WHERE id = queue.prediction_id);
UPDATE queue SET turn = placed.turn FROM (
  SELECT rank, row_number() OVER (PARTITION BY deployable, account_id ORDER BY rank) - 1 AS turn FROM queue
) AS placed WHERE placed.rank = queue.rank;
DROP INDEX queue_waiting;
CREATE INDEX queue_waiting ON queue (deployable, turn, rank) WHERE lease_token IS NULL;
CREATE INDEX queue_own ON queue (deployable, account_id, urgency, rank) WHERE lease_token IS NULL;
CREATE INDEX queue_own_turns ON queue (deployable, account_id, turn, rank) WHERE lease_token IS NULL;
