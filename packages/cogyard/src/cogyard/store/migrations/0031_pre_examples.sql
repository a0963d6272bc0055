-- Predictions that a model's owner shows to whoever sees the model. The one pinned last, else the oldest, is the default.
CREATE TABLE examples (
  rank INTEGER PRIMARY KEY,
  model_id INTEGER NOT NULL REFERENCES models (id) ON DELETE CASCADE,
  prediction_id TEXT NOT NULL REFERENCES predictions (id) ON DELETE CASCADE,
  added_at INTEGER NOT NULL,
  pinned_at INTEGER,
  UNIQUE (model_id, prediction_id)
) STRICT;
CREATE INDEX examples_by_model ON examples (model_id, rank);
CREATE INDEX examples_of_prediction ON examples (prediction_id);
