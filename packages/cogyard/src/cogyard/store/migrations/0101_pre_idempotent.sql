-- What its author has declared idempotent may run again when its instance was lost; nothing that waits already is.
ALTER TABLE queue ADD COLUMN idempotent INTEGER NOT NULL DEFAULT 0;
