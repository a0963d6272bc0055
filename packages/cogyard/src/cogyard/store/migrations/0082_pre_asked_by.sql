-- Who asked for what is an organization's, by the name they had; nothing where the account itself asked.
ALTER TABLE predictions ADD COLUMN asked_by TEXT;
