-- The last id that a deployment was given: SQLite gives that of a deleted one out again, and predictions remember theirs.
CREATE TABLE deployment_ids (last INTEGER NOT NULL) STRICT;
INSERT INTO deployment_ids
  SELECT max((SELECT coalesce(max(id), 0) FROM deployments),
             (SELECT coalesce(max(deployment_id), 0) FROM predictions WHERE deployment_id IS NOT NULL));
