-- What a signing secret was before it was rotated: it goes on signing for a day, beside the new one.
ALTER TABLE webhook_secrets ADD COLUMN previous TEXT;
ALTER TABLE webhook_secrets ADD COLUMN rotated_at INTEGER;
