-- Who may do what, and what versions are, is asked by every request and seldom changes. This number counts the changes,
-- whoever makes them, so that what was read can be kept in memory until then. Counters and times of use are left out.
CREATE TABLE rights_changed (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  number INTEGER NOT NULL
) STRICT;
INSERT INTO rights_changed (id, number) VALUES (1, 0);
CREATE TRIGGER accounts_insert_rights AFTER INSERT ON accounts BEGIN
  UPDATE rights_changed SET number = number + 1;
END;
CREATE TRIGGER accounts_update_rights AFTER UPDATE ON accounts BEGIN
  UPDATE rights_changed SET number = number + 1;
END;
CREATE TRIGGER accounts_delete_rights AFTER DELETE ON accounts BEGIN
  UPDATE rights_changed SET number = number + 1;
END;
CREATE TRIGGER tokens_insert_rights AFTER INSERT ON tokens BEGIN
  UPDATE rights_changed SET number = number + 1;
END;
CREATE TRIGGER tokens_update_rights AFTER UPDATE OF
  id, account_id, name, hash, tail, created_at, expires_at, revoked_at, scope
  ON tokens BEGIN
  UPDATE rights_changed SET number = number + 1;
END;
CREATE TRIGGER tokens_delete_rights AFTER DELETE ON tokens BEGIN
  UPDATE rights_changed SET number = number + 1;
END;
CREATE TRIGGER members_insert_rights AFTER INSERT ON members BEGIN
  UPDATE rights_changed SET number = number + 1;
END;
CREATE TRIGGER members_update_rights AFTER UPDATE ON members BEGIN
  UPDATE rights_changed SET number = number + 1;
END;
CREATE TRIGGER members_delete_rights AFTER DELETE ON members BEGIN
  UPDATE rights_changed SET number = number + 1;
END;
CREATE TRIGGER models_insert_rights AFTER INSERT ON models BEGIN
  UPDATE rights_changed SET number = number + 1;
END;
CREATE TRIGGER models_update_rights AFTER UPDATE OF
  id, owner_id, name, visibility, hardware, description, readme, github_url, paper_url, license_url,
  weights_url, cover_image_url, created_at, latest_version, latest_version_at, keep_predictions, limit_predictions,
  limit_window, limit_at_once
  ON models BEGIN
  UPDATE rights_changed SET number = number + 1;
END;
CREATE TRIGGER models_delete_rights AFTER DELETE ON models BEGIN
  UPDATE rights_changed SET number = number + 1;
END;
CREATE TRIGGER versions_insert_rights AFTER INSERT ON versions BEGIN
  UPDATE rights_changed SET number = number + 1;
END;
CREATE TRIGGER versions_update_rights AFTER UPDATE ON versions BEGIN
  UPDATE rights_changed SET number = number + 1;
END;
CREATE TRIGGER versions_delete_rights AFTER DELETE ON versions BEGIN
  UPDATE rights_changed SET number = number + 1;
END;
