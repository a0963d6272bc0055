-- What was refused is in the audit log too, with the status it was refused with; NULL is what was done.
ALTER TABLE audit ADD COLUMN refused INTEGER;
