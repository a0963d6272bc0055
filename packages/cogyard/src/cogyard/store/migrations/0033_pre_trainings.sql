-- Trainings are predictions of another kind: they wait, run and end in the same way. `destination` is the model that a
-- training's version is made for.
ALTER TABLE predictions ADD COLUMN kind TEXT NOT NULL DEFAULT 'prediction';
ALTER TABLE predictions ADD COLUMN destination TEXT;
-- Trainings are few among many predictions: their list must not walk those.
CREATE INDEX predictions_trainings ON predictions (account_id, id) WHERE kind = 'training';
