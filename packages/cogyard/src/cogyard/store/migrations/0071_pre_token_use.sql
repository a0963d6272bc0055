-- When a token was used last, to the hour: a request that looks must not write each time.
ALTER TABLE tokens ADD COLUMN last_used_at INTEGER;
