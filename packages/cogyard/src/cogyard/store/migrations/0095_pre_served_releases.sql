-- Which release of a deployment served last: the current one, unless a rollout to that is under way.
ALTER TABLE deployments ADD COLUMN served INTEGER NOT NULL DEFAULT 1;
UPDATE deployments SET served = release;
