-- Whose a collection is; nobody's is the platform's own.
ALTER TABLE collections ADD COLUMN owner_id INTEGER REFERENCES accounts (id) ON DELETE CASCADE;
CREATE INDEX collections_by_owner ON collections (owner_id, slug) WHERE owner_id IS NOT NULL;
