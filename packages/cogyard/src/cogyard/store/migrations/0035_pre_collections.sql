-- Models that belong together, as the operator sees it.
CREATE TABLE collections (
  slug TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  description TEXT NOT NULL,
  full_description TEXT,
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE collection_models (
  rank INTEGER PRIMARY KEY,
  slug TEXT NOT NULL REFERENCES collections (slug) ON DELETE CASCADE,
  model_id INTEGER NOT NULL REFERENCES models (id) ON DELETE CASCADE,
  UNIQUE (slug, model_id)
) STRICT;
CREATE INDEX collection_models_of_model ON collection_models (model_id);
