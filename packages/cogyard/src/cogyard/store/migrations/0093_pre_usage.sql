-- What ended in which hour since 1970, in which way, having run and waited so long (buckets; -1 is never): charts read
-- these few rows in the place of a million predictions. Counted in the transaction in which a prediction ends.
CREATE TABLE prediction_hours (
  account_id INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  hour INTEGER NOT NULL,
  model_id INTEGER NOT NULL REFERENCES models (id) ON DELETE CASCADE,
  deployment_id INTEGER NOT NULL DEFAULT 0,
  status TEXT NOT NULL,
  ran INTEGER NOT NULL,
  waited INTEGER NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (account_id, hour, model_id, deployment_id, status, ran, waited)
) STRICT, WITHOUT ROWID;
CREATE INDEX prediction_hours_of_model ON prediction_hours (model_id, hour);
CREATE INDEX prediction_hours_of_deployment ON prediction_hours (deployment_id, hour) WHERE deployment_id > 0;

-- The most instances at once in an hour, by what they work for; deployment 0 is none.
CREATE TABLE instance_hours (
  version TEXT NOT NULL,
  deployment_id INTEGER NOT NULL,
  hour INTEGER NOT NULL,
  most INTEGER NOT NULL,
  PRIMARY KEY (deployment_id, version, hour)
) STRICT, WITHOUT ROWID;
