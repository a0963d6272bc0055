-- A name in front of a version, with instances of its own. Every change is a release with the next number.
CREATE TABLE deployments (
  id INTEGER PRIMARY KEY,
  owner_id INTEGER NOT NULL REFERENCES accounts (id),
  name TEXT NOT NULL COLLATE NOCASE,
  model_id INTEGER NOT NULL REFERENCES models (id),
  release INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  UNIQUE (owner_id, name)
) STRICT;
CREATE INDEX deployments_by_owner ON deployments (owner_id, id);
CREATE INDEX deployments_of_model ON deployments (model_id);

CREATE TABLE releases (
  deployment_id INTEGER NOT NULL REFERENCES deployments (id) ON DELETE CASCADE,
  number INTEGER NOT NULL,
  version TEXT NOT NULL,
  hardware TEXT NOT NULL,
  min_instances INTEGER NOT NULL,
  max_instances INTEGER NOT NULL,
  split_version TEXT,
  split_percent INTEGER,
  created_at INTEGER NOT NULL,
  created_by INTEGER NOT NULL REFERENCES accounts (id),
  PRIMARY KEY (deployment_id, number)
) STRICT, WITHOUT ROWID;

-- Through which deployment a prediction was asked for; the name stays when the deployment is gone.
ALTER TABLE predictions ADD COLUMN deployment TEXT;
ALTER TABLE predictions ADD COLUMN deployment_id INTEGER;
CREATE INDEX predictions_by_deployment ON predictions (deployment_id, id) WHERE deployment_id IS NOT NULL;
