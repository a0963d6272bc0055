-- What organizations and accounts had from before the present rules.

-- An endpoint hears of every prediction of an organization. Some were made when writers still could, and nothing says by
-- whom: those that the audit log does not show to be an admin's or an owner's are switched off, until one switches them on.
UPDATE webhook_endpoints SET enabled = 0,
  disabled_reason = 'It may have been made by somebody who is no admin. An admin of the organization may switch it on again.'
WHERE enabled AND EXISTS (
  SELECT 1 FROM accounts o WHERE o.id = webhook_endpoints.account_id AND o.type = 'organization' AND NOT EXISTS (
    SELECT 1 FROM audit e JOIN accounts a ON a.username = e.actor COLLATE NOCASE
    JOIN members m ON m.account_id = a.id AND m.organization_id = o.id
    WHERE e.action = 'webhooks.endpoints.create' AND e.via LIKE '% for ' || o.username
      AND e.at BETWEEN webhook_endpoints.created_at AND webhook_endpoints.created_at + 10000000
      AND m.joined_at IS NOT NULL AND m.role IN ('admin', 'owner')));

-- The slug of an account's collection has no dot after the account's name and its dot: with one it is in the room of an
-- account whose name has it too. Those from before the rule get a hyphen, where no other collection has that slug.
CREATE TEMP TABLE renamed AS
  SELECT c.slug AS old, a.username || '.' || replace(substr(c.slug, length(a.username) + 2), '.', '-') AS new
  FROM collections c JOIN accounts a ON a.id = c.owner_id
  WHERE lower(substr(c.slug, 1, length(a.username) + 1)) = lower(a.username || '.')
    AND instr(substr(c.slug, length(a.username) + 2), '.') > 0;
UPDATE renamed SET new = lower(new);
DELETE FROM renamed WHERE EXISTS (SELECT 1 FROM collections c WHERE c.slug = renamed.new)
  OR EXISTS (SELECT 1 FROM renamed r WHERE r.new = renamed.new AND r.old < renamed.old);
INSERT INTO collections SELECT r.new, c.name, c.description, c.full_description, c.created_at, c.owner_id
  FROM renamed r JOIN collections c ON c.slug = r.old;
UPDATE collection_models SET slug = (SELECT new FROM renamed WHERE old = slug) WHERE slug IN (SELECT old FROM renamed);
DELETE FROM collections WHERE slug IN (SELECT old FROM renamed);
DROP TABLE renamed;
