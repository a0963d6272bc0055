-- An account's predictions of one model, and those that did not succeed, are found without walking all the others.
-- Those that wait or run are found by the queue, which is small: an index of them would be written at every step.
CREATE INDEX predictions_by_model ON predictions (account_id, model, id);
CREATE INDEX predictions_unsuccessful ON predictions (account_id, id) WHERE status IN ('failed', 'canceled', 'aborted');
