-- How far a token reaches: what was made before reaches as far as its account.
ALTER TABLE tokens ADD COLUMN scope TEXT NOT NULL DEFAULT 'write';
