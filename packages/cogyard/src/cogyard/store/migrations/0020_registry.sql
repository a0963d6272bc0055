-- What repositories of the registry hold. Blobs' bytes are elsewhere; a repository shows only those listed here.
CREATE TABLE registry_blobs (
  repository TEXT NOT NULL,
  digest TEXT NOT NULL,
  size INTEGER NOT NULL,
  linked_at INTEGER NOT NULL,
  PRIMARY KEY (repository, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX registry_blobs_by_digest ON registry_blobs (digest);

CREATE TABLE registry_manifests (
  repository TEXT NOT NULL,
  digest TEXT NOT NULL,
  media_type TEXT NOT NULL,
  artifact_type TEXT,
  subject TEXT,
  content BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  UNIQUE (repository, digest)
) STRICT;
CREATE INDEX registry_manifests_by_subject ON registry_manifests (repository, subject, digest)
  WHERE subject IS NOT NULL;

-- What a manifest cannot do without, in its own repository: blobs, and the images of an index.
CREATE TABLE registry_references (
  repository TEXT NOT NULL,
  digest TEXT NOT NULL,
  manifest TEXT NOT NULL,
  PRIMARY KEY (repository, digest, manifest)
) STRICT, WITHOUT ROWID;
CREATE INDEX registry_references_by_manifest ON registry_references (repository, manifest);

CREATE TABLE registry_tags (
  repository TEXT NOT NULL,
  tag TEXT NOT NULL,
  digest TEXT NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (repository, tag)
) STRICT, WITHOUT ROWID;
-- Lists of tags ignore case in their order, as the protocol has it.
CREATE INDEX registry_tags_in_order ON registry_tags (repository, tag COLLATE NOCASE, tag);
CREATE INDEX registry_tags_by_digest ON registry_tags (repository, digest);
