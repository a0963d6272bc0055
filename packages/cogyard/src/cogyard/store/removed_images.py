"""What leaves the registry with a deleted version's image, in SQL.

Theory of operation. A version is named by its manifest alone or through an index, so the indexes that name it go with
it, and their tags. An index in which another version stands is that version's too: it stays, and since nobody can pull
one with a hole in it, so does all that it names, the deleted version's manifest as well. That goes with the last of
them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable


def remove_image(db: sqlite3.Connection, repository: str, digest: str) -> None:
    """Take an image out of a repository, in the transaction that deletes its version.

    With it go its tags, the indexes that name it and no other version, what is about any of them (signatures), and the
    other manifests of those indexes unless one is a version, is named by another index, or has a tag. Blobs that
    nothing needs then are collected in time.
    """
    about = _Repository(db, repository)
    todo = {digest}
    db.execute(_UNTAG, (repository, digest))
    # Not by recursion: how deep indexes are nested is up to whoever pushed them.
    while todo:
        reached = _closure(todo, about.users)
        doomed = reached - about.shared(reached)
        beside: set[str] = set()
        for each in doomed:
            key = (repository, each)
            beside |= about.named(each)
            db.execute(_UNTAG, key)
            db.execute("DELETE FROM registry_references WHERE repository = ? AND manifest = ?", key)
            db.execute("DELETE FROM registry_manifests WHERE repository = ? AND digest = ?", key)
        todo = {each for each in beside - reached if not about.is_needed(each)}


class _Repository:
    """How the manifests of one repository hang together."""

    def __init__(self, db: sqlite3.Connection, name: str) -> None:
        self._db = db
        self._name = name

    def shared(self, manifests: set[str]) -> set[str]:
        """Return those that an index among them needs in which a version stands."""
        below = {each: self.named(each) for each in _closure(manifests, self.named)}
        above: dict[str, set[str]] = {each: set() for each in below}
        for index, named in below.items():
            for each in named:
                above[each].add(index)
        versions = {each for each in below if self._is_version(each)}
        theirs = _closure(versions, lambda each: above[each]) & manifests
        return _closure(theirs, lambda each: self.named(each) | self._about(each)) & manifests

    def named(self, digest: str) -> set[str]:
        """Return the manifests that one names."""
        return self._digests(_NAMED, digest)

    def users(self, digest: str) -> set[str]:
        """Return the manifests that name one, or are about it."""
        return self._digests(_NAMING, digest) | self._about(digest)

    def is_needed(self, digest: str) -> bool:
        """Say whether something is left that needs a manifest, or it stands for itself."""
        return bool(self._digests(_NEEDED, digest)) or self._is_version(digest)

    def _about(self, digest: str) -> set[str]:
        return {each for each in self._digests(_ABOUT, digest) if not self._is_version(each)}

    def _is_version(self, digest: str) -> bool:
        return bool(self._digests(_IS_VERSION, digest))

    def _digests(self, query: str, digest: str) -> set[str]:
        return {row[0] for row in self._db.execute(query, {"repository": self._name, "digest": digest})}


def _closure(start: Iterable[str], following: Callable[[str], set[str]]) -> set[str]:
    found, todo = set(start), list(start)
    while todo:
        more = following(todo.pop()) - found
        found |= more
        todo += more
    return found


_UNTAG = "DELETE FROM registry_tags WHERE repository = ? AND digest = ?"
_IS_VERSION = """
SELECT v.id FROM versions v JOIN models m ON m.id = v.model_id JOIN accounts a ON a.id = m.owner_id
WHERE v.id = substr(:digest, 8) AND a.username || '/' || m.name = :repository
"""
_NAMING = "SELECT manifest FROM registry_references WHERE repository = :repository AND digest = :digest"
_ABOUT = "SELECT digest FROM registry_manifests WHERE repository = :repository AND subject = :digest"
# The manifests among what a manifest names: it needs blobs as well.
_NAMED = """
SELECT m.digest FROM registry_references r
JOIN registry_manifests m ON m.repository = r.repository AND m.digest = r.digest
WHERE r.repository = :repository AND r.manifest = :digest
"""
_NEEDED = """
SELECT digest FROM registry_references WHERE repository = :repository AND digest = :digest
UNION ALL SELECT digest FROM registry_tags WHERE repository = :repository AND digest = :digest
LIMIT 1
"""
