-- Who belongs to which organization, and who is invited to: those have not joined. Organizations are accounts.
CREATE TABLE members (
  organization_id INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  account_id INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  role TEXT NOT NULL CHECK (role IN ('reader', 'writer', 'admin', 'owner')),
  invited_at INTEGER NOT NULL,
  invited_by INTEGER REFERENCES accounts (id) ON DELETE SET NULL,
  joined_at INTEGER,
  PRIMARY KEY (organization_id, account_id)
) STRICT, WITHOUT ROWID;
-- Every request of a person looks here.
CREATE INDEX members_by_account ON members (account_id, organization_id);

-- An account that is gone keeps its row and loses its name: what it did elsewhere still points at somebody.
ALTER TABLE accounts ADD COLUMN deleted_at INTEGER;
