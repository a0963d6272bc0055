-- What can be run: models and their versions. A version's id is the digest of its image, so two models may share one.
CREATE TABLE models (
  id INTEGER PRIMARY KEY,
  owner_id INTEGER NOT NULL REFERENCES accounts (id),
  name TEXT NOT NULL COLLATE NOCASE,
  visibility TEXT NOT NULL CHECK (visibility IN ('public', 'private')),
  hardware TEXT NOT NULL,
  description TEXT,
  readme TEXT,
  github_url TEXT,
  paper_url TEXT,
  license_url TEXT,
  weights_url TEXT,
  cover_image_url TEXT,
  run_count INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL,
  latest_version TEXT,
  latest_version_at INTEGER,
  UNIQUE (owner_id, name)
) STRICT;
CREATE INDEX models_public_by_age ON models (created_at, id) WHERE visibility = 'public';
CREATE INDEX models_public_by_version ON models (latest_version_at, id) WHERE visibility = 'public';

CREATE TABLE versions (
  model_id INTEGER NOT NULL REFERENCES models (id),
  id TEXT NOT NULL,
  cog_version TEXT NOT NULL,
  openapi_schema TEXT NOT NULL,
  labels TEXT NOT NULL,
  size INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  UNIQUE (model_id, id)
) STRICT;
CREATE INDEX versions_by_age ON versions (model_id, created_at, id);
CREATE INDEX versions_by_id ON versions (id, model_id);
