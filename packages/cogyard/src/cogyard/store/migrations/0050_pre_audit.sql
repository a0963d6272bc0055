-- Who did what to what, from where. Names as they were: no reference to accounts, which may go.
CREATE TABLE audit (
  rank INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  actor TEXT NOT NULL,
  via TEXT NOT NULL,
  action TEXT NOT NULL,
  subject TEXT NOT NULL,
  client TEXT NOT NULL
) STRICT;
CREATE INDEX audit_by_actor ON audit (actor COLLATE NOCASE, rank);
CREATE INDEX audit_by_age ON audit (at);
