-- Whoever deletes their account is found in what they asked for organizations; written for nothing else.
CREATE INDEX predictions_by_asker ON predictions (asked_by) WHERE asked_by IS NOT NULL;
