-- Predictions made on pages are few among those that programs ask for.
CREATE INDEX predictions_from_web ON predictions (account_id, id) WHERE source = 'web';
