-- For how many seconds predictions hold their data: of an account, of a model, of a deployment. -1 is for ever, nothing is
-- as the less specific setting has it. Columns, so that a setting goes with what it is about.
ALTER TABLE accounts ADD COLUMN keep_predictions INTEGER;
ALTER TABLE models ADD COLUMN keep_predictions INTEGER;
ALTER TABLE deployments ADD COLUMN keep_predictions INTEGER;
