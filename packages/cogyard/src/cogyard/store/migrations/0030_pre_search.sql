-- What models are found by, kept by the store in the transaction that changes a model; the rowid is the model's id.
-- Texts are as `cogyard.domain.search` spaces them.
CREATE VIRTUAL TABLE model_words USING fts5 (
  path, description, readme, tokenize = "unicode61 remove_diacritics 2", prefix = '2 3'
);
INSERT INTO model_words (rowid, path, description, readme)
  SELECT m.id, search_words(a.username || '/' || m.name), search_words(m.description), search_words(m.readme)
  FROM models m JOIN accounts a ON a.id = m.owner_id;
