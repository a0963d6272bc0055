"""The registry's repositories in SQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cogyard.registry.ports import QuotaReachedError, StillUsedError, StoredManifest
from cogyard.store.database import Database
from cogyard.store.times import moment, stored

_MANIFEST = "m.repository, m.digest, m.media_type, m.artifact_type, m.subject, m.content, m.created_at"

#: A link whose time was renewed within this is not written again: a push asks for every layer, most of them old. Much
#: shorter than the least grace time of a collection, which goes by the time that is written.
_RENEWED_FOR = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class SqlRepositories:
    """A registry's Repositories over the platform's database."""

    database: Database
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))

    async def link_blob(self, repository: str, digest: str, size: int, *, quota: int | None = None) -> None:
        """Write down that the repository has the blob; the time is renewed, since it is wanted again."""
        row, owner = (repository, digest, size, stored(self.clock())), repository.partition("/")[0]

        def work(db: sqlite3.Connection) -> None:
            before = _held(db, owner) if quota is not None else 0
            _changed(db, _LINK, *row)
            if quota is not None and _held(db, owner) > max(before, quota):
                raise QuotaReachedError(held=before, quota=quota)

        await self.database.write(work)

    async def renew_blob(self, repository: str, digest: str) -> int | None:
        """Return the blob's size, having renewed its time when that is not of the last minutes."""
        now = self.clock()
        row = await self.database.read(lambda db: db.execute(_LINKED_AT, (repository, digest)).fetchone())
        if row is None:
            return None
        if moment(row["linked_at"]) < now - _RENEWED_FOR:
            values = (stored(now), repository, digest)
            if not await self.database.write(lambda db: _changed(db, _RENEW, *values)):
                return None
        return int(row["size"])

    async def blob_size(self, repository: str, digest: str) -> int | None:
        """Return the blob's size, or None when this repository does not have it."""
        return await self.database.read(lambda db: _blob_size(db, repository, digest))

    async def unlink_blob(self, repository: str, digest: str) -> bool:
        """Take the blob out of the repository, unless a manifest needs it."""

        def work(db: sqlite3.Connection) -> bool:
            _refuse_if_used(db, repository, digest)
            return _changed(
                db, "DELETE FROM registry_blobs WHERE repository = ? AND digest = ?", repository, digest
            )

        return await self.database.write(work)

    async def missing(self, manifest: StoredManifest) -> tuple[str, ...]:
        """Return what the manifest names and the repository does not have."""
        return await self.database.read(lambda db: _missing(db, manifest))

    async def put_manifest(self, manifest: StoredManifest, *, tag: str | None) -> tuple[str, ...]:
        """Write down a manifest, what it needs, and its tag, in one transaction."""

        def work(db: sqlite3.Connection) -> tuple[str, ...]:
            missing = _missing(db, manifest)
            if not missing:
                _insert(db, manifest)
                if tag is not None:
                    db.execute(_TAG, (manifest.repository, tag, manifest.digest, stored(manifest.created_at)))
            return missing

        return await self.database.write(work)

    async def manifest(self, repository: str, reference: str) -> StoredManifest | None:
        """Return a manifest by digest or by tag."""
        query = _BY_DIGEST if ":" in reference else _BY_TAG
        row = await self.database.read(lambda db: db.execute(query, (repository, reference)).fetchone())
        return None if row is None else _manifest(row)

    async def indexes(self, repository: str, digest: str) -> Sequence[StoredManifest]:
        """Return the newest manifests that name another one."""
        rows = await self.database.read(lambda db: db.execute(_NAMING, (repository, digest)).fetchall())
        return [_manifest(row) for row in rows]

    async def drop_unused(self, artifact_type: str, before: datetime) -> int:
        """Delete manifests of a type that no index names, with their tags."""
        values = (artifact_type, stored(before), stored(before))

        def work(db: sqlite3.Connection) -> int:
            found = db.execute(_UNUSED, values).fetchall()
            for row in found:
                _delete(db, row["repository"], row["digest"])
            return len(found)

        return await self.database.write(work)

    async def delete_manifest(self, repository: str, digest: str) -> bool:
        """Delete a manifest with its tags, unless an index needs it."""

        def work(db: sqlite3.Connection) -> bool:
            _refuse_if_used(db, repository, digest)
            return _delete(db, repository, digest)

        return await self.database.write(work)

    async def tags(self, repository: str, *, limit: int, after: str | None) -> Sequence[str]:
        """Return a page of tags, in lexical order that ignores case."""
        query, values = (
            (_TAGS, (repository, limit))
            if after is None
            else (_TAGS_AFTER, (repository, after, after, after, limit))
        )
        rows = await self.database.read(lambda db: db.execute(query, values).fetchall())
        return [row["tag"] for row in rows]

    async def delete_tag(self, repository: str, tag: str) -> bool:
        """Delete a tag, not its manifest."""
        query = "DELETE FROM registry_tags WHERE repository = ? AND tag = ?"
        return await self.database.write(lambda db: _changed(db, query, repository, tag))

    async def referrers(
        self, repository: str, subject: str, *, artifact_type: str | None, limit: int, after: str | None
    ) -> Sequence[StoredManifest]:
        """Return a page of the manifests about another one, by digest."""
        values = (repository, subject, after or "", artifact_type, artifact_type, limit)
        rows = await self.database.read(lambda db: db.execute(_REFERRERS, values).fetchall())
        return [_manifest(row) for row in rows]

    async def has_manifests(self, repository: str) -> bool:
        """Whether anything has been pushed to the repository."""
        query = "SELECT EXISTS (SELECT 1 FROM registry_manifests WHERE repository = ?)"
        return bool((await self.database.read(lambda db: db.execute(query, (repository,)).fetchone()))[0])

    async def held(self, owner: str) -> int:
        """Return the bytes that the owner's repositories hold, the same blob counted once."""
        return await self.database.read(lambda db: _held(db, owner))

    async def unused(self, owner: str) -> int:
        """Return the bytes that the owner's repositories hold and no manifest of theirs needs."""
        names = (f"{owner}/", f"{owner}0")
        return await self.database.read(lambda db: int(db.execute(_UNUSED_BYTES, names).fetchone()[0]))

    async def unlink_unused(self, before: datetime, *, limit: int, owner: str | None = None) -> int:
        """Take up to `limit` blobs that no manifest of their repository needs out of it."""
        first, end = (
            ("", "~") if owner is None else (f"{owner}/", f"{owner}0")
        )  # names are of a-z, 0-9 and `._-/`
        values = (stored(before), first, end, limit)
        return await self.database.write(lambda db: db.execute(_UNLINK_UNUSED, values).rowcount)

    async def linked(self, digests: Sequence[str]) -> frozenset[str]:
        """Return which of the blobs any repository has."""
        query = "SELECT EXISTS (SELECT 1 FROM registry_blobs WHERE digest = ?)"
        return await self.database.read(
            lambda db: frozenset(each for each in digests if db.execute(query, (each,)).fetchone()[0])
        )

    async def drop(self, repository: str) -> None:
        """Forget a repository wholly."""
        await self.database.write(lambda db: drop_repository(db, repository))


def drop_repository(db: sqlite3.Connection, repository: str) -> None:
    """Forget a repository wholly, in the transaction that deletes its model."""
    for table in ("registry_tags", "registry_references", "registry_manifests", "registry_blobs"):
        db.execute(f"DELETE FROM {table} WHERE repository = ?", (repository,))  # noqa: S608 - names of ours


_LINK = """
INSERT INTO registry_blobs (repository, digest, size, linked_at) VALUES (?, ?, ?, ?)
ON CONFLICT DO UPDATE SET linked_at = excluded.linked_at
"""
_LINKED_AT = "SELECT size, linked_at FROM registry_blobs WHERE repository = ? AND digest = ?"
_RENEW = "UPDATE registry_blobs SET linked_at = ? WHERE repository = ? AND digest = ?"
# Every name of an owner's repository is between `owner/` and `owner0`, the character after the slash.
_HELD = """
SELECT COALESCE(SUM(size), 0) FROM (
  SELECT MAX(size) AS size FROM registry_blobs WHERE repository >= ? AND repository < ? GROUP BY digest
)
"""
_UNUSED_BYTES = """
SELECT COALESCE(SUM(size), 0) FROM (
  SELECT MAX(b.size) AS size FROM registry_blobs b WHERE b.repository >= ? AND b.repository < ?
  GROUP BY b.digest HAVING NOT MAX(EXISTS (
    SELECT 1 FROM registry_references r WHERE r.repository = b.repository AND r.digest = b.digest
  ))
)
"""
_UNLINK_UNUSED = """
DELETE FROM registry_blobs WHERE (repository, digest) IN (
  SELECT b.repository, b.digest FROM registry_blobs b
  WHERE b.linked_at < ? AND b.repository >= ? AND b.repository < ? AND NOT EXISTS (
    SELECT 1 FROM registry_references r WHERE r.repository = b.repository AND r.digest = b.digest
  )
  LIMIT ?
)
"""
_TAG = """
INSERT INTO registry_tags (repository, tag, digest, updated_at) VALUES (?, ?, ?, ?)
ON CONFLICT DO UPDATE SET digest = excluded.digest, updated_at = excluded.updated_at
"""
_BY_DIGEST = f"SELECT {_MANIFEST} FROM registry_manifests m WHERE m.repository = ? AND m.digest = ?"  # noqa: S608
_BY_TAG = f"""
SELECT {_MANIFEST} FROM registry_tags t
JOIN registry_manifests m ON m.repository = t.repository AND m.digest = t.digest
WHERE t.repository = ? AND t.tag = ?
"""  # noqa: S608 - the columns above
_NAMING = f"""
SELECT {_MANIFEST} FROM registry_references r
JOIN registry_manifests m ON m.repository = r.repository AND m.digest = r.manifest
WHERE r.repository = ? AND r.digest = ? ORDER BY m.created_at DESC, m.digest LIMIT 10
"""  # noqa: S608 - the columns above
_UNUSED = """
SELECT m.repository, m.digest FROM registry_manifests m
WHERE m.artifact_type = ? AND m.created_at < ?
  AND NOT EXISTS (SELECT 1 FROM registry_references r WHERE r.repository = m.repository AND r.digest = m.digest)
  AND NOT EXISTS (
    SELECT 1 FROM registry_tags t WHERE t.repository = m.repository AND t.digest = m.digest AND t.updated_at >= ?
  )
LIMIT 500
"""
_TAGS = "SELECT tag FROM registry_tags WHERE repository = ? ORDER BY tag COLLATE NOCASE, tag LIMIT ?"
_TAGS_AFTER = """
SELECT tag FROM registry_tags
WHERE repository = ? AND tag COLLATE NOCASE >= ? AND (tag COLLATE NOCASE > ? OR tag > ?)
ORDER BY tag COLLATE NOCASE, tag LIMIT ?
"""
_REFERRERS = f"""
SELECT {_MANIFEST} FROM registry_manifests m
WHERE m.repository = ? AND m.subject = ? AND m.digest > ? AND (? IS NULL OR m.artifact_type = ?)
ORDER BY m.digest LIMIT ?
"""  # noqa: S608 - the columns above


def _delete(db: sqlite3.Connection, repository: str, digest: str) -> bool:
    key = (repository, digest)
    db.execute("DELETE FROM registry_tags WHERE repository = ? AND digest = ?", key)
    db.execute("DELETE FROM registry_references WHERE repository = ? AND manifest = ?", key)
    return _changed(db, "DELETE FROM registry_manifests WHERE repository = ? AND digest = ?", *key)


def _held(db: sqlite3.Connection, owner: str) -> int:
    return int(db.execute(_HELD, (f"{owner}/", f"{owner}0")).fetchone()[0])


def _blob_size(db: sqlite3.Connection, repository: str, digest: str) -> int | None:
    query = "SELECT size FROM registry_blobs WHERE repository = ? AND digest = ?"
    row = db.execute(query, (repository, digest)).fetchone()
    return None if row is None else int(row["size"])


def _missing(db: sqlite3.Connection, manifest: StoredManifest) -> tuple[str, ...]:
    blobs = [
        digest
        for digest, size in manifest.blobs.items()
        if _blob_size(db, manifest.repository, digest) != size
    ]
    manifests = [
        digest
        for digest in manifest.manifests
        if db.execute(_BY_DIGEST, (manifest.repository, digest)).fetchone() is None
    ]
    return (*blobs, *manifests)


def _insert(db: sqlite3.Connection, manifest: StoredManifest) -> None:
    db.execute(
        "INSERT INTO registry_manifests"
        " (repository, digest, media_type, artifact_type, subject, content, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (
            manifest.repository,
            manifest.digest,
            manifest.media_type,
            manifest.artifact_type,
            manifest.subject,
            manifest.content,
            stored(manifest.created_at),
        ),
    )
    needed = (*manifest.blobs, *manifest.manifests)
    db.executemany(
        "INSERT INTO registry_references (repository, digest, manifest) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        [(manifest.repository, digest, manifest.digest) for digest in needed],
    )


def _refuse_if_used(db: sqlite3.Connection, repository: str, digest: str) -> None:
    query = "SELECT manifest FROM registry_references WHERE repository = ? AND digest = ? ORDER BY manifest LIMIT 10"
    by = tuple(row["manifest"] for row in db.execute(query, (repository, digest)))
    if by:
        raise StillUsedError(by)


def _changed(db: sqlite3.Connection, query: str, *values: str | int) -> bool:
    return db.execute(query, values).rowcount > 0


def _manifest(row: sqlite3.Row) -> StoredManifest:
    return StoredManifest(
        repository=row["repository"],
        digest=row["digest"],
        media_type=row["media_type"],
        artifact_type=row["artifact_type"],
        subject=row["subject"],
        content=row["content"],
        created_at=moment(row["created_at"]),
    )
