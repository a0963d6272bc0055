"""Everything that belongs to one account, as rows that a person can read: for whoever leaves, or asks what is kept.

Tables are found by the columns that say whose a row is, so that a table of a later release is not forgotten. What
opens something (hashes, secrets, tokens) stays behind.
"""

# Statements are put together from names that the schema itself gives; values are always bound.
# ruff: noqa: S608

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cogyard.store.connection import connect
from cogyard.store.errors import translated
from cogyard.store.times import moment

#: Columns that say whose a row is, the first that a table has, and whose values are meant.
_OWNING = (
    ("account_id", "SELECT ?1"),
    ("owner_id", "SELECT ?1"),
    ("model_id", "SELECT id FROM models WHERE owner_id = ?1"),
    ("deployment_id", "SELECT id FROM deployments WHERE owner_id = ?1"),
)
#: A membership is the member's and the organization's alike; numbers alone would tell neither who the other is.
_MEMBERS = (
    "SELECT o.username AS organization, a.username AS member, m.role, m.invited_at, m.joined_at FROM members m"
    " JOIN accounts o ON o.id = m.organization_id JOIN accounts a ON a.id = m.account_id"
    " WHERE ?1 IN (m.organization_id, m.account_id) ORDER BY 1, 2"
)
#: What is in a collection is as private there as it is elsewhere.
_COLLECTED = (
    "SELECT c.slug AS collection, a.username || '/' || m.name AS model FROM collection_models i"
    " JOIN collections c ON c.slug = i.slug JOIN models m ON m.id = i.model_id JOIN accounts a ON a.id = m.owner_id"
    " WHERE c.owner_id = ?1 AND (m.visibility = 'public' OR m.owner_id = ?1) ORDER BY 1, i.rank"
)
_ASKED = {"members": _MEMBERS, "collection_models": _COLLECTED}
_WITHOUT = frozenset({"sessions", "login_links", "webhook_secrets"})
_OPENS = re.compile(r"hash|secret|token|password|previous")
_JSON = frozenset({"input", "output", "metrics", "metadata", "labels", "openapi_schema"})
_MOMENT = re.compile(r".*_at|deadline")


def account_id_of(path: Path, username: str) -> int | None:
    """Return the number of an account in the database, or None."""
    with _opened(path) as db:
        row = db.execute("SELECT id FROM accounts WHERE username = ?", (username,)).fetchone()
    return None if row is None else int(row[0])


def rows_of(path: Path, account_id: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (table, row) of everything that is an account's, as of one moment; the account itself first.

    Others may write meanwhile, and what they write is not folded into the database file before this has ended: whoever
    takes the rows must not wait for anybody between them.
    """
    try:
        with _opened(path) as db:
            db.execute("BEGIN")
            (account,) = db.execute("SELECT * FROM accounts WHERE id = ?", (account_id,))
            yield "account", _shown(account)
            for table, question in _tables(db):
                for row in db.execute(question, (account_id,)):
                    yield table, _shown(row)
    except sqlite3.Error as error:
        raise translated(error, path) from error


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptManifest:
    """A manifest of the registry, with what it needs and what it is called."""

    repository: str
    digest: str
    media_type: str
    content: bytes
    tags: tuple[str, ...]
    blobs: tuple[str, ...]
    part_of_index: bool


def manifests_of(path: Path, username: str) -> Iterator[KeptManifest]:
    """Yield every manifest of an account's repositories; each is read when it is asked for."""
    try:
        with _opened(path) as db:
            named = db.execute(_MANIFESTS, (f"{username.lower()}/", f"{username.lower()}0")).fetchall()
            for key in map(tuple, named):
                row = db.execute(_MANIFEST, key).fetchone()
                if row is None:
                    continue
                yield KeptManifest(
                    repository=row["repository"],
                    digest=row["digest"],
                    media_type=row["media_type"],
                    content=bytes(row["content"]),
                    tags=tuple(each["tag"] for each in db.execute(_TAGS, key)),
                    blobs=tuple(each["digest"] for each in db.execute(_BLOBS, key)),
                    part_of_index=db.execute(_NAMED_BY, key).fetchone() is not None,
                )
    except sqlite3.Error as error:
        raise translated(error, path) from error


# Every name of an owner's repository is between `owner/` and `owner0`, the character after the slash.
_MANIFESTS = (
    "SELECT repository, digest FROM registry_manifests WHERE repository >= ? AND repository < ? ORDER BY 1, 2"
)
_MANIFEST = "SELECT * FROM registry_manifests WHERE repository = ? AND digest = ?"
_TAGS = "SELECT tag FROM registry_tags WHERE repository = ? AND digest = ? ORDER BY tag"
_BLOBS = (
    "SELECT r.digest FROM registry_references r JOIN registry_blobs b"
    " ON b.repository = r.repository AND b.digest = r.digest WHERE r.repository = ? AND r.manifest = ?"
)
_NAMED_BY = "SELECT 1 FROM registry_references WHERE repository = ? AND digest = ? LIMIT 1"


def _opened(path: Path) -> closing[sqlite3.Connection]:
    return closing(connect(path, read_only=True))


def _tables(db: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    """Yield (table, the question for an account's rows of it)."""
    names = db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall()
    for (table,) in names:
        columns = {row["name"] for row in db.execute(f"PRAGMA table_info({table})")}
        for column, whose in _OWNING:
            if column in columns and table not in _WITHOUT:
                # In the order of whichever index finds them: sorting would hold all of them in memory.
                yield table, _ASKED.get(table, f"SELECT * FROM {table} WHERE {column} IN ({whose})")
                break


def _shown(row: sqlite3.Row) -> dict[str, Any]:
    found = dict[str, Any]()
    for name in row.keys():  # noqa: SIM118 - a Row iterates over its values
        value = row[name]
        if _OPENS.search(name) or isinstance(value, bytes):
            continue
        if value is not None and _MOMENT.fullmatch(name) and isinstance(value, int):
            value = moment(value).isoformat()
        elif name in _JSON and isinstance(value, str):
            value = json.loads(value)
        found[name] = value
    return found
