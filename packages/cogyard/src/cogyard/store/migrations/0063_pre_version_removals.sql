-- Versions that were deleted and whose predictions still have to go: those of this model's version that were written
-- before the deletion. The same image may be pushed again meanwhile. By the model's name, which the model may be gone under.
CREATE TABLE version_removals (
  rank INTEGER PRIMARY KEY,
  model TEXT NOT NULL,
  version TEXT NOT NULL,
  upto INTEGER NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;
